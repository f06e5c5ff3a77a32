package kernels_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

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
			if at := reflect.ValueOf(unpack).Pointer(); !tested[at] {
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

func checkUnpack(t *testing.T, d tensor.DType, unpack func(dst, tile []byte), set *table.Kernels, rng *rand.Rand) {
	t.Helper()
	const guard = 64
	k := d.BlockElems() * (1 + rng.IntN(3))
	data := make([]byte, tensor.TileRows*d.RowBytes(k))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	tile := blocktest.Pack(data, d, tensor.TileRows, k).Data
	size := table.UnpackedTileBytes(k)
	got, want := bytes.Repeat([]byte{0xAA}, size+guard), make([]byte, size)
	unpack(got[:size], tile)
	set.Unpack[d](want, tile)
	checkUnpacked(t, got[:size], want)
	if !bytes.Equal(got[size:], bytes.Repeat([]byte{0xAA}, guard)) {
		t.Fatal("bytes beyond the unpacked tile were overwritten")
	}
	values := make([]float32, tensor.TileRows*k)
	if err := tensor.Decode(values, data, d); err != nil {
		t.Fatal(err)
	}
	minima := make([]float32, tensor.TileRows*k/32)
	if f := set.MatMul[d].Minima; f != nil {
		f(minima, tile)
	}
	for i, v := range values {
		r, c := i/k, i%k
		block := want[c/32*table.UnpackedBlockBytes:]
		q := float32(int8(block[4*tensor.TileRows+c%32/4*4*tensor.TileRows+4*r+c%4]))
		if u := float32(floatAt(block, r)*q) - minima[i/32]; !sameBits(u+0, v+0) && math.Abs(float64(v)) < math.MaxFloat32 {
			t.Fatalf("row %d, column %d: unpacked %v, decoded %v", r, c, u, v)
		}
	}
}

// checkUnpacked compares unpacked tiles; NaN scales are the same whatever their bits.
func checkUnpacked(t rapid.TB, got, want []byte) {
	t.Helper()
	for at := 0; at < len(want); at += table.UnpackedBlockBytes {
		for r := range tensor.TileRows {
			if d, w := floatAt(got[at:], r), floatAt(want[at:], r); !sameBits(d, w) {
				t.Fatalf("columns %d…, row %d: scale %v, want %v", at/table.UnpackedBlockBytes*32, r, d, w)
			}
		}
		from, to := at+4*tensor.TileRows, at+table.UnpackedBlockBytes
		for i := from; i < to; i++ {
			if got[i] != want[i] {
				t.Fatalf("columns %d…, group %d, row %d: %d, want %d", at/table.UnpackedBlockBytes*32, (i-from)/64, (i-from)%64/4, int8(got[i]), int8(want[i]))
			}
		}
	}
}

// floatAt returns the r-th float32.
func floatAt(b []byte, r int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*r:]))
}
