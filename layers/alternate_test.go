package layers_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
)

// onlyDense are a Prefetcher that has all in memory but experts, and counts the groups of rows that told what comes next.
type onlyDense struct {
	*layers.Memory
	told int
}

func (w *onlyDense) Prefetch([]string) { w.told++ }

func (*onlyDense) Ready(string) bool { return false }

func (*onlyDense) Resident() bool { return true }

// Rows that take turns with others have, bit for bit, the logits of plain decoding.
func TestAlternatingRowsEqualPlainDecoding(t *testing.T) {
	cfg := small(qwen3)
	cfg.Experts, cfg.Chosen = 6, 2
	w := randomExperts(t, cfg)
	kerneltest.Each(t, "experts", func(t *testing.T, set *kernels.Set) {
		tree := newDecoder(t, cfg, &onlyDense{Memory: w}, arch.Options{Pool: kerneltest.Pool(t, set, 3), MaxBatch: 7})
		tree.AlwaysByTurns()
		ref := newDecoder(t, cfg, w, arch.Options{Pool: kerneltest.Pool(t, set, 1)})
		rapid.Check(t, func(t *rapid.T) {
			truncate(t, tree, 0)
			truncate(t, ref, 0)
			checkTree(t, tree, ref)
		})
	})
}

// Several rows take turns, in two groups, unless somebody looks at all of them after a layer or they are many; one row has nobody to take turns with. An
// expert that the first group asks for is not counted as read for a row of the second.
func TestWhichRowsAlternate(t *testing.T) {
	cfg := small(qwen3)
	cfg.Experts, cfg.Chosen = 4, 2
	w := &onlyDense{Memory: randomExperts(t, cfg)}
	d := newDecoder(t, cfg, w, arch.Options{MaxBatch: 32, Context: 64})
	d.AlwaysByTurns()
	look := func(_ int, rows []int, _ []float32) ([]int, error) { return rows, nil }
	for _, c := range []struct {
		rows   int
		hook   layers.Hook
		groups int
	}{{1, nil, 1}, {2, nil, 2}, {5, nil, 2}, {16, nil, 2}, {17, nil, 1}, {5, look, 1}} {
		w.told = 0
		b := layers.Batch{Tokens: make([]int32, c.rows)}
		if c.hook != nil {
			b.Hook, b.HookAfter = c.hook, []int{0}
		}
		if _, err := d.Forward(ctx, b); err != nil {
			t.Fatal(err)
		}
		if w.told != c.groups*cfg.Layers {
			t.Errorf("%d rows, watched: %v: told %d times of experts in %d layers, want %d groups", c.rows, c.hook != nil, w.told, cfg.Layers, c.groups)
		}
		cold := 0
		for row := range c.rows {
			for _, n := range d.Cold(row) {
				cold += n
			}
		}
		if cold < cfg.Chosen*cfg.Layers || cold > cfg.Experts*cfg.Layers {
			t.Errorf("%d rows: %d experts read of %d in each of %d layers", c.rows, cold, cfg.Experts, cfg.Layers)
		}
		commit(t, d)
	}
}
