package kernels

import (
	"maps"

	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// weightFormat is what the sets ref and go know of a format of quantised weights. One is a file, block_NAME.go, and a row of formats.
type weightFormat struct {
	tileRef                        // the definition
	matMulGo     table.QuantMatMul // the portable product; if it is zero, unpackGo and matMulUnpackedGo
	unpackGo     func(dst, tile []byte)
	layout       table.Layout                            // what unpackGo writes
	dequantizeGo func(dst []float32, tile []byte, r int) // if it is nil, dequantizeRuns
}

// formats is the table of the formats of quantised weights.
var formats = []*weightFormat{&weightQ4_0, &weightQ8_0, &weightQ4_K, &weightQ5_K, &weightQ6_K, &weightIQ4_NL, &weightMXFP4, &weightQ3_K, &weightIQ4_XS,
	&weightIQ3_S, &weightIQ3_XXS}

// byFormat returns what entry gives for each format.
func byFormat[E any](entry func(f *weightFormat) E) map[tensor.DType]E {
	entries := map[tensor.DType]E{}
	for _, f := range formats {
		entries[f.dtype] = entry(f)
	}
	return entries
}

// unpackersGo are the portable unpackers of the formats that have one.
func unpackersGo() map[tensor.DType]table.Unpacker {
	unpackers := byFormat(func(f *weightFormat) table.Unpacker { return table.Unpacker{Layout: f.layout, Run: f.unpackGo} })
	maps.DeleteFunc(unpackers, func(_ tensor.DType, unpack table.Unpacker) bool { return unpack.Run == nil })
	return unpackers
}

// The entries of the sets ref and go.

func (f *weightFormat) productRef() table.QuantMatMul {
	return table.QuantMatMul{Form: &q8Form, Run: f.matMul}
}
func (f *weightFormat) productGo() table.QuantMatMul {
	if f.unpackGo == nil {
		return f.matMulGo
	}
	product := matMulUnpackedGo[f.layout]
	product.Unpack = table.Unpacker{Layout: f.layout, Run: f.unpackGo}
	return product
}

func (f *weightFormat) rowRef() func(dst []float32, tile []byte, r int) { return f.dequantize }
func (f *weightFormat) rowGo() func(dst []float32, tile []byte, r int) {
	if f.dequantizeGo == nil {
		return f.dequantizeRuns
	}
	return f.dequantizeGo
}
