package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// Registry is the tables of all sets.
func Registry() []table.Kernels {
	var tables []table.Kernels
	for _, s := range registry {
		tables = append(tables, s.k)
	}
	return tables
}

// AllSets is what Sets names.
func AllSets() []*Set { return registry }

// Table is the inner kernels of a set.
func (s *Set) Table() *table.Kernels { return &s.k }

// Unexported names that tests need.
var (
	ChooseDefault = chooseDefault
	Quantized     = (*Input).quantized
	Exp32         = exp32
)

const (
	AttentionKeys = attentionKeys
	MaxForms      = maxForms
)
