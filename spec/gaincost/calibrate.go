package gaincost

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
// candidate once it has accepted the nodes before it: run-time statistics after those of arXiv 2605.16786.
// It counts how often candidates were right, by their probability, class and depth. Classes, from 0 to 7, are
// the caller's: ranks, for example.
//
// Three levels back each other up: a cell of probability, class and depth that was seen a few times only leans on the cell of
// probability and class, that on the one of probability alone, and that on the source's own probability. Estimates never fall
// where the probability rises. Old counts fade pass by pass, so that estimates follow the text. The zero value is ready, and
// believes the source. It does not allocate, and is not safe for concurrent use.
type Calibration struct {
	counts  counts
	byProb  level
	byClass [classes]level
	cells   [classes][depthBands]level
	version int // of the counts
}

// counts are what a Calibration is stored as.
type counts struct {
	// Weight is that of a trial now, less 1. It grows pass by pass, which makes older trials fade.
	Weight  float64
	ByProb  [len(knots)]tally
	ByClass [classes][len(knots)]tally
	Cells   [classes][depthBands][len(knots)]tally
}

// tally is the weight of trials, and of those that hit.
type tally struct {
	Trials, Hits float64
}

// level holds the estimates at the knots.
type level struct {
	estimate [len(knots)]float64
	version  int // of the counts, plus 1
}

const (
	// calibrationKeep is the weight of a trial relative to those of the next pass: they fade over about 140 passes.
	calibrationKeep = 0.993
	// backing is how many trials of the level below an estimate counts for.
	backing = 8
	// maxWeight keeps weights within range.
	maxWeight = 1e9
)

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
	l := &c.cells[class][band(depth)]
	if l.version != c.version+1 {
		c.refresh(class, band(depth))
	}
	k, weight := place(float64(prob))
	return l.estimate[k] + weight*(l.estimate[k+1]-l.estimate[k])
}

// Count adds a candidate whose fate is known: the nodes before it were accepted, and it was the target's token or not.
func (c *Calibration) Count(prob float32, class, depth int, hit bool) {
	k, right := place(float64(prob))
	for i, weight := range [2]float64{1 - right, right} {
		weight *= 1 + c.counts.Weight
		for _, t := range [...]*tally{&c.counts.ByProb[k+i], &c.counts.ByClass[class][k+i], &c.counts.Cells[class][band(depth)][k+i]} {
			t.Trials += weight
			if hit {
				t.Hits += weight
			}
		}
	}
	c.version++
}

// Fade lets what was counted so far lose some of its weight: call it once a pass.
func (c *Calibration) Fade() {
	c.counts.Weight = (1+c.counts.Weight)/calibrationKeep - 1
	if c.counts.Weight > maxWeight {
		c.counts.scale(1 / (1 + c.counts.Weight))
	}
	c.version++
}

// scale multiplies all weights.
func (c *counts) scale(factor float64) {
	c.Weight = (1+c.Weight)*factor - 1
	for _, level := range c.levels() {
		for i := range level {
			level[i].Trials *= factor
			level[i].Hits *= factor
		}
	}
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

// refresh computes the estimates of a cell, and of those on which it leans, from the counts.
func (c *Calibration) refresh(class, band int) {
	now := c.version + 1
	if c.byProb.version != now {
		c.byProb.version = now
		c.estimate(&c.byProb.estimate, &c.counts.ByProb, &knots)
	}
	if c.byClass[class].version != now {
		c.byClass[class].version = now
		c.estimate(&c.byClass[class].estimate, &c.counts.ByClass[class], &c.byProb.estimate)
	}
	l := &c.cells[class][band]
	l.version = now
	c.estimate(&l.estimate, &c.counts.Cells[class][band], &c.byClass[class].estimate)
}

// estimate computes the share of hits at each knot, leaning on another estimate, and makes it rise by pooling neighbours that
// do not (isotonic regression: pool adjacent violators).
func (c *Calibration) estimate(dst *[len(knots)]float64, tallies *[len(knots)]tally, lean *[len(knots)]float64) {
	var weights [len(knots)]float64
	var sizes [len(knots)]int
	pools, leaning := 0, backing*(1+c.counts.Weight)
	for k, t := range tallies {
		weight, size := t.Trials+leaning, 1
		mean := (t.Hits + leaning*lean[k]) / weight
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
		return fmt.Errorf("gaincost: calibration: %w", err)
	}
	for _, level := range stored.levels() {
		for _, t := range level {
			if !(t.Hits >= 0 && t.Hits <= t.Trials) || math.IsInf(t.Trials, 0) {
				return fmt.Errorf("gaincost: calibration: %v hits in %v trials", t.Hits, t.Trials)
			}
		}
	}
	if !(stored.Weight >= 0 && stored.Weight <= maxWeight) {
		return fmt.Errorf("gaincost: calibration: weight %v", stored.Weight)
	}
	*c = Calibration{counts: stored}
	return nil
}
