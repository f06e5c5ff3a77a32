package kernels_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/internal/table"
	"github.com/lever-go/lever/tensor"
)

// TestUnpack: every set unpacks tiles of random bytes, with scales of every kind, as the portable set does, bit for bit, and that gives the
// values of the format.
func TestUnpack(t *testing.T) {
	const guard = 64
	portable, err := kernels.Named("go")
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range kernels.AllSets()[1:] {
		for d, unpack := range set.Table().Unpack {
			t.Run(fmt.Sprintf("fmt=%v/impl=%s", d, set.Name()), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					k := d.BlockElems() * rapid.IntRange(1, 3).Draw(t, "blocks")
					data := rapid.SliceOfN(rapid.Byte(), tensor.TileRows*d.RowBytes(k), tensor.TileRows*d.RowBytes(k)).Draw(t, "data")
					tile := blocktest.Pack(data, d, tensor.TileRows, k).Data
					size := table.UnpackedTileBytes(k)
					got, want := bytes.Repeat([]byte{0xAA}, size+guard), make([]byte, size)
					unpack(got[:size], tile)
					portable.Table().Unpack[d](want, tile)
					checkUnpacked(t, got[:size], want)
					if !bytes.Equal(got[size:], bytes.Repeat([]byte{0xAA}, guard)) {
						t.Fatal("bytes beyond the unpacked tile were overwritten")
					}
					values := make([]float32, tensor.TileRows*k)
					if err := tensor.Decode(values, data, d); err != nil {
						t.Fatal(err)
					}
					for i, v := range values {
						r, c := i/k, i%k
						block := want[c/32*table.UnpackedBlockBytes:]
						q := float32(int8(block[4*tensor.TileRows+c%32/4*4*tensor.TileRows+4*r+c%4]))
						if u := floatAt(block, r) * q; !sameBits(u+0, v+0) && math.Abs(float64(v)) < math.MaxFloat32 {
							t.Fatalf("row %d, column %d: unpacked %v, decoded %v", r, c, u, v)
						}
					}
				})
			})
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
