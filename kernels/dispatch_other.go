//go:build purego || !(arm64 || amd64)

package kernels

import "github.com/lever-go/lever/kernels/internal/table"

func archSets() []table.Kernels { return nil }
