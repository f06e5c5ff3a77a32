package profile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
)

// PassReads says what a pass over the target reads.
type PassReads struct {
	// Blocks are the bytes that are streamed of each block; if empty, none are streamed.
	Blocks []int64
	// Head is the number of bytes that are streamed of the output matrix. If there are any, logits are computed for a whole tree at once.
	Head int64
	// Ring is the number of bytes that the read buffers hold; if zero, those of two layers.
	Ring int64
	// Position is the length of the text for which attention is counted.
	Position int
}

// PassReadsOf returns what a streamer with the plan p reads, at the start of a text. The chunks of a store are the embedding,
// the blocks, and the head; what is streamed of the first and the last is for the head. Experts are left out: what a pass reads of them depends
// on its rows.
func PassReadsOf(p weights.Plan) PassReads {
	plan, last := PassReads{Ring: p.Ring}, len(p.Chunks)-1
	plan.Head = p.Streamed
	for _, c := range p.Chunks[1:last] {
		streamed := c.Bytes - c.Pinned - c.Experts
		plan.Blocks = append(plan.Blocks, streamed)
		plan.Head -= streamed
	}
	return plan
}

// Costs returns what the cost model of package spec starts from. Without a draft its part is empty.
func (p *Profile) Costs(plan PassReads) (gaincost.Costs, error) {
	t := p.Target
	if t == nil {
		return gaincost.Costs{}, errors.New("profile: no target was measured")
	}
	if len(plan.Blocks) != 0 && len(plan.Blocks) != t.Blocks {
		return gaincost.Costs{}, fmt.Errorf("profile: a plan of %d blocks for %s, which has %d", len(plan.Blocks), t.Name, t.Blocks)
	}
	if plan.Head < 0 || plan.Ring < 0 || plan.Position < 0 || slices.ContainsFunc(plan.Blocks, func(n int64) bool { return n < 0 }) {
		return gaincost.Costs{}, errors.New("profile: a plan with negative sizes")
	}
	costs := gaincost.Costs{Compute: t.blocks(plan.Position)}
	for i := range t.Blocks {
		layer := gaincost.LayerCost{Share: 1}
		if len(plan.Blocks) > 0 {
			layer.Read = p.Flash.read(plan.Blocks[i])
		}
		costs.Layers = append(costs.Layers, layer)
	}
	if plan.Head > 0 {
		costs.Layers = append(costs.Layers, gaincost.LayerCost{
			Read: p.Flash.read(plan.Head), Share: t.Projection[0].Seconds / t.Block[0].Seconds,
		})
		costs.Compute = plus(costs.Compute, gaincost.Curve{Points: t.Projection})
	} else {
		costs.Project = t.Projection[0].Seconds
	}
	costs.Ring = ringLayers(plan)
	if p.Draft != nil {
		costs.Draft = plus(p.Draft.blocks(plan.Position), gaincost.Curve{Points: p.Draft.Projection})
	}
	return costs, nil
}

// ringLayers returns how many layers of mean size the ring holds; 0 if it is not known.
func ringLayers(plan PassReads) int {
	streamed, layers := plan.Head, int64(min(plan.Head, 1))
	for _, n := range plan.Blocks {
		if n > 0 {
			streamed, layers = streamed+n, layers+1
		}
	}
	if plan.Ring == 0 || layers == 0 {
		return 0
	}
	return int(max(1, plan.Ring*layers/streamed))
}

// read returns the time to read a number of bytes with the best size and depth, while nothing else is read.
func (f *Flash) read(bytes int64) gaincost.Latency {
	best := f.Best()
	return best.Arrival.Times(float64(bytes) / float64(best.Size))
}

// blocks returns the time of all blocks after a text of the given length.
func (m *ModelTimes) blocks(position int) gaincost.Curve {
	var c gaincost.Curve
	for _, at := range m.Block {
		one := at.Seconds + m.Attention*float64(position)*float64(at.Rows)
		c.Points = append(c.Points, gaincost.Point{Rows: at.Rows, Seconds: float64(m.Blocks) * one})
	}
	return c
}

// plus returns the sum of two curves, at the points of the first.
func plus(a, b gaincost.Curve) gaincost.Curve {
	sum := gaincost.Curve{Points: slices.Clone(a.Points)}
	for i := range sum.Points {
		sum.Points[i].Seconds += b.At(sum.Points[i].Rows)
	}
	return sum
}
