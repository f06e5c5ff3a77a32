package policies

import (
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
)

// Contender is a policy under the settings that it is compared with.
type Contender struct {
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

// Contenders returns all policies, each with at most budget drafted tokens in a pass: plain decoding first, lever last.
func Contenders(budget int) []Contender {
	all := []Contender{{plainName, plainName, 1}}
	for _, n := range ChainLengths {
		all = append(all, Contender{fmt.Sprintf("chain %d", n), chainName, n})
	}
	for _, name := range lever.PolicyNames() {
		if name != plainName && name != chainName && name != leverName {
			all = append(all, Contender{name, name, budget})
		}
	}
	return append(all, Contender{leverName, leverName, budget})
}

func (c Contender) new() (spec.Policy, error) { return lever.NewPolicy(c.Policy, c.Budget) }
