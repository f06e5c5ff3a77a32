package policies

import (
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
)

// Variant is a policy under the settings that it is compared with.
type Variant struct {
	Name   string `json:"name"`   // as the table shows it: "chain 8"
	Policy string `json:"policy"` // for lever.NewPolicy
	Budget int    `json:"budget"` // most drafted tokens in a pass
}

// The policies that the comparison is about, by name.
var (
	plainName = spec.NoneKind.Name
	leverName = gaincost.LeverKind.Name
	chainName = baseline.ChainKind.Name
)

// ChainLengths are those of the fixed chains that are compared.
var ChainLengths = []int{2, 4, 8, 16}

// Variants returns all policies, each with at most budget drafted tokens in a pass: plain decoding first, lever last.
func Variants(budget int) []Variant {
	all := []Variant{{plainName, plainName, 1}}
	for _, n := range ChainLengths {
		all = append(all, Variant{fmt.Sprintf("chain %d", n), chainName, n})
	}
	for _, name := range lever.PolicyNames() {
		if name != plainName && name != chainName && name != leverName {
			all = append(all, Variant{name, name, budget})
		}
	}
	return append(all, Variant{leverName, leverName, budget})
}

func (c Variant) new() (spec.Policy, error) { return lever.NewPolicy(c.Policy, c.Budget) }
