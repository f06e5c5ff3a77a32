package tensor

import (
	"fmt"
	"slices"
)

// TileRows is the number of matrix rows that a packed tile interleaves: one 512-bit register of int32 sums,
// four NEON registers, one AMX tile row.
const TileRows = 16

// Packed is a run of rows of a matrix [Rows of all][Cols] in the layout that kernels consume in place.
//
// A matrix of a type that is [Packable] is stored as tiles of [TileRows] rows; the last tile is padded
// with zero rows. A tile is the concatenation of its blocks in column order; in a block, the same field of the 16 rows
// stands together, and element bytes are interleaved in groups of four columns, so that one vector holds four columns of
// many rows. Row r of the tile is called r, columns are relative to the block:
//
//	F16   per column: 16 × f16                                                               (32 B per column)
//	Q4_0, IQ4_NL
//	      16 × f16 d; for j in 0..3: for r: 4 bytes, byte i = q[4j+i] | q[16+4j+i]<<4          (288 B per 32 columns)
//	MXFP4 16 × byte e; for j in 0..3: for r: 4 bytes as above                                  (272 B per 32 columns)
//	Q8_0  16 × f16 d; for j in 0..7: for r: 4 × int8 q[4j..4j+3]                               (544 B per 32 columns)
//	Q4_K  16 × f16 d; 16 × f16 dmin; for i in 0..11: 16 × scales[i];
//	      for j in 0..31: for r: 4 bytes qs[4j..4j+3]                                          (2304 B per 256 columns)
//	Q5_K  16 × f16 d; 16 × f16 dmin; for i in 0..11: 16 × scales[i]; for j in 0..31: for r: 4 bytes qs[4j..4j+3];
//	      for j in 0..7: for r: 4 bytes qh[4j..4j+3]                                           (2816 B per 256 columns)
//	Q6_K  16 × f16 d; for i in 0..15: 16 × int8 scales[i]; for j in 0..31: for r: 4 bytes ql[4j..4j+3];
//	      for j in 0..15: for r: 4 bytes qh[4j..4j+3]                                          (3360 B per 256 columns)
//	Q3_K  16 × f16 d; for i in 0..11: 16 × scales[i]; for j in 0..15: for r: 4 bytes qs[4j..4j+3];
//	      for j in 0..7: for r: 4 bytes hmask[4j..4j+3]                                        (1760 B per 256 columns)
//	IQ4_XS
//	      16 × f16 d; for i in 0..1: 16 × scales_h[i]; for i in 0..3: 16 × scales_l[i];
//	      for j in 0..31: for r: 4 bytes qs[4j..4j+3]                                          (2176 B per 256 columns)
//	IQ3_S 16 × f16 d; for i in 0..3: 16 × scales[i]; for i in 0..7: 16 × qh[i]; for i in 0..31: 16 × signs[i];
//	      for i in 0..63: 16 × qs[i]                                                           (1760 B per 256 columns)
//	IQ3_XXS
//	      16 × f16 d; for i in 0..63: 16 × qs[i]; for j in 0..7: for r: 4 bytes signs[4j..4j+3] (1568 B per 256 columns)
//
// where d, e, dmin, scales, qs, ql, qh, hmask, signs are the fields of the row's own block in its GGUF form (see [DType.Fields]): packing permutes
// bytes and loses nothing. A vector (norm gain) is F32, has one row and is stored plainly. Multi-byte values are little-endian.
type Packed struct {
	Type DType
	Row  int // index of the first row; a multiple of TileRows
	Rows int // rows held, not counting padding
	Cols int // a multiple of Type.BlockElems()
	Data []byte
}

// TileBytes returns the size of one tile of [TileRows] rows of cols columns of a packable type.
func TileBytes(d DType, cols int) int { return TileRows * d.RowBytes(cols) }

// PackedBytes returns the size of rows rows of cols columns in packed form.
func PackedBytes(d DType, rows, cols int) int {
	if d == F32 {
		return rows * d.RowBytes(cols)
	}
	return (rows + TileRows - 1) / TileRows * TileBytes(d, cols)
}

// Packable reports whether matrices of type d have a packed form that kernels consume.
func Packable(d DType) bool { return d.valid() && formats[d].fields != nil }

// PackableTypes returns the types of which [Packable] is true.
func PackableTypes() []DType {
	return slices.DeleteFunc(Types(), func(d DType) bool { return !Packable(d) })
}

// Check reports an inconsistency between the fields of p, such as data of the wrong size.
func (p Packed) Check() error {
	if err := p.checkShape(); err != nil {
		return fmt.Errorf("tensor: %w", err)
	}
	if want := PackedBytes(p.Type, p.Rows, p.Cols); len(p.Data) != want {
		return fmt.Errorf("tensor: %w: packed %v [%d %d] needs %d bytes, got %d", ErrShape, p.Type, p.Rows, p.Cols, want, len(p.Data))
	}
	return nil
}

// checkShape checks everything but the data.
func (p Packed) checkShape() error {
	switch {
	case !Packable(p.Type) && !(p.Type == F32 && p.Rows == 1):
		return fmt.Errorf("%w: %v matrix [%d %d] has no packed form; convert it to F16 or a quantised type", ErrType, p.Type, p.Rows, p.Cols)
	case p.Rows <= 0 || p.Cols <= 0 || p.Row < 0 || p.Row%TileRows != 0 || p.Cols%p.Type.BlockElems() != 0:
		return fmt.Errorf("%w: packed %v rows %d..%d × %d columns", ErrShape, p.Type, p.Row, p.Row+p.Rows, p.Cols)
	}
	return nil
}

// Slice returns rows row0 up to but not including row1 of p, counted within p, as a view of the same data. row0 must begin a tile;
// where row1 ends inside one, the tile's other rows stay in the data in place of zero padding. As with Go's own slices,
// bounds that are not 0 ≤ row0 < row1 ≤ p.Rows are a mistake of the caller and panic.
func (p Packed) Slice(row0, row1 int) Packed {
	if row0 < 0 || row0 >= row1 || row1 > p.Rows || row0%TileRows != 0 {
		panic(fmt.Sprintf("tensor: Packed.Slice: rows %d..%d of %v [%d %d] in tiles of %d", row0, row1, p.Type, p.Rows, p.Cols, TileRows))
	}
	from := PackedBytes(p.Type, row0, p.Cols)
	to := PackedBytes(p.Type, row1, p.Cols)
	return Packed{Type: p.Type, Row: p.Row + row0, Rows: row1 - row0, Cols: p.Cols, Data: p.Data[from:to:to]}
}
