package kernels_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// TestUnpack: every unpacker of a set gives the elements that the portable one does for tiles of random bytes, with scales of every kind, bit for
// bit, and that one gives the values of the format.
func TestUnpack(t *testing.T) {
	portable, err := kernels.Named("go")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[uintptr]bool{} // inherited ones need no second test
	for _, set := range kernels.AllSets()[1:] {
		for d, unpack := range set.Table().Unpack {
			if at := reflect.ValueOf(unpack.Run).Pointer(); !tested[at] {
				tested[at] = true
				t.Run(fmt.Sprintf("fmt=%v/impl=%s", d, set.Name()), func(t *testing.T) {
					for seed := range uint64(30) {
						checkUnpack(t, d, unpack, portable.Table().Unpack[d], rand.New(rand.NewPCG(seed, 0)))
					}
				})
			}
		}
	}
}

func checkUnpack(t *testing.T, d tensor.DType, unpack table.Unpacker, portable table.Unpacker, rng *rand.Rand) {
	t.Helper()
	const guard = 64
	k := d.BlockElems() * (1 + rng.IntN(3))
	data := make([]byte, tensor.TileRows*d.RowBytes(k))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	tile := blocktest.Pack(data, d, tensor.TileRows, k).Data
	size := k / 32 * unpack.Layout.BlockBytes()
	got, want := bytes.Repeat([]byte{0xAA}, size+guard), make([]byte, k/32*portable.Layout.BlockBytes())
	unpack.Run(got[:size], tile)
	portable.Run(want, tile)
	if !bytes.Equal(got[size:], bytes.Repeat([]byte{0xAA}, guard)) {
		t.Fatal("bytes beyond the unpacked tile were overwritten")
	}
	values := make([]float32, tensor.TileRows*k)
	if err := tensor.Decode(values, data, d); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		r, c := i/k, i%k
		g, w := unpacked(unpack.Layout, got, r, c), unpacked(portable.Layout, want, r, c)
		if !sameBits(g, w) {
			t.Fatalf("row %d, column %d: unpacked %v, by the portable set %v", r, c, g, w)
		}
		if !sameBits(w, v+0) && math.Abs(float64(v)) < math.MaxFloat32 {
			t.Fatalf("row %d, column %d: unpacked %v, decoded %v", r, c, w, v)
		}
	}
}

// unpacked returns an element of an unpacked tile, 0 for -0.
func unpacked(layout table.Layout, tile []byte, r, c int) float32 {
	const floats, quants = 4 * tensor.TileRows, 32 * tensor.TileRows
	block := tile[c/32*layout.BlockBytes():][:layout.BlockBytes()]
	at := c%32/4*4*tensor.TileRows + 4*r + c%4
	q := int(int8(block[len(block)-quants+at]))
	d, m := floatAt(block, r), float32(0)
	switch layout {
	case table.Masked:
		mask := q
		if q = int(block[2*floats+at]); mask != 0 {
			q = -q
		}
	case table.Minima:
		m = floatAt(block, tensor.TileRows+r)
	case table.MinimaPairs:
		d, m = floatAt(block, 2*r), floatAt(block, 2*tensor.TileRows+2*r)
		if !sameBits(d, floatAt(block, 2*r+1)) || !sameBits(m, floatAt(block, 2*tensor.TileRows+2*r+1)) {
			panic("a scale or a minimum stands there twice")
		}
		q = int(block[4*floats+c%32/8*8*tensor.TileRows+8*r+c%8])
	case table.Offset16:
		q -= 16
	case table.Offset32:
		q -= 32
	case table.Runs:
		factors := block[floats+c%32/16*floats+4*r:]
		f := int16(binary.LittleEndian.Uint16(factors))
		if f != int16(binary.LittleEndian.Uint16(factors[2:])) {
			panic("the factor of a run stands there twice")
		}
		q = int(f) * (4 - q)
	}
	return float32(d*float32(q)) - m + 0
}

// floatAt returns the r-th float32.
func floatAt(b []byte, r int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*r:]))
}
