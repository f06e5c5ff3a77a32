package profile_test

import (
	"fmt"

	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec/gaincost"
)

// What passes cost by a profile; [profile.Load] reads one, [profile.Measure] makes one.
func ExampleProfile_Costs() {
	p := profile.Profile{Target: &profile.ModelTimes{
		Blocks:     2,
		Block:      []gaincost.Point{{Rows: 1, Seconds: 0.010}, {Rows: 8, Seconds: 0.017}},
		Projection: []gaincost.Point{{Rows: 1, Seconds: 0.005}},
	}}
	costs, err := p.Costs(profile.PassReads{}) // all in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("blocks of one row: %.0f ms, of 8: %.0f ms; logits of a row: %.0f ms\n",
		1e3*costs.Compute.At(1), 1e3*costs.Compute.At(8), 1e3*costs.Project)
	// Output: blocks of one row: 20 ms, of 8: 34 ms; logits of a row: 5 ms
}
