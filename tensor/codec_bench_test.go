package tensor_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/lever-go/lever/tensor"
)

var allTypes = tensor.Types()

// benchRows×benchCols is a slice of a weight matrix of an 8B model.
const benchRows, benchCols = 64, 4096

func BenchmarkDecode(b *testing.B) {
	for _, d := range allTypes {
		b.Run("fmt="+d.String(), func(b *testing.B) {
			dst, src := make([]float32, benchCols), make([]byte, d.RowBytes(benchCols))
			for i := range src {
				src[i] = byte(i * 37)
			}
			b.SetBytes(int64(4*len(dst) + len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if err := tensor.Decode(dst, src, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, d := range allTypes {
		if !tensor.Encodable(d) {
			continue
		}
		b.Run("fmt="+d.String(), func(b *testing.B) {
			dst, src := make([]byte, d.RowBytes(benchCols)), make([]float32, benchCols)
			for i := range src {
				src[i] = float32(i*7919%1000-500) / 1000
			}
			b.SetBytes(int64(len(dst) + 4*len(src)))
			b.ReportAllocs()
			for b.Loop() {
				if err := tensor.Encode(dst, src, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPack(b *testing.B) {
	for _, d := range allTypes {
		if !tensor.Packable(d) {
			continue
		}
		b.Run(fmt.Sprintf("fmt=%v/rows=%d/cols=%d", d, benchRows, benchCols), func(b *testing.B) {
			src := make([]byte, benchRows*d.RowBytes(benchCols))
			dst := make([]byte, tensor.PackedBytes(d, benchRows, benchCols))
			b.SetBytes(int64(len(src) + len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if err := tensor.Pack(dst, src, d, benchRows, benchCols); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConvert is what conversion of a model does to a matrix: decode its elements, encode them to another type, pack them. MB/s counts the
// source alone, to be compared with the speed of the disk it comes from.
func BenchmarkConvert(b *testing.B) {
	for _, d := range []tensor.DType{tensor.F16, tensor.Q4_0, tensor.Q8_0} {
		b.Run("from=bf16/to="+d.String(), func(b *testing.B) {
			src := make([]byte, benchRows*tensor.BF16.RowBytes(benchCols))
			for i := range benchRows * benchCols {
				binary.LittleEndian.PutUint16(src[2*i:], tensor.F32ToBF16(float32(i*7919%1000-500)/10000))
			}
			row := make([]float32, benchCols)
			plain := make([]byte, benchRows*d.RowBytes(benchCols))
			packed := make([]byte, tensor.PackedBytes(d, benchRows, benchCols))
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				for r := range benchRows {
					from := src[r*tensor.BF16.RowBytes(benchCols):][:tensor.BF16.RowBytes(benchCols)]
					if err := tensor.Decode(row, from, tensor.BF16); err != nil {
						b.Fatal(err)
					}
					if err := tensor.Encode(plain[r*d.RowBytes(benchCols):][:d.RowBytes(benchCols)], row, d); err != nil {
						b.Fatal(err)
					}
				}
				if err := tensor.Pack(packed, plain, d, benchRows, benchCols); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
