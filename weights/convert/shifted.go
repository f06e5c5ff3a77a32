package convert

import (
	"bytes"

	"github.com/lever-go/lever/tensor"
)

// shifted reads a vector of any type as F32 values to which by is added. It is small, and read anew each time.
type shifted struct {
	vector sourceTensor
	by     float32
}

// ReadAt implements [io.ReaderAt].
func (s shifted) ReadAt(dst []byte, offset int64) (int, error) {
	raw := make([]byte, s.vector.dtype.RowBytes(s.vector.cols))
	if err := s.vector.read(raw, 0); err != nil {
		return 0, err
	}
	values := make([]float32, s.vector.cols)
	if err := tensor.Decode(values, raw, s.vector.dtype); err != nil {
		return 0, badSource(err, s.vector.file, s.vector.name, "its values")
	}
	for i := range values {
		values[i] += s.by
	}
	out := make([]byte, tensor.F32.RowBytes(len(values)))
	if err := tensor.Encode(out, values, tensor.F32); err != nil {
		return 0, badSource(err, s.vector.file, s.vector.name, "its values")
	}
	return bytes.NewReader(out).ReadAt(dst, offset)
}
