package spec

import "encoding/json"

// knots are the probabilities at which a calibration is kept; between them it is interpolated.
var knots = [...]float64{0, 0.01, 0.03, 0.07, 0.15, 0.25, 0.4, 0.55, 0.7, 0.82, 0.91, 0.96, 0.99, 1}

const (
	classes    = 4 // of candidates: see Calibration
	depthBands = 4 // of a candidate: 1, 2, 3 to 4, 5 and deeper
)

// Calibration turns the probability that a source gives a candidate into â, an estimate of how often the target picks such a
// candidate once it has accepted the nodes before it: DESIGN's "light run-time statistics", after those of arXiv 2605.16786.
// It counts how often candidates were right, by their probability, class and depth. Classes are the caller's; for a draft
// model they are ranks.
//
// Three levels back each other up: a cell of probability, class and depth that was seen a few times only leans on the cell of
// probability and class, that on the one of probability alone, and that on the source's own probability. Estimates never fall
// where the probability rises. Old counts fade pass by pass, so that estimates follow the text. The zero value is ready, and
// believes the source. It does not allocate, and is not safe for concurrent use.
type Calibration struct {
	byProb  [len(knots)]tally
	byClass [classes][len(knots)]tally
	cells   [classes][depthBands][len(knots)]tally

	stale    bool
	estimate [classes][depthBands][len(knots)]float64
	ready    bool
}

// tally counts trials and hits, as far as they have not faded.
type tally struct {
	Trials, Hits float64
}

// The window of a calibration is 1/(1-calibrationKeep) passes.
const calibrationKeep = 0.985

// backing is how many trials of the level below an estimate counts for.
const backing = 4

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
	if c.stale || !c.ready {
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
		c.byProb[k+i].add(w, y)
		c.byClass[class][k+i].add(w, y)
		c.cells[class][band(depth)][k+i].add(w, y)
	}
	c.stale = true
}

func (t *tally) add(weight, hit float64) {
	t.Trials += weight
	t.Hits += weight * hit
}

// Fade lets all counts lose some of their weight: call it once a pass that counted something.
func (c *Calibration) Fade() {
	fade(c.byProb[:])
	for class := range c.cells {
		fade(c.byClass[class][:])
		for depth := range c.cells[class] {
			fade(c.cells[class][depth][:])
		}
	}
	c.stale = true
}

func fade(tallies []tally) {
	for i := range tallies {
		tallies[i].Trials *= calibrationKeep
		tallies[i].Hits *= calibrationKeep
	}
}

// refresh computes the estimates from the counts.
func (c *Calibration) refresh() {
	var byProb, byClass [len(knots)]float64
	estimate(&byProb, &c.byProb, &knots)
	for class := range c.cells {
		estimate(&byClass, &c.byClass[class], &byProb)
		for depth := range c.cells[class] {
			estimate(&c.estimate[class][depth], &c.cells[class][depth], &byClass)
		}
	}
	c.stale, c.ready = false, true
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

// calibrationState is the form in which a Calibration is stored.
type calibrationState struct {
	ByProb  [len(knots)]tally
	ByClass [classes][len(knots)]tally
	Cells   [classes][depthBands][len(knots)]tally
}

// MarshalJSON stores the counts, so that a later run can start from them.
func (c *Calibration) MarshalJSON() ([]byte, error) {
	return json.Marshal(calibrationState{c.byProb, c.byClass, c.cells})
}

// UnmarshalJSON takes counts that MarshalJSON stored.
func (c *Calibration) UnmarshalJSON(data []byte) error {
	var s calibrationState
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	*c = Calibration{byProb: s.ByProb, byClass: s.ByClass, cells: s.Cells}
	return nil
}
