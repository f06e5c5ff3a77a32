package gaincost

import (
	"encoding/json"
	"fmt"
)

// learned is what a Lever is stored as: how often candidates are right, which is of the models and texts, and not what passes cost, which is of
// the machine and what else it does.
type learned struct {
	Sources  *Estimator            `json:"sources"`
	Hits     [outlookRanks]float64 `json:"hits"`
	HitsSeen float64               `json:"hits_seen"`
	Masks    []float64             `json:"masks,omitempty"`
}

// MarshalJSON stores what the policy has learned of how often candidates are right, by source, so that a later run with the same models can start
// from it. What passes cost is not stored.
func (l *Lever) MarshalJSON() ([]byte, error) {
	return json.Marshal(learned{&l.learned, l.hits, l.hitsSeen, l.masks})
}

// UnmarshalJSON takes what MarshalJSON stored. An error leaves the policy as it was.
func (l *Lever) UnmarshalJSON(data []byte) error {
	var stored learned
	if err := json.Unmarshal(data, &stored); err != nil {
		return fmt.Errorf("gaincost: lever: %w", err)
	}
	const most = 64 // masks
	valid := stored.Sources != nil && len(stored.Masks) <= most && stored.HitsSeen >= 0 && stored.HitsSeen <= hitsWindow
	for _, chance := range append(stored.Hits[:], stored.Masks...) {
		valid = valid && chance >= 0 && chance <= 1
	}
	if !valid {
		return fmt.Errorf("gaincost: lever: first candidates are right with chances %v (%v trials), those of masks %v", stored.Hits, stored.HitsSeen, stored.Masks)
	}
	l.learned, l.hits, l.hitsSeen, l.masks = *stored.Sources, stored.Hits, stored.HitsSeen, stored.Masks
	return nil
}
