package gaincost

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Costs is what a machine takes for the parts of a pass: what a profile of the machine measures. Times are in seconds. Parts
// that are left out are measured during the first passes; see [CostModel]. The target's weights are read layer by layer, in
// the order of use, into a ring of buffers.
type Costs struct {
	// Layers in the order of use; a streamed output head that is computed for the whole tree is one. Empty = 32 equal ones.
	Layers []LayerCost `json:"layers,omitempty"`
	// Ring is the number of layers that fit into the read buffers, the one in use included. The default is 2.
	Ring int `json:"ring,omitempty"`
	// Compute is the time of all layers by the number of rows, with their weights in memory.
	Compute Curve `json:"compute"`
	// Draft is the time of a forward of the draft model by the number of rows, choosing its candidates included.
	Draft Curve `json:"draft"`
	// Project is the time to compute the target's logits of one row, where this is done row by row along the accepted path.
	Project float64 `json:"project,omitempty"`
	// PassBytes is how many bytes a pass reads, or 0 where it is not known. A first prefill may also read what then stays in memory; this tells how much of its time
	// passes will take.
	PassBytes int64 `json:"pass_bytes,omitempty"`
}

// LayerCost is the part of one layer in a pass.
type LayerCost struct {
	// Read is the time until the layer's weights have arrived, once the layer before has; zero if they stay in memory.
	Read Latency `json:"read"`
	// Share is the layer's part of Costs.Compute, relative to the other layers. If all are 0, the parts are equal.
	Share float64 `json:"share,omitempty"`
}

func (c *Costs) check() error {
	if c.Ring < 0 || c.PassBytes < 0 || !(c.Project >= 0) || math.IsInf(c.Project, 0) {
		return fmt.Errorf("ring of %d layers, %d bytes of a pass, projection in %v s", c.Ring, c.PassBytes, c.Project)
	}
	for i, l := range c.Layers {
		if err := l.Read.check(); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		if !(l.Share >= 0) || math.IsInf(l.Share, 0) {
			return fmt.Errorf("layer %d: share %v", i, l.Share)
		}
	}
	if err := c.Compute.check(); err != nil {
		return fmt.Errorf("compute: %w", err)
	}
	if err := c.Draft.check(); err != nil {
		return fmt.Errorf("draft: %w", err)
	}
	return nil
}

// Curve is a time by the number of rows of a batch.
type Curve struct {
	// Points are measurements, in ascending order of rows. Between two of them the time is interpolated, before the first it is
	// the first's, and after the last it rises as between the last two.
	Points []Point `json:"points,omitempty"`
	// Padded means that a batch is padded to the next measured number of rows, as on an NPU with compiled shapes: the time is a
	// step function. More rows than the last point has are done in several batches.
	Padded bool `json:"padded,omitempty"`
}

// Point is one measurement of a [Curve].
type Point struct {
	Rows    int     `json:"rows"`
	Seconds float64 `json:"seconds"`
}

func (c Curve) check() error {
	rows := 0
	for _, p := range c.Points {
		if p.Rows <= rows || !(p.Seconds >= 0) || math.IsInf(p.Seconds, 0) {
			return fmt.Errorf("%d rows in %v s, after %d rows", p.Rows, p.Seconds, rows)
		}
		rows = p.Rows
	}
	return nil
}

// At returns the time of a batch; 0 if there are no rows or no points.
func (c Curve) At(rows int) float64 {
	n := len(c.Points)
	if n == 0 || rows <= 0 {
		return 0
	}
	last := c.Points[n-1]
	if c.Padded {
		batches := (rows - 1) / last.Rows
		return float64(batches)*last.Seconds + c.Points[c.after(rows-batches*last.Rows)].Seconds
	}
	i := c.after(rows)
	switch {
	case i == 0:
		return c.Points[0].Seconds
	case n == 1:
		return last.Seconds * float64(rows) / float64(last.Rows)
	}
	a, b := c.Points[min(i, n-1)-1], c.Points[min(i, n-1)]
	slope := (b.Seconds - a.Seconds) / float64(b.Rows-a.Rows)
	if i == n {
		slope = max(0, slope)
	}
	return b.Seconds + slope*float64(rows-b.Rows)
}

