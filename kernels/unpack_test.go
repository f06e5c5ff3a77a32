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

// TestUnpack: every unpacker of a set gives what the portable one does for tiles of random bytes, with scales of every kind, bit for bit, and
// that one gives the values of the format.
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
						checkUnpack(t, d, unpack, portable.Table(), rand.New(rand.NewPCG(seed, 0)))
					}
				})
			}
		}
	}
}

func checkUnpack(t *testing.T, d tensor.DType, unpack table.Unpacker, set *table.Kernels, rng *rand.Rand) {
	t.Helper()
	const guard = 64
	k := d.BlockElems() * (1 + rng.IntN(3))
	data := make([]byte, tensor.TileRows*d.RowBytes(k))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	tile := blocktest.Pack(data, d, tensor.TileRows, k).Data
	portable := set.Unpack[d]
	blockBytes := portable.Layout.BlockBytes()
	size := k / 32 * blockBytes
	got, want := bytes.Repeat([]byte{0xAA}, size+guard), make([]byte, size)
	unpack.Run(got[:size], tile)
	portable.Run(want, tile)
	checkUnpacked(t, got[:size], want, blockBytes, unpack.Layout.Offset())
	if !bytes.Equal(got[size:], bytes.Repeat([]byte{0xAA}, guard)) {
		t.Fatal("bytes beyond the unpacked tile were overwritten")
	}
	values := make([]float32, tensor.TileRows*k)
	if err := tensor.Decode(values, data, d); err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		r, c := i/k, i%k
		block := want[c/32*blockBytes:][:blockBytes]
		q := float32(int8(block[blockBytes-32*tensor.TileRows+c%32/4*4*tensor.TileRows+4*r+c%4]))
		m := float32(0)
		if portable.Layout == table.Minima {
			m = floatAt(block, tensor.TileRows+r)
		}
		if u := float32(floatAt(block, r)*q) - m; !sameBits(u+0, v+0) && math.Abs(float64(v)) < math.MaxFloat32 {
			t.Fatalf("row %d, column %d: unpacked %v, decoded %v", r, c, u, v)
		}
	}
}

// checkUnpacked compares unpacked tiles, got with an offset; NaN scales are the same whatever their bits.
func checkUnpacked(t *testing.T, got, want []byte, blockBytes, offset int) {
	t.Helper()
	for at := 0; at < len(want); at += blockBytes {
		quants := at + blockBytes - 32*tensor.TileRows
		for i := range (quants - at) / 4 {
			if d, w := floatAt(got[at:], i), floatAt(want[at:], i); !sameBits(d, w) {
				t.Fatalf("columns %d…, scale or minimum %d: %v, want %v", at/blockBytes*32, i, d, w)
			}
		}
		for i := range 32 * tensor.TileRows {
			if g, w := int(int8(got[quants+i]))-offset, int(int8(want[quants+i])); g != w {
				t.Fatalf("columns %d…, group %d, row %d: %d, want %d", at/blockBytes*32, i/64, i%64/4, g, w)
			}
		}
	}
}

// floatAt returns the r-th float32.
func floatAt(b []byte, r int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*r:]))
}
