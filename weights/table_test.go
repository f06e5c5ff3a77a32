package weights

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// tableStore makes a store of a small model that has another table beside its embedding, and returns the values of that.
func tableStore(t *testing.T, tied bool) (dir string, table []float32) {
	t.Helper()
	const rows, cols = 3000, 1024
	m := newModel(smallShape, tied).made(t, tensor.F16)
	table = make([]float32, rows*cols)
	for i := range table {
		table[i] = float32(i % 2011)
	}
	raw := make([]byte, tensor.F16.RowBytes(len(table)))
	if err := tensor.Encode(raw, table, tensor.F16); err != nil {
		t.Fatal(err)
	}
	m.Tensors["inputs.table"] = Tensor{Type: tensor.F16, Rows: rows, Cols: cols, Data: bytes.NewReader(raw)}
	m.Steps[0] = append(m.Steps[0], "inputs.table")
	dir = filepath.Join(t.TempDir(), "table.lever")
	if err := Write(t.Context(), m, dir, WriteOptions{Type: tensor.F16}); err != nil {
		t.Fatal(err)
	}
	return dir, table
}

// Rows of every table are looked up in tiles, whatever the memory, and a table that is not the embedding is never in memory as a whole.
func TestTables(t *testing.T) {
	for _, tied := range []bool{false, true} {
		dir, table := tableStore(t, tied)
		if err := Verify(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
		store := open(t, dir)
		info, err := Inspect(dir)
		if err != nil {
			t.Fatal(err)
		}
		tableBytes := int64(tensor.PackedBytes(tensor.F16, len(table)/1024, 1024))
		if rest := info.Bytes - tableBytes; info.Version != FormatVersion || info.PassBytes() > rest || info.PassBytesAs(Uniform(tensor.F16)) > rest {
			t.Errorf("tied %v: version %d, a pass of %d bytes of %d with a table of %d", tied, info.Version, info.PassBytes(), info.Bytes, tableBytes)
		}
		const all = int64(1) << 40
		var small *MemoryError
		if _, err := store.Plan(1); !errors.As(err, &small) {
			t.Fatal(err)
		}
		for _, memory := range []int64{0, small.Need, all} {
			r, err := store.Stream(t.Context(), StreamOptions{DRAM: memory})
			if err != nil {
				t.Fatal(err)
			}
			plan := r.Plan()
			if plan.Tables < tableBytes || plan.Tables > tableBytes+2*alignment || plan.Pinned > info.Bytes-tableBytes || (memory == 0) != (plan.Streamed == plan.Pass) {
				t.Errorf("memory %d: plan %+v", memory, plan)
			}
			checkTiles(t, r, table)
			if stats := r.Stats(); stats.PeakBytes > plan.Total() || stats.TileReads == 0 {
				t.Errorf("memory %d: %+v with %+v", memory, stats, plan)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if held := r.Stats().HeldBytes; held != 0 {
				t.Errorf("%d bytes are held in the end", held)
			}
		}
	}
}

// checkTiles looks up rows of both tables by turns.
func checkTiles(t *testing.T, r *Streamer, table []float32) {
	t.Helper()
	const cols = 1024
	for _, row := range []int{0, 2999, 17, 1500, 16, 0, 2048} {
		for name, want := range map[string]int{"inputs.table": row, embeddingName: row % 50} {
			tile, err := r.Tile(t.Context(), name, want)
			if err != nil {
				t.Fatal(err)
			}
			if want < tile.Row || want >= tile.Row+tile.Rows {
				t.Fatalf("%s: rows %d to %d for row %d", name, tile.Row, tile.Row+tile.Rows, want)
			}
			if name == embeddingName {
				continue
			}
			raw, got := make([]byte, tile.Type.RowBytes(tile.Rows*cols)), make([]float32, tile.Rows*cols)
			if err := errors.Join(tensor.Unpack(raw, tile.Data, tile.Type, tile.Rows, cols), tensor.Decode(got, raw, tile.Type)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got[(row-tile.Row)*cols:][:cols], table[row*cols:][:cols]) {
				t.Errorf("row %d of %s differs", row, name)
			}
		}
	}
}
