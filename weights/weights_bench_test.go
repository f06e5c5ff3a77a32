package weights

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// BenchmarkWrite counts the bytes of the model and of the store.
func BenchmarkWrite(b *testing.B) {
	m := newModel(bigShape, true)
	src := m.made(b, tensor.BF16)
	bytes := int64(0)
	for _, t := range src.Tensors {
		bytes += int64(t.Rows) * int64(t.Type.RowBytes(t.Cols))
	}
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.F16} {
		b.Run("from=bf16/to="+d.String(), func(b *testing.B) {
			dst := filepath.Join(b.TempDir(), "x.lever")
			for b.Loop() {
				if err := Write(context.Background(), src, dst, WriteOptions{Type: d, Overwrite: true}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(bytes + open(b, dst).Bytes())
		})
	}
}

// BenchmarkResident loads a store, mostly from the page cache.
func BenchmarkResident(b *testing.B) {
	s := open(b, bigStore(b, true))
	b.SetBytes(s.Bytes())
	for b.Loop() {
		r, err := s.Resident(context.Background(), nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStreamedPass reads all tensors of a pass in order, mostly from the page cache.
func BenchmarkStreamedPass(b *testing.B) {
	for _, readers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("depth=%d", readers), func(b *testing.B) {
			s := open(b, bigStore(b, true))
			r, err := s.Stream(context.Background(), StreamOptions{Depth: readers})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			names := passNames(s)
			b.SetBytes(s.Bytes())
			b.ReportAllocs()
			for b.Loop() {
				for _, name := range names {
					for _, err := range r.Parts(context.Background(), name) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			b.ReportMetric(r.Stats().WaitTime.Seconds()/b.Elapsed().Seconds(), "waited/s")
		})
	}
}

// BenchmarkTile looks up rows that are and are not in the cache.
func BenchmarkTile(b *testing.B) {
	s := open(b, bigStore(b, true))
	for _, kind := range []struct {
		name string
		step int
	}{{"hit", 0}, {"miss", 17}} {
		b.Run(kind.name, func(b *testing.B) {
			r, err := s.Stream(context.Background(), StreamOptions{Tiles: 4})
			if err != nil {
				b.Fatal(err)
			}
			defer r.Close()
			row := 0
			for b.Loop() {
				if _, err := r.Tile(context.Background(), embeddingName, row); err != nil {
					b.Fatal(err)
				}
				row = (row + kind.step) % bigShape.vocab
			}
		})
	}
}

// BenchmarkCheck computes the checksum of a segment.
func BenchmarkCheck(b *testing.B) {
	segment := make([]byte, targetSegment)
	b.SetBytes(targetSegment)
	for b.Loop() {
		if err := checkCRC(segment, 0); err == nil {
			b.Fatal("the checksum is 0")
		}
	}
}
