package kernels

import "github.com/lever-go/lever/kernels/internal/table"

// goSet is the portable implementation that is tuned; what it lacks it takes from the definition.
var goSet = table.Kernels{Name: "go"}
