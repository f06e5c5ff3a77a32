package convert

import "io"

// interleaved reads a matrix of which each head's rows stand in pairs, as GGUF files of Llama keep q and k, in Hugging Face's order. Rotation pairs
// row i of a head with row i+headDim/2; there the two stand side by side. Reads begin and end between rows.
type interleaved struct {
	data              io.ReaderAt
	rowBytes, headDim int
}

// ReadAt implements [io.ReaderAt].
func (x interleaved) ReadAt(dst []byte, offset int64) (n int, err error) {
	for ; n < len(dst); n += x.rowBytes {
		row := int((offset + int64(n)) / int64(x.rowBytes))
		head, r := row/x.headDim*x.headDim, row%x.headDim
		from := head + r%(x.headDim/2)*2 + r/(x.headDim/2)
		if k, err := x.data.ReadAt(dst[n:n+x.rowBytes], int64(from)*int64(x.rowBytes)); k < x.rowBytes {
			return n + k, err
		}
	}
	return n, nil
}
