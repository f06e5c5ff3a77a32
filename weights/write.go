package weights

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"github.com/minio/sha256-simd"
	"golang.org/x/sync/errgroup"

	"github.com/lever-go/lever/internal/crc32c"
	"github.com/lever-go/lever/internal/fileerr"
	"github.com/lever-go/lever/tensor"
)

// chunkFile is a file being written.
type chunkFile interface {
	io.Writer
	Sync() error
	Close() error
}

// chunkWriter writes the chunks of a store that is laid out in manifest, and fills in their checksums.
type chunkWriter struct {
	content  *content
	manifest *manifest
	create   func(path string) (chunkFile, error)
	meter    meter

	packers []packer // one per worker
	buf     []byte   // a segment

	moments    *tensor.Moments // that importance was made of
	importance *tensor.Importance
}

// placed is a part and its tensor.
type placed struct {
	tensor *tensorEntry
	part   partEntry
}

func (w *chunkWriter) writeAll(ctx context.Context, dir string) error {
	w.packers = make([]packer, runtime.GOMAXPROCS(0))
	w.buf = make([]byte, maxSegment)
	segments := make([][][]placed, len(w.manifest.Chunks))
	for i, c := range w.manifest.Chunks {
		segments[i] = make([][]placed, len(c.Segments))
	}
	for i := range w.manifest.Tensors {
		t := &w.manifest.Tensors[i]
		for _, p := range t.Parts {
			segments[p.Chunk][p.Segment] = append(segments[p.Chunk][p.Segment], placed{t, p})
		}
	}
	for i := range w.manifest.Chunks {
		if err := w.writeChunk(ctx, dir, &w.manifest.Chunks[i], segments[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *chunkWriter) writeChunk(ctx context.Context, dir string, c *chunkEntry, segments [][]placed) (err error) {
	path := filepath.Join(dir, filepath.FromSlash(c.File))
	f, err := w.create(path)
	if err != nil {
		return fmt.Errorf("weights: write: %w", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = fmt.Errorf("weights: write: %w", e)
		}
	}()
	sum := sha256.New()
	for i, parts := range segments {
		segment := w.buf[:c.Segments[i].Size]
		clear(segment)
		for _, p := range parts {
			if err := w.pack(ctx, p, segment); err != nil {
				return err
			}
		}
		c.Segments[i].CRC32C = crc32c.Checksum(segment)
		sum.Write(segment)
		if _, err := f.Write(segment); err != nil {
			return fmt.Errorf("weights: write: write %s: %w", path, err)
		}
		w.meter.add(parts[len(parts)-1].tensor.Name, int64(len(segment)))
	}
	c.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := f.Sync(); err != nil {
		return fmt.Errorf("weights: write: %w", err)
	}
	return nil
}

// pack converts the rows of a part into its place in segment, on all workers.
func (w *chunkWriter) pack(ctx context.Context, p placed, segment []byte) error {
	t := p.tensor
	src := w.content.tensors[t.Name]
	dst := t.packed(p.part, segment)
	importance, err := w.importanceOf(t.Name, dst.Type, src.Type)
	if err != nil {
		return err
	}
	tiles := tileCount(dst.Rows)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for worker := range min(len(w.packers), tiles) {
		group.Go(func() error {
			return carry(func() error {
				for tile := int(next.Add(1)) - 1; tile < tiles; tile = int(next.Add(1)) - 1 {
					if err := ctx.Err(); err != nil {
						return fmt.Errorf("weights: write: %w", err)
					}
					from := tile * tensor.TileRows
					part := dst.Slice(from, min(from+tensor.TileRows, dst.Rows))
					if err := w.packers[worker].pack(part, &src, importance); err != nil {
						return err
					}
					if t.TileCRC32C != nil {
						t.TileCRC32C[part.Row/tensor.TileRows] = crc32c.Checksum(part.Data)
					}
				}
				return nil
			})
		})
	}
	return group.Wait()
}

// importanceOf returns the importance of a tensor's columns, or nil if there is none or it has no influence. Matrices that share moments stand
// one after the other, so that the last one's are kept.
func (w *chunkWriter) importanceOf(name string, to, from tensor.DType) (*tensor.Importance, error) {
	moments := w.content.importance[name]
	if moments == nil || to == from || !tensor.Weighted(to) {
		return nil, nil
	}
	if w.moments != moments {
		importance, err := moments.Importance()
		if err != nil {
			return nil, fmt.Errorf("weights: write: tensor %s: %w", name, err)
		}
		w.moments, w.importance = moments, importance
	}
	return w.importance, nil
}

// packer converts a few rows at a time. Its buffers are reused.
type packer struct {
	raw     []byte    // rows as in the source
	values  []float32 // the same as numbers
	encoded []byte    // the same in the type of the store
}

// pack fills dst with the rows of src that it stands for.
func (k *packer) pack(dst tensor.Packed, src *Tensor, importance *tensor.Importance) error {
	elems := dst.Rows * dst.Cols
	k.raw = resize(k.raw, src.Type.RowBytes(elems))
	if err := src.readRows(k.raw, dst.Row); err != nil {
		return err
	}
	rows := k.raw
	if src.Type != dst.Type {
		k.values, k.encoded = resize(k.values, elems), resize(k.encoded, dst.Type.RowBytes(elems))
		rows = k.encoded
		if err := recode(k.encoded, dst.Type, k.values, k.raw, src.Type, importance); err != nil {
			return src.fault(ErrUnsupported, "rows %d to %d: %v", dst.Row, dst.Row+dst.Rows-1, err)
		}
	}
	if err := tensor.Pack(dst.Data, rows, dst.Type, dst.Rows, dst.Cols); err != nil {
		return fmt.Errorf("weights: write: tensor %s: %w", src.Name, err)
	}
	return nil
}

// recode converts src to dst by way of values, and refuses what dst cannot express. importance is that of the columns of its rows, or nil.
func recode(dst []byte, to tensor.DType, values []float32, src []byte, from tensor.DType, importance *tensor.Importance) error {
	if err := tensor.Decode(values, src, from); err != nil {
		return err
	}
	limit := float32(math.MaxFloat32)
	if to == tensor.F16 {
		limit = 65504 // the largest finite F16; beyond it Encode gives infinities
	}
	for _, x := range values {
		if !(x >= -limit && x <= limit) {
			return fmt.Errorf("value %v: %w", x, tensor.ErrNotFinite)
		}
	}
	return tensor.EncodeWeighted(dst, values, to, importance)
}

// resize returns a slice of n elements, s if it is large enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// readRows fills dst with rows from row on, in their own type.
func (t *Tensor) readRows(dst []byte, row int) error {
	n, err := t.Data.ReadAt(dst, int64(row)*int64(t.Type.RowBytes(t.Cols)))
	if n == len(dst) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = ErrTruncated // the file became shorter after it was opened
	}
	return t.fault(err, "read row %d", row)
}

// writeTokenizerFile writes a file into dir.
func writeTokenizerFile(dir, name string, data []byte) (fileEntry, error) {
	if what := fileerr.Foreign(data[:min(len(data), fileerr.ForeignBytes)]); what != "" {
		return fileEntry{}, fmt.Errorf("weights: write: %s: %s: %w", name, what, ErrCorrupt)
	}
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return fileEntry{}, fmt.Errorf("weights: write: tokenizer: %q is no name of a file: %w", name, ErrArgument)
	}
	out, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return fileEntry{}, fmt.Errorf("weights: write: %w", err)
	}
	_, err = out.Write(data)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fileEntry{}, fmt.Errorf("weights: write: %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	return fileEntry{File: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}, nil
}
