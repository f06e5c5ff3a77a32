//go:build !purego

package kernels

import (
	"github.com/lever-go/lever/kernels/arm64"
	"github.com/lever-go/lever/kernels/internal/table"
)

func archSets() []table.Kernels { return arm64.Sets() }
