package weights

import (
	"bufio"
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
	source   *source
	manifest *manifest
	create   func(path string) (chunkFile, error)
	meter    meter

	packers []packer // one per worker
	buf     []byte   // a segment
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
		return fmt.Errorf("weights: convert: %w", err)
	}
	defer func() {
		if e := f.Close(); e != nil && err == nil {
			err = fmt.Errorf("weights: convert: %w", e)
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
			return fmt.Errorf("weights: convert: write %s: %w", path, err)
		}
		w.meter.add(parts[len(parts)-1].tensor.Name, int64(len(segment)))
	}
	c.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := f.Sync(); err != nil {
		return fmt.Errorf("weights: convert: %w", err)
	}
	return nil
}

// pack converts the rows of a part into its place in segment, on all workers.
func (w *chunkWriter) pack(ctx context.Context, p placed, segment []byte) error {
	t := p.tensor
	src := w.source.tensors[t.Name]
	dst := t.packed(p.part, segment)
	tiles := tileCount(dst.Rows)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for worker := range min(len(w.packers), tiles) {
		group.Go(func() error {
			return carry(func() error {
				for tile := int(next.Add(1)) - 1; tile < tiles; tile = int(next.Add(1)) - 1 {
					if err := ctx.Err(); err != nil {
						return fmt.Errorf("weights: convert: %w", err)
					}
					from := tile * tensor.TileRows
					part := dst.Slice(from, min(from+tensor.TileRows, dst.Rows))
					if err := w.packers[worker].pack(part, &src); err != nil {
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

// packer converts a few rows at a time. Its buffers are reused.
type packer struct {
	raw     []byte    // rows as in the source
	values  []float32 // the same as numbers
	encoded []byte    // the same in the type of the store
}

// pack fills dst with the rows of src that it stands for.
func (k *packer) pack(dst tensor.Packed, src *sourceTensor) error {
	elems := dst.Rows * dst.Cols
	k.raw = resize(k.raw, src.dtype.RowBytes(elems))
	if err := src.readRows(k.raw, dst.Row, dst.Rows); err != nil {
		return err
	}
	rows := k.raw
	if src.dtype != dst.Type {
		k.values, k.encoded = resize(k.values, elems), resize(k.encoded, dst.Type.RowBytes(elems))
		rows = k.encoded
		if err := recode(k.encoded, dst.Type, k.values, k.raw, src.dtype); err != nil {
			return badSource(ErrUnsupported, src.file, src.name, "rows %d to %d: %v", dst.Row, dst.Row+dst.Rows-1, err)
		}
	}
	if err := tensor.Pack(dst.Data, rows, dst.Type, dst.Rows, dst.Cols); err != nil {
		return fmt.Errorf("weights: convert: %s: %w", src.name, err)
	}
	return nil
}

// recode converts src to dst by way of values, and refuses what dst cannot express.
func recode(dst []byte, to tensor.DType, values []float32, src []byte, from tensor.DType) error {
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
	return tensor.Encode(dst, values, to)
}

// resize returns a slice of n elements, s if it is large enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// copyTo writes the file into dir.
func (t tokenizerFile) copyTo(dir string) (fileEntry, error) {
	in, err := t.open()
	if err != nil {
		return fileEntry{}, fmt.Errorf("weights: convert: %w", err)
	}
	defer in.Close()
	content := bufio.NewReader(in)
	head, _ := content.Peek(fileerr.ForeignBytes) // a short file has less
	if what := fileerr.Foreign(head); what != "" {
		return fileEntry{}, badSource(ErrCorrupt, t.name, "", "%s", what)
	}
	out, err := os.Create(filepath.Join(dir, t.name))
	if err != nil {
		return fileEntry{}, fmt.Errorf("weights: convert: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), content)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fileEntry{}, fmt.Errorf("weights: convert: copy %s: %w", t.name, err)
	}
	return fileEntry{File: t.name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}
