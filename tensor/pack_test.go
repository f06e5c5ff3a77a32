package tensor_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
	"pgregory.net/rapid"
)

// packedAt returns the bytes of row r of the tile of one block at the start of packed, in GGUF order, found with nothing but the
// table in the documentation of Packed.
func packedAt(packed []byte, d tensor.DType, r int) []byte {
	block := make([]byte, d.BlockBytes())
	at := 0
	for _, g := range goldenLayouts[d] {
		for i := range g.n { // groups of 16 units, of which the r-th is ours
			copy(block[g.offset+i*g.unit:][:g.unit], packed[at+r*g.unit:])
			at += 16 * g.unit
		}
	}
	return block
}

func TestPackMatchesDocumentedLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(tensor.PackableTypes()).Draw(t, "type")
		rows := rapid.IntRange(1, 50).Draw(t, "rows")
		blocks := rapid.IntRange(1, 70/d.BlockElems()+3).Draw(t, "blocks")
		cols := blocks * d.BlockElems()
		src := make([]byte, rows*d.RowBytes(cols))
		seed := rapid.Uint32().Draw(t, "seed")
		fill(src, seed)
		packed := bytes.Repeat([]byte{0xAA}, tensor.PackedBytes(d, rows, cols))
		if err := tensor.Pack(packed, src, d, rows, cols); err != nil {
			t.Fatal(err)
		}
		zero := make([]byte, d.BlockBytes())
		for r := range (rows + 15) / 16 * 16 {
			for b := range blocks {
				want := zero
				if r < rows {
					want = src[r*d.RowBytes(cols)+b*d.BlockBytes():][:d.BlockBytes()]
				}
				tile := packed[r/16*tensor.TileBytes(d, cols)+b*16*d.BlockBytes():]
				if got := packedAt(tile, d, r%16); !bytes.Equal(got, want) {
					t.Fatalf("%v row %d block %d: got %x, want %x", d, r, b, got, want)
				}
			}
		}
		back := make([]byte, len(src))
		if err := tensor.Unpack(back, packed, d, rows, cols); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back, src) {
			t.Fatalf("%v [%d %d]: unpacking does not restore the matrix", d, rows, cols)
		}
	})
}

func TestPackVectorIsCopied(t *testing.T) {
	src := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	dst := make([]byte, 8)
	if err := tensor.Pack(dst, src, tensor.F32, 1, 2); err != nil || !bytes.Equal(dst, src) {
		t.Fatalf("got %v, %v", dst, err)
	}
	clear(dst)
	if err := tensor.Unpack(dst, src, tensor.F32, 1, 2); err != nil || !bytes.Equal(dst, src) {
		t.Fatalf("got %v, %v", dst, err)
	}
}

func TestPackErrors(t *testing.T) {
	tests := []struct {
		name             string
		dst, src         int
		d                tensor.DType
		rows, cols       int
		wantPart         string
		alsoTextOfShapes string
	}{
		{"no packed form", 32, 32, tensor.BF16, 4, 4, "no packed form", "[4 4]"},
		{"F32 matrix", 32, 32, tensor.F32, 2, 4, "no packed form", "[2 4]"},
		{"invalid type", 32, 32, tensor.DType(77), 2, 4, "dtype(77)", "[2 4]"},
		{"part of a block", 16 * 18, 18, tensor.Q4_0, 1, 33, "shapes do not fit: packed", "33 columns"},
		{"no rows", 0, 0, tensor.F16, 0, 4, "shapes do not fit: packed", "4 columns"},
		{"short source", 16 * 18, 17, tensor.Q4_0, 1, 32, "rows of 18 bytes", "got 17 and 288"},
		{"short target", 16*18 - 1, 18, tensor.Q4_0, 1, 32, "288 packed bytes", "got 18 and 287"},
		{"overflowing shape", 0, 0, tensor.F16, 1 << 62, 8, "takes rows of 16 bytes", "got 0 and 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := tensor.Pack(make([]byte, test.dst), make([]byte, test.src), test.d, test.rows, test.cols)
			if !isNamed(err) || !strings.Contains(err.Error(), test.wantPart) || !strings.Contains(err.Error(), test.alsoTextOfShapes) {
				t.Fatalf("got %v, want text %q and %q", err, test.wantPart, test.alsoTextOfShapes)
			}
			if err := tensor.Unpack(make([]byte, test.src), make([]byte, test.dst), test.d, test.rows, test.cols); err == nil {
				t.Fatal("Unpack accepts what Pack refuses")
			}
		})
	}
}

