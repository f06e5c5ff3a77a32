package lever

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
)

// PolicyNames are the names that [NewPolicy] knows.
var PolicyNames = []string{"lever", "chain", "specinfer", "sequoia", "opttree", "eagle2", "powerserve", "ngram", "none"}

// NewPolicy returns the policy of that name, one of [PolicyNames], set up as its source recommends but for the number of tree
// nodes besides the root, which is at most budget.
func NewPolicy(name string, budget int) (spec.Policy, error) {
	if budget < 1 {
		return nil, fmt.Errorf("lever: policy %s: budget %d is not positive", name, budget)
	}
	switch name {
	case "lever":
		return gaincost.NewLever(gaincost.LeverOptions{Nodes: budget})
	case "chain":
		return baseline.NewChain(budget, 0)
	case "specinfer":
		return baseline.NewSpecInfer(baseline.SpecInferOptions{Widths: baseline.SpecInferWidths(budget)})
	case "sequoia":
		return baseline.NewSequoia(baseline.SequoiaOptions{Nodes: budget})
	case "opttree":
		return baseline.NewOPTTree(baseline.OPTTreeOptions{Nodes: budget})
	case "eagle2":
		return baseline.NewEAGLE2(baseline.EAGLE2Options{Nodes: budget})
	case "ngram":
		return gaincost.NewNGram(gaincost.NGramOptions{Nodes: budget})
	case "powerserve":
		return baseline.NewPowerServe(baseline.PowerServeOptions{Nodes: budget})
	case "none":
		return spec.None{}, nil
	}
	return nil, fmt.Errorf("lever: no policy %q: choose from %s", name, strings.Join(PolicyNames, ", "))
}
