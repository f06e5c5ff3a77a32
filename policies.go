package lever

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
)

// Policies are those that programs offer by name.
var Policies = []spec.PolicyKind{
	gaincost.LeverKind,
	baseline.ChainKind,
	baseline.SpecInferKind,
	baseline.SequoiaKind,
	baseline.OPTTreeKind,
	baseline.EAGLE2Kind,
	baseline.PowerServeKind,
	baseline.PARDKind,
	gaincost.NGramKind,
	spec.NoneKind,
}

// PolicyNames returns the names of [Policies].
func PolicyNames() []string {
	names := make([]string, len(Policies))
	for i, kind := range Policies {
		names[i] = kind.Name
	}
	return names
}

// FindPolicy returns the one of [Policies] that has the name.
func FindPolicy(name string) (spec.PolicyKind, error) {
	i := slices.IndexFunc(Policies, func(kind spec.PolicyKind) bool { return kind.Name == name })
	if i < 0 {
		return spec.PolicyKind{}, fmt.Errorf("lever: no policy %q: choose from %s", name, strings.Join(PolicyNames(), ", "))
	}
	return Policies[i], nil
}

// CheckPolicy reports whether policies of a kind can draft with the engine's models. An error wraps [spec.ErrNoDraft] or [spec.ErrNotParallel].
func (e *Engine) CheckPolicy(kind spec.PolicyKind) error {
	switch {
	case kind.Draft.Required() && e.draft == nil:
		return fmt.Errorf("lever: policy %s: %w", kind.Name, spec.ErrNoDraft)
	case kind.Draft == spec.DraftParallel && e.draft.parallel.Reach < 2:
		return fmt.Errorf("lever: policy %s, draft %s: %w", kind.Name, e.draft.store.Dir(), spec.ErrNotParallel)
	}
	return nil
}

// NewPolicy returns the policy of that name, one of [Policies], set up as its source recommends but for the number of tree
// nodes besides the root, which is at most budget.
func NewPolicy(name string, budget int) (spec.Policy, error) {
	if budget < 1 {
		return nil, fmt.Errorf("lever: policy %s: budget %d is not positive", name, budget)
	}
	kind, err := FindPolicy(name)
	if err != nil {
		return nil, err
	}
	return kind.New(budget)
}