func TestPackedSlice(t *testing.T) {
	const rows, cols = 40, 64
	src := make([]byte, rows*tensor.Q8_0.RowBytes(cols))
	fill(src, 1)
	p := tensor.Packed{Type: tensor.Q8_0, Row: 32, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, rows, cols))}
	if err := tensor.Pack(p.Data, src, p.Type, rows, cols); err != nil {
		t.Fatal(err)
	}
	for _, bounds := range [][2]int{{0, 40}, {16, 40}, {16, 32}, {32, 40}, {0, 5}, {16, 33}} {
		s := p.Slice(bounds[0], bounds[1])
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		if s.Row != 32+bounds[0] || s.Rows != bounds[1]-bounds[0] {
			t.Fatalf("%v: got rows %d + %d", bounds, s.Row, s.Rows)
		}
		back := make([]byte, s.Rows*tensor.Q8_0.RowBytes(cols))
		if err := tensor.Unpack(back, s.Data, s.Type, s.Rows, s.Cols); err != nil {
			t.Fatal(err)
		}
		if want := src[bounds[0]*tensor.Q8_0.RowBytes(cols):][:len(back)]; !bytes.Equal(back, want) {
			t.Fatalf("%v: other rows than those of the matrix", bounds)
		}
	}
	for _, bounds := range [][2]int{{8, 16}, {-16, 16}, {16, 16}, {32, 16}, {0, 41}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Slice(%d, %d) of %d rows does not panic", bounds[0], bounds[1], rows)
				}
			}()
			p.Slice(bounds[0], bounds[1])
		}()
	}
}

func TestPackedCheck(t *testing.T) {
	good := tensor.Packed{Type: tensor.F16, Rows: 3, Cols: 5, Data: make([]byte, 160)}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []tensor.Packed{
		{Type: tensor.F16, Rows: 3, Cols: 5, Data: make([]byte, 159)},
		{Type: tensor.F16, Row: 4, Rows: 3, Cols: 5, Data: make([]byte, 160)},
		{Type: tensor.Q4_1, Rows: 1, Cols: 256, Data: make([]byte, 16*160)},
		{},
	} {
		if bad.Check() == nil {
			t.Errorf("%v rows %d+%d cols %d passes", bad.Type, bad.Row, bad.Rows, bad.Cols)
		}
	}
}

func FuzzPackUnpack(f *testing.F) {
	f.Add(uint8(tensor.F16), uint8(1), uint8(1), []byte("x"))
	f.Add(uint8(tensor.Q4_0), uint8(17), uint8(2), []byte("lever"))
	f.Add(uint8(tensor.Q6_K), uint8(16), uint8(1), []byte{0xFF, 0})
	f.Fuzz(func(t *testing.T, kind, rows, blocks uint8, pattern []byte) {
		d := tensor.DType(kind)
		if !tensor.Packable(d) || rows == 0 || blocks == 0 || len(pattern) == 0 {
			return
		}
		cols := int(blocks) * d.BlockElems()
		size := int(rows) * d.RowBytes(cols)
		src := bytes.Repeat(pattern, size/len(pattern)+1)[:size]
		packed, back := make([]byte, tensor.PackedBytes(d, int(rows), cols)), make([]byte, size)
		if err := tensor.Pack(packed, src, d, int(rows), cols); err != nil {
			t.Fatal(err)
		}
		if err := tensor.Unpack(back, packed, d, int(rows), cols); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(src, back) {
			t.Fatalf("%v [%d %d]: unpacking does not restore the matrix", d, rows, cols)
		}
	})
}

// fill writes a sequence of bytes that depends on seed alone (xorshift32).
func fill(b []byte, seed uint32) {
	x := seed | 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x >> 8)
	}
}
