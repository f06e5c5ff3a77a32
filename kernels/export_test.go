package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// Registry is all sets, for tests that look at the table itself.
func Registry() []table.Kernels { return registry }

// Active is the set in use.
func Active() *table.Kernels { return active }

// Unexported names that tests need.
var (
	SelectFromEnv = selectFromEnv
	Quantized     = (*Input).quantized
	Exp32         = exp32
)

const AttentionKeys = attentionKeys
