package weights

import (
	"testing"

	"github.com/lever-go/lever/tensor"
)

// TestPassDoesNotAllocate: a streamed pass in the steady state allocates nothing, whatever is pinned and however segments are divided into reads.
func TestPassDoesNotAllocate(t *testing.T) {
	s := open(t, smallStore(t))
	for _, opts := range []StreamOptions{{}, {Ring: 1, Depth: 1}, {ReadSize: 4096, Depth: 3}, {DRAM: s.Bytes() * 4 / 5}, {Tiles: 2}} {
		r := stream(t, s, opts)
		names, ctx := passNames(s), t.Context()
		use := func(p tensor.Packed, err error) bool {
			if err != nil {
				t.Error(err)
			}
			return err == nil
		}
		row := 0
		pass := func() {
			for range 3 {
				row = (row + 5*tensor.TileRows) % smallShape.vocab
				if _, err := r.Tile(ctx, embeddingName, row); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range names {
				r.Parts(ctx, name)(use)
			}
		}
		for range 60 {
			pass()
		}
		if n := testing.AllocsPerRun(40, pass); n != 0 {
			t.Errorf("%+v: %v allocations in a pass", opts, n)
		}
	}
}
