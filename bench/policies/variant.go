package policies

import (
	"fmt"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
)

// Variant is a policy under the settings that it is compared with.
type Variant struct {
	Name   string `json:"name"`   // as the table shows it: "chain 8"
	Policy string `json:"policy"` // for lever.NewPolicy
	Budget int    `json:"budget"` // most drafted tokens in a pass
	// NoLookup turns off the look-up of the policy lever.
	NoLookup bool `json:"no_lookup,omitempty"`
	// Costs, if not nil, are what the policy lever knows of the machine.
	Costs *gaincost.Costs `json:"-"`
}

// The policies that the comparison is about, by name.
var (
	plainName = spec.NoneKind.Name
	leverName = gaincost.LeverKind.Name
	chainName = baseline.ChainKind.Name
	ngramName = gaincost.NGramKind.Name

	withoutName = "lever, no look-up"
)

// ChainLengths are those of the fixed chains that are compared.
var ChainLengths = []int{2, 4, 8, 16}

// Variants returns all policies that can be used with a draft model, which may predict several tokens at once, each with at most budget drafted tokens in a
// pass: plain decoding first, lever last.
func Variants(budget int, parallel bool) []Variant {
	all := []Variant{plain()}
	for _, n := range ChainLengths {
		all = append(all, chain(n))
	}
	for _, kind := range lever.Policies {
		if name := kind.Name; name != plainName && name != chainName && name != leverName && !leftOut(kind, parallel) {
			all = append(all, Variant{Name: name, Policy: name, Budget: budget})
		}
	}
	return append(all, Variant{Name: leverName, Policy: leverName, Budget: budget})
}

// LeftOut returns the names of the policies that [Variants] lacks, as they need a draft model that predicts several tokens at once.
func LeftOut(parallel bool) (names []string) {
	for _, kind := range lever.Policies {
		if leftOut(kind, parallel) {
			names = append(names, kind.Name)
		}
	}
	return names
}

func leftOut(kind spec.PolicyKind, parallel bool) bool {
	return !parallel && kind.Draft == spec.DraftParallel
}

// SetLeftOut notes in a report which policies are left out, if any are, and why.
func SetLeftOut(out *report.Report, names []string) {
	if len(names) > 0 {
		out.Set("policies left out", strings.Join(names, ", ")+": the draft has no mask token, so it can't predict several tokens at once")
	}
}

// CopyingVariants returns those that show what look-up is worth: plain decoding, chains, look-up alone, and lever without it and with it.
func CopyingVariants(budget int) []Variant {
	return []Variant{
		plain(), chain(4), chain(8),
		{Name: ngramName, Policy: ngramName, Budget: budget},
		{Name: withoutName, Policy: leverName, Budget: budget, NoLookup: true},
		{Name: leverName, Policy: leverName, Budget: budget},
	}
}

func plain() Variant { return Variant{Name: plainName, Policy: plainName, Budget: 1} }

func chain(n int) Variant {
	return Variant{Name: fmt.Sprintf("chain %d", n), Policy: chainName, Budget: n}
}

// New returns the policy, which has learned nothing yet.
func (c Variant) New() (spec.Policy, error) {
	if c.Policy == leverName {
		o := gaincost.LeverOptions{Budget: c.Budget, NoLookup: c.NoLookup}
		if c.Costs != nil {
			o.Costs = *c.Costs
		}
		return gaincost.NewLever(o)
	}
	return lever.NewPolicy(c.Policy, c.Budget)
}
