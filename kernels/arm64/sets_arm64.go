package arm64

import "github.com/lever-go/lever/kernels/internal/table"

// Sets returns the sets that this processor can run, from the plainest to the fastest.
func Sets() []table.Kernels { return nil }
