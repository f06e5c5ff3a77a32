package simulate

import (
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
)

// Work is what a pass over a target and the drafting before it take, each alone.
type Work struct {
	Bytes     float64 // read
	Computing float64 // seconds
	Drafting  float64 // seconds
}

// PassSeconds returns the mean time of passes of the same work, one after the other. Reads go on beside drafting and computing, as many at once as the plan
// has, as far as its ring has room; what is computed is as far as what has been read.
func PassSeconds(flash *flashsim.Profile, plan weights.Plan, w Work) float64 {
	each := float64(plan.ReadSize * plan.Depth)
	steps := max(1, int(w.Bytes/each)) // of a pass: reads that are under way together
	h := &hardware{
		layers: steps, ring: min(steps, max(1, int(float64(plan.Ring)/each))),
		read:    reads(flash, w.Bytes/float64(steps), float64(plan.ReadSize)),
		compute: gaincost.Curve{Points: []gaincost.Point{{Rows: 1, Seconds: w.Computing}}},
	}
	return h.steady(1, w.Drafting)
}
