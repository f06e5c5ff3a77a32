package tensor

import (
	"encoding/binary"
	"fmt"
)

// f16Strip is the number of bytes of a row that are packed at a time where the format has no blocks.
const f16Strip = 64

var f16Fields = []Field{{Size: f16Strip, Unit: 2}}

// Pack rearranges a matrix [rows][cols] of type d from its row-major form (for block types: blocks as in GGUF) into the layout that
// [Packed] describes, padding the last tile with zeros. len(src) must be rows·d.RowBytes(cols) and len(dst)
// PackedBytes(d, rows, cols); they must not overlap. An F32 vector (rows = 1) is copied. To pack a large matrix piece by
// piece, cut it at multiples of [TileRows]. Safe for concurrent use on disjoint dst.
func Pack(dst, src []byte, d DType, rows, cols int) error {
	if err := checkPack("pack", len(dst), len(src), d, rows, cols); err != nil {
		return err
	}
	if d == F32 {
		copy(dst, src)
		return nil
	}
	if pad := rows % TileRows; pad != 0 {
		clear(dst[len(dst)-TileBytes(d, cols):])
	}
	moveTiles(dst, src, d, cols, interleave)
	return nil
}

// Unpack is the inverse of [Pack]: it turns the packed src into the row-major dst, dropping the padding.
func Unpack(dst, src []byte, d DType, rows, cols int) error {
	if err := checkPack("unpack", len(src), len(dst), d, rows, cols); err != nil {
		return err
	}
	if d == F32 {
		copy(dst, src)
		return nil
	}
	moveTiles(src, dst, d, cols, deinterleave)
	return nil
}

// checkPack checks the sizes in bytes of the packed and of the plain form.
func checkPack(op string, packed, plain int, d DType, rows, cols int) error {
	p := Packed{Type: d, Rows: rows, Cols: cols}
	if err := p.checkShape(); err != nil {
		return fmt.Errorf("tensor: %s: %w", op, err)
	}
	// The product is compared by division, so that an absurd shape cannot overflow into the right size.
	if row := d.RowBytes(cols); plain/row != rows || plain%row != 0 || packed != PackedBytes(d, rows, cols) {
		return fmt.Errorf("tensor: %s: %w: %v [%d %d] takes rows of %d bytes and %d packed bytes in all, got %d and %d",
			op, ErrShape, d, rows, cols, row, PackedBytes(d, rows, cols), plain, packed)
	}
	return nil
}

// moveTiles calls move for each field of each row of each block; plain holds whole rows, packed the tiles that they belong to.
func moveTiles(packed, plain []byte, d DType, cols int, move func(packed, plain []byte, unit, r int)) {
	rowBytes := d.RowBytes(cols)
	strip, fields := d.BlockBytes(), formats[d].fields
	if d == F16 {
		strip, fields = f16Strip, f16Fields
	}
	for len(plain) > 0 {
		rows := min(TileRows, len(plain)/rowBytes)
		for at := 0; at < rowBytes; at += strip {
			end := min(at+strip, rowBytes)
			for r := range rows {
				block := plain[r*rowBytes+at : r*rowBytes+end]
				tile := packed[at*TileRows : end*TileRows]
				for _, f := range fields {
					field := block[f.Offset:min(f.Offset+f.Size, len(block))]
					move(tile[:len(field)*TileRows], field, f.Unit, r)
					tile = tile[len(field)*TileRows:]
				}
			}
		}
		packed, plain = packed[rowBytes*TileRows:], plain[rows*rowBytes:]
	}
}

// interleave spreads the units of plain over packed, whose groups of TileRows units each take one unit from every row: this is row r.
func interleave(packed, plain []byte, unit, r int) {
	packed = packed[r*unit:]
	switch unit {
	case 1:
		for i, b := range plain {
			packed[i*TileRows] = b
		}
	case 2:
		for i := 0; i < len(plain); i += 2 {
			binary.LittleEndian.PutUint16(packed[i*TileRows:i*TileRows+2], binary.LittleEndian.Uint16(plain[i:i+2]))
		}
	case 4:
		for i := 0; i < len(plain); i += 4 {
			binary.LittleEndian.PutUint32(packed[i*TileRows:i*TileRows+4], binary.LittleEndian.Uint32(plain[i:i+4]))
		}
	}
}

// deinterleave is the inverse of interleave: it gathers row r of packed into plain.
func deinterleave(packed, plain []byte, unit, r int) {
	packed = packed[r*unit:]
	switch unit {
	case 1:
		for i := range plain {
			plain[i] = packed[i*TileRows]
		}
	case 2:
		for i := 0; i < len(plain); i += 2 {
			binary.LittleEndian.PutUint16(plain[i:i+2], binary.LittleEndian.Uint16(packed[i*TileRows:i*TileRows+2]))
		}
	case 4:
		for i := 0; i < len(plain); i += 4 {
			binary.LittleEndian.PutUint32(plain[i:i+4], binary.LittleEndian.Uint32(packed[i*TileRows:i*TileRows+4]))
		}
	}
}