// after returns the index of the first point with at least the given rows.
func (c Curve) after(rows int) int {
	i, _ := slices.BinarySearchFunc(c.Points, rows, func(p Point, rows int) int { return p.Rows - rows })
	return i
}

// Latency is the distribution of a time by its first three moments: enough to tell an upper quantile of a sum of many such
// times, which no quantile of one of them does. With reads in parallel it is the time from one arrival to the next.
type Latency struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation,omitempty"` // standard deviation
	Skewness  float64 `json:"skewness,omitempty"`  // third standardised moment; 0 = symmetric, 2 = exponential
}

// NewLatency returns the moments of samples, of which there should be hundreds where the tail is long.
func NewLatency(samples []float64) (Latency, error) {
	if len(samples) == 0 {
		return Latency{}, errors.New("gaincost: latency: no samples")
	}
	n, mean, second, third := float64(len(samples)), 0.0, 0.0, 0.0
	for _, x := range samples {
		mean += x / n
	}
	for _, x := range samples {
		second += (x - mean) * (x - mean) / n
		third += (x - mean) * (x - mean) * (x - mean) / n
	}
	l := fromCumulants(mean, second, third)
	if err := l.check(); err != nil {
		return Latency{}, fmt.Errorf("gaincost: latency: %w", err)
	}
	return l, nil
}

func (l Latency) check() error {
	if !(l.Mean >= 0 && l.Deviation >= 0) || math.IsInf(l.Mean+l.Deviation, 0) || math.IsNaN(l.Skewness) || math.IsInf(l.Skewness, 0) {
		return fmt.Errorf("read in %v s ± %v, skewness %v", l.Mean, l.Deviation, l.Skewness)
	}
	return nil
}

// fromCumulants is the inverse of cumulants.
func fromCumulants(mean, second, third float64) Latency {
	l := Latency{Mean: mean, Deviation: math.Sqrt(max(0, second))}
	if l.Deviation > 0 {
		l.Skewness = third / (l.Deviation * l.Deviation * l.Deviation)
	}
	return l
}

// cumulants of independent times add up when the times do.
func (l Latency) cumulants() (mean, second, third float64) {
	second = l.Deviation * l.Deviation
	return l.Mean, second, second * l.Deviation * l.Skewness
}

// Times returns the distribution of the sum of n independent times: its deviation grows with the square root of n only, and
// its tail gets thinner, so that a pass of many reads is steadier than each of them.
func (l Latency) Times(n float64) Latency {
	mean, second, third := l.cumulants()
	return fromCumulants(n*mean, n*second, n*third)
}

// Plus returns the distribution of the sum of two independent times.
func (l Latency) Plus(o Latency) Latency {
	m1, s1, t1 := l.cumulants()
	m2, s2, t2 := o.cumulants()
	return fromCumulants(m1+m2, s1+s2, t1+t2)
}

// maxSkewness bounds the skewness for which at is used; with more its cube would no longer rise with z.
const maxSkewness = 3

// Quantile returns the time that is not exceeded with probability q, between 0 and 1.
func (l Latency) Quantile(q float64) float64 {
	return l.at(math.Sqrt2 * math.Erfinv(2*q-1))
}

// at returns the time that belongs to the standard normal deviate z, after Wilson and Hilferty's cube for a gamma distribution
// of the same moments. It is never negative; a tail to the left is taken for none.
func (l Latency) at(z float64) float64 {
	if skew := min(l.Skewness, maxSkewness); skew > 1e-6 {
		base := max(0, 1+skew*z/6-skew*skew/36)
		z = (base*base*base - 1) * 2 / skew
	}
	return max(0, l.Mean+l.Deviation*z)
}

