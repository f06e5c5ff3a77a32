//go:build !purego

package kernels

import (
	"github.com/lever-go/lever/kernels/amd64"
	"github.com/lever-go/lever/kernels/internal/table"
)

func archSets() []table.Kernels { return amd64.Sets() }
