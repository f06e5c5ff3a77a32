package tensor_test

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// goldenChecksums are the CRC-32 of what ggml (libggml-base of llama.cpp v0.5.0, November 2026, called through Python's ctypes) decodes
// the blocks of pseudoBlocks to, as little-endian F32.
var goldenChecksums = map[tensor.DType]uint32{
	tensor.Q4_0:    0xf5579469,
	tensor.Q4_1:    0x2d1f4b3f,
	tensor.Q5_0:    0xf782f511,
	tensor.Q5_1:    0xfaea97b3,
	tensor.Q8_0:    0x345146e4,
	tensor.Q2_K:    0x601e30d2,
	tensor.Q3_K:    0x0d14871c,
	tensor.IQ4_XS:  0x76cd9211,
	tensor.IQ3_XXS: 0x002cf8de,
	tensor.IQ3_S:   0xb26ad9e9,
	tensor.Q4_K:    0x789fd644,
	tensor.Q5_K:    0xbb59b8ed,
	tensor.Q6_K:    0x0a2e4a0d,
	tensor.IQ4_NL:  0x3fb9a316,
	tensor.MXFP4:   0xa0b5cbd4,
	tensor.IQ2_XXS: 0x428f4894,
	tensor.IQ2_XS:  0xc049e2e5,
	tensor.IQ2_S:   0xaa414666,
	tensor.IQ1_S:   0xa1302e9a,
	tensor.IQ1_M:   0x52606d7b,
}

// ones is where blocks of a type keep F16 scales d, which pseudoBlocks sets to 1, and dmin or m, which it sets to 1/2. Types without a row have
// d at their start.
var ones = map[tensor.DType]struct{ d, dmin []int }{
	tensor.Q4_1: {[]int{0}, []int{2}}, tensor.Q5_1: {[]int{0}, []int{2}}, tensor.Q4_K: {[]int{0}, []int{2}}, tensor.Q5_K: {[]int{0}, []int{2}},
	tensor.Q2_K: {[]int{80}, []int{82}}, tensor.Q3_K: {[]int{108}, nil}, tensor.Q6_K: {[]int{208}, nil}, tensor.MXFP4: {}, tensor.IQ1_M: {},
}

// pseudoBlocks returns 256 blocks of a type, whose bytes come from a linear congruential generator.
func pseudoBlocks(d tensor.DType) []byte {
	const n = 256
	size := d.BlockBytes()
	blocks := make([]byte, n*size)
	state := uint32(1)
	for i := range blocks {
		state = state*1664525 + 1013904223
		blocks[i] = byte(state >> 24)
	}
	scales, ok := ones[d]
	if !ok {
		scales.d = []int{0}
	}
	for at := 0; at < len(blocks); at += size {
		block := blocks[at:][:size]
		for _, offset := range scales.d {
			binary.LittleEndian.PutUint16(block[offset:], 0x3C00)
		}
		for _, offset := range scales.dmin {
			binary.LittleEndian.PutUint16(block[offset:], 0x3800)
		}
		switch d {
		case tensor.MXFP4:
			block[0] = 120
		case tensor.IQ1_M: // keeps a quarter of the bits of d above each four scales
			for i := range 4 {
				high := &block[48+2*i+1]
				*high = *high&15 | byte(uint16(0x3C00)>>(4*i)&15<<4)
			}
		}
	}
	return blocks
}

func TestDecodeLikeGGML(t *testing.T) {
	for d, want := range goldenChecksums {
		blocks := pseudoBlocks(d)
		values := make([]float32, len(blocks)/d.BlockBytes()*d.BlockElems())
		if err := tensor.Decode(values, blocks, d); err != nil {
			t.Fatal(err)
		}
		var raw []byte
		for _, v := range values {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		if got := crc32.ChecksumIEEE(raw); got != want {
			t.Errorf("%v: the checksum of %d decoded blocks is %#08x, that of ggml's %#08x", d, len(blocks)/d.BlockBytes(), got, want)
		}
	}
}

func TestEveryQuantizedTypeIsGolden(t *testing.T) {
	for _, d := range tensor.Types() {
		_, summed := goldenChecksums[d]
		if d.Quantized() && !summed && !slices.ContainsFunc(goldenBlocks, func(golden goldenBlock) bool { return golden.d == d }) {
			t.Errorf("%v has neither a golden checksum nor a golden block", d)
		}
	}
}