// pipeline is the timing of a target whose layers are read ahead while others are computed, and while the draft model works:
// with ring depth b, reads r and computations c,
//
//	io[i]   = max(io[i-1], comp[i-b]) + r[i]
//	comp[i] = max(io[i], comp[i-1]) + c[i]
//
// where i goes on from one pass to the next, so that a pass starts with up to b layers already read. Between the last layer
// of a pass and the first of the next, the gap, the draft model works and the tokens are chosen.
type pipeline struct {
	reads  []float64 // relative to the sum
	shares []float64 // of computation, summing to 1
	work   []float64 // seconds of computation of the pass in question
	ring   int
	done   []float64 // end of each layer's computation, in the latest pass that computed it
	io     float64   // end of the latest read
}

func newPipeline(c *Costs) *pipeline {
	n := len(c.Layers)
	if n == 0 {
		n = 32
	}
	p := &pipeline{reads: make([]float64, n), shares: make([]float64, n), work: make([]float64, n), done: make([]float64, n), ring: 2}
	if c.Ring > 0 {
		p.ring = c.Ring
	}
	p.ring = min(p.ring, n)
	for i, l := range c.Layers {
		p.reads[i], p.shares[i] = l.Read.Mean, l.Share
	}
	normalise(p.reads)
	normalise(p.shares)
	return p
}

// normalise scales x to a sum of 1; zeros become equal parts.
func normalise(x []float64) {
	total := 0.0
	for _, v := range x {
		total += v
	}
	for i := range x {
		if total > 0 {
			x[i] /= total
		} else {
			x[i] = 1 / float64(len(x))
		}
	}
}

// passTime is the time from pass to pass, as a function of the gap between them.
type passTime struct {
	least float64 // without a gap
	full  float64 // after a gap in which the ring was filled, not counting the gap
}

// after returns the time of a pass with the given gap. A gap is free as long as it ends before the reads do: the time is a
// convex function of it, and these are its two ends.
func (t passTime) after(gap float64) float64 { return max(t.least, t.full+gap) }

// pass returns the time of passes that read and compute for the given times in total, once they have settled.
func (p *pipeline) pass(read, compute float64) passTime {
	p.fill(0, 1, compute)
	return p.settled(read)
}

// layers returns the layers that lie between two parts of all of them.
func (p *pipeline) layers(from, to float64) (first, end int) {
	n := float64(len(p.work))
	return int(from * n), int(to * n)
}

// fill sets the computing of these layers, as if all layers together took the given time.
func (p *pipeline) fill(from, to, compute float64) {
	first, end := p.layers(from, to)
	for i := first; i < end; i++ {
		p.work[i] = compute * p.shares[i]
	}
}

// share returns the share of these layers in all computing.
func (p *pipeline) share(from, to float64) (share float64) {
	first, end := p.layers(from, to)
	for _, part := range p.shares[first:end] {
		share += part
	}
	return share
}

// settled returns the time of passes with the computing that was filled in.
func (p *pipeline) settled(read float64) passTime {
	compute := 0.0
	for _, seconds := range p.work {
		compute += seconds
	}
	if read == 0 {
		return passTime{compute, compute}
	}
	clear(p.done)
	p.io = 0
	full := p.run(p.ring, 0, read)
	// The second pass uses up what the full ring gave the first; the third takes as long as all later ones, except where
	// reading and computing are so even that it takes many passes to settle at their larger one.
	second := p.run(0, full, read)
	third := p.run(0, second, read)
	return passTime{least: max(read, compute, third-second), full: full}
}

// run adds a pass to one that ended at comp, without a gap, and returns its end. The first layers, ahead of them, were read
// before that.
func (p *pipeline) run(ahead int, comp, read float64) float64 {
	io := p.io
	for i, work := range p.work {
		if i >= ahead {
			freed := i - p.ring
			if freed < 0 {
				freed += len(p.done) // in the pass before
			}
			io = later(io, p.done[freed]) + read*p.reads[i]
		}
		comp = later(io, comp) + work
		p.done[i] = comp
	}
	p.io = io
	return comp
}

// later is max without its care for NaN, which takes longer than the rest of the loop.
func later(a, b float64) float64 {
	if a > b {
		return a
	}
	return b
}
