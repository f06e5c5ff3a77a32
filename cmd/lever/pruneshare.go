package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec/earlyexit"
)

// pruneShare is the value of --prune.
type pruneShare struct {
	share float64 // as lever.Config takes it
	given bool
}

// String returns what was given.
func (p *pruneShare) String() string {
	switch p.share {
	case lever.PruneAuto:
		return "auto"
	case lever.PruneOff:
		return "off"
	}
	return strconv.FormatFloat(p.share, 'g', -1, 64)
}

// Type names the value in help texts.
func (*pruneShare) Type() string { return "auto|off|share" }

// Set parses what was given. A share of 0 is off.
func (p *pruneShare) Set(text string) error {
	p.given = true
	switch text {
	case "auto":
		p.share = lever.PruneAuto
		return nil
	case "off":
		p.share = lever.PruneOff
		return nil
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		return fmt.Errorf("%q is neither auto nor off nor a share from 0 to 1", text)
	}
	if p.share = share; share == 0 {
		p.share = lever.PruneOff
	}
	return nil
}

// noteUnpruned says why nothing is pruned where somebody expects that it is: who asked for it, or has a predictor, which can't be used, for a
// policy that asks one by itself.
func (f *modelFlags) noteUnpruned(w io.Writer, engine *lever.Engine) {
	kind, err := f.policyKind(engine)
	if err != nil || f.prune.share == lever.PruneOff {
		return
	}
	policy, err := kind.New(1)
	if err != nil {
		return
	}
	_, asks := policy.(earlyexit.Pricer)
	_, damaged := engine.Predictors()
	if why := engine.NoPruning(policy); why != "" && (f.prune.given || asks && damaged != nil) {
		fmt.Fprintf(w, "lever: pruning is off: %s\n", why)
	}
}
