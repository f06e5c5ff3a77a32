package spec

import (
	"encoding/json"
	"fmt"
	"math"
)

// knots are the probabilities at which a calibration is kept; between them it is interpolated.
var knots = [...]float64{0, 0.01, 0.03, 0.07, 0.15, 0.25, 0.4, 0.55, 0.7, 0.82, 0.91, 0.96, 0.99, 1}

const (
	classes    = 8 // of candidates: see Calibration
	depthBands = 4 // of a candidate: 1, 2, 3 to 4, 5 and deeper
)

// Calibration turns the probability that a source gives a candidate into â, an estimate of how often the target picks such a
// candidate once it has accepted the nodes before it: DESIGN's "light run-time statistics", after those of arXiv 2605.16786.
// It counts how often candidates were right, by their probability, class and depth. Classes, from 0 to 7, are
// the caller's: ranks, for example.
//
// Three levels back each other up: a cell of probability, class and depth that was seen a few times only leans on the cell of
// probability and class, that on the one of probability alone, and that on the source's own probability. Estimates never fall
// where the probability rises. Old counts fade pass by pass, so that estimates follow the text. The zero value is ready, and
// believes the source. It does not allocate, and is not safe for concurrent use.
type Calibration struct {
	counts   counts
	estimate [classes][depthBands][len(knots)]float64
	current  bool // estimate is of counts
}

// counts are what a Calibration is stored as.
type counts struct {
	ByProb  [len(knots)]tally
	ByClass [classes][len(knots)]tally
	Cells   [classes][depthBands][len(knots)]tally
}

// tally counts trials and hits, as far as they have not faded.
type tally struct {
	Trials, Hits float64
}

// The window of a calibration is 1/(1-calibrationKeep) passes.
const calibrationKeep = 0.993

// backing is how many trials of the level below an estimate counts for.
const backing = 8

// band returns the index in the depth bands of a candidate.
func band(depth int) int {
	switch {
	case depth <= 2:
		return max(depth, 1) - 1
	case depth <= 4:
		return 2
	}
	return 3
}

// place returns the knots around a probability: k, and k+1 with the given weight.
func place(prob float64) (k int, weight float64) {
	for k < len(knots)-2 && prob >= knots[k+1] {
		k++
	}
	return k, (prob - knots[k]) / (knots[k+1] - knots[k])
}

// At returns â for a candidate of the given probability, from 0 to 1, and class, depth levels below the root.
func (c *Calibration) At(prob float32, class, depth int) float64 {
	if !c.current {
		c.refresh()
	}
	k, weight := place(float64(prob))
	e := &c.estimate[class][band(depth)]
	return e[k] + weight*(e[k+1]-e[k])
}

// Count adds a candidate whose fate is known: the nodes before it were accepted, and it was the target's token or not.
func (c *Calibration) Count(prob float32, class, depth int, hit bool) {
	k, weight := place(float64(prob))
	y := 0.0
	if hit {
		y = 1
	}
	for i, w := range [2]float64{1 - weight, weight} {
		c.counts.ByProb[k+i].add(w, y)
		c.counts.ByClass[class][k+i].add(w, y)
		c.counts.Cells[class][band(depth)][k+i].add(w, y)
	}
	c.current = false
}

func (t *tally) add(weight, hit float64) {
	t.Trials += weight
	t.Hits += weight * hit
}

// Fade lets all counts lose some of their weight: call it once a pass that counted something.
func (c *Calibration) Fade() {
	for _, level := range c.counts.levels() {
		for i := range level {
			level[i].Trials *= calibrationKeep
			level[i].Hits *= calibrationKeep
		}
	}
	c.current = false
}

// levels returns all tallies, by knots.
func (c *counts) levels() (all [1 + classes + classes*depthBands][]tally) {
	all[0] = c.ByProb[:]
	n := 1
	for class := range classes {
		all[n] = c.ByClass[class][:]
		n++
		for depth := range depthBands {
			all[n] = c.Cells[class][depth][:]
			n++
		}
	}
	return all
}

// refresh computes the estimates from the counts.
func (c *Calibration) refresh() {
	var byProb, byClass [len(knots)]float64
	estimate(&byProb, &c.counts.ByProb, &knots)
	for class := range classes {
		estimate(&byClass, &c.counts.ByClass[class], &byProb)
		for depth := range depthBands {
			estimate(&c.estimate[class][depth], &c.counts.Cells[class][depth], &byClass)
		}
	}
	c.current = true
}

// estimate computes the share of hits at each knot, leaning on another estimate, and makes it rise by pooling neighbours that
// do not (isotonic regression: pool adjacent violators).
func estimate(dst *[len(knots)]float64, tallies *[len(knots)]tally, lean *[len(knots)]float64) {
	var weights [len(knots)]float64
	var sizes [len(knots)]int
	pools := 0
	for k, t := range tallies {
		weight, size := t.Trials+backing, 1
		mean := (t.Hits + backing*lean[k]) / weight
		for pools > 0 && dst[pools-1] > mean {
			pools--
			mean = (mean*weight + dst[pools]*weights[pools]) / (weight + weights[pools])
			weight, size = weight+weights[pools], size+sizes[pools]
		}
		dst[pools], weights[pools], sizes[pools] = mean, weight, size
		pools++
	}
	for k := len(knots); pools > 0; {
		pools--
		mean, size := dst[pools], sizes[pools]
		for range size {
			k--
			dst[k] = mean
		}
	}
}

// MarshalJSON stores the counts, so that a later run can start from them.
func (c *Calibration) MarshalJSON() ([]byte, error) { return json.Marshal(&c.counts) }

// UnmarshalJSON takes counts that MarshalJSON stored.
func (c *Calibration) UnmarshalJSON(data []byte) error {
	var stored counts
	if err := json.Unmarshal(data, &stored); err != nil {
		return fmt.Errorf("spec: calibration: %w", err)
	}
	for _, level := range stored.levels() {
		for _, t := range level {
			if !(t.Hits >= 0 && t.Hits <= t.Trials) || math.IsInf(t.Trials, 0) {
				return fmt.Errorf("spec: calibration: %v hits in %v trials", t.Hits, t.Trials)
			}
		}
	}
	*c = Calibration{counts: stored}
	return nil
}
