package layers_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// Rows that hooks let pass have the bits they have without hooks; the others, and what descends from them, are gone.
func TestHookDropsRows(t *testing.T) {
	cfg := small(llama)
	w := randomWeights(t, cfg, tensor.Q8_0)
	pruned := newDecoder(t, cfg, w, arch.Options{MaxBatch: 5})
	full := newDecoder(t, cfg, w, arch.Options{})
	rapid.Check(t, func(t *rapid.T) {
		for _, d := range []*layers.Decoder{pruned, full} {
			truncate(t, d, 0)
			forward(t, d, []int32{9, 8, 7}, nil)
			commitAll(t, d)
		}
		tokens := drawTokens(t, rapid.IntRange(1, 9).Draw(t, "rows"))
		parents := make([]int32, len(tokens))
		for i := range parents {
			parents[i] = rapid.Int32Range(-1, int32(i-1)).Draw(t, "parent")
		}
		forward(t, full, tokens, parents)

		gone := make([]bool, len(tokens))
		inherit := func() {
			for i, p := range parents {
				gone[i] = gone[i] || (p >= 0 && gone[p])
			}
		}
		hook := func(_ int, rows []int, hidden []float32) ([]int, error) {
			if len(hidden) != len(rows)*pruned.Width() || !slices.IsSorted(rows) {
				t.Fatalf("rows %v with %d elements of hidden state", rows, len(hidden))
			}
			keep := rows[:0]
			for _, row := range rows {
				if gone[row] {
					t.Fatalf("row %d is offered, but was dropped", row)
				}
				if rapid.Float64Range(0, 1).Draw(t, "score") < 0.8 {
					keep = append(keep, row)
				} else {
					gone[row] = true
				}
			}
			inherit()
			return keep, nil
		}
		first, err := pruned.Forward(ctx, layers.Batch{Tokens: tokens, Parents: parents, Hook: hook, HookAfter: []int{0, 1}})
		if err != nil || first != 0 {
			t.Fatal(first, err)
		}
		for row := range tokens {
			dst := make([]float32, pruned.Vocab())
			err := pruned.Project(ctx, dst, []int{row})
			switch {
			case gone[row]:
				if err == nil || !strings.Contains(err.Error(), "was dropped") {
					t.Fatalf("project dropped row %d: %v", row, err)
				}
				if _, err := pruned.Forward(ctx, layers.Batch{Tokens: []int32{1}, Parents: []int32{int32(row)}}); err == nil || !strings.Contains(err.Error(), "was dropped") {
					t.Fatalf("child of dropped row %d: %v", row, err)
				}
			case row >= len(tokens)-5: // older hidden states are not kept
				if err != nil {
					t.Fatal(err)
				}
				sameBits(t, fmt.Sprintf("row %d of %v with %v gone", row, parents, gone), dst, logits(t, full, row))
			}
		}
		var path []int
		row := rapid.IntRange(0, len(tokens)-1).Draw(t, "accepted")
		for r := row; r >= 0; r = int(parents[r]) {
			path = append([]int{r}, path...)
		}
		if err := pruned.Commit(path); (err != nil) != gone[row] {
			t.Fatalf("commit %v with %v gone: %v", path, gone, err)
		} else if err != nil {
			return
		}
		commit(t, full, path...)
		forward(t, pruned, []int32{33}, nil)
		forward(t, full, []int32{33}, nil)
		sameBits(t, "after the commit", logits(t, pruned, 0), logits(t, full, 0))
	})
}

func TestHookErrors(t *testing.T) {
	cfg := small(llama)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.F16), arch.Options{})
	refused := errors.New("refused")
	for name, hook := range map[string]layers.Hook{
		"error":         func(int, []int, []float32) ([]int, error) { return nil, refused },
		"unknown row":   func(int, []int, []float32) ([]int, error) { return []int{0, 7}, nil },
		"out of order":  func(int, []int, []float32) ([]int, error) { return []int{1, 0}, nil },
		"twice":         func(int, []int, []float32) ([]int, error) { return []int{1, 1}, nil },
		"below nothing": func(int, []int, []float32) ([]int, error) { return []int{-1}, nil },
	} {
		_, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1, 2, 3}, Hook: hook, HookAfter: []int{1}})
		if err == nil || !strings.Contains(err.Error(), "hook after layer 1") || errors.Is(err, refused) != (name == "error") {
			t.Errorf("%s: got %v", name, err)
		}
		if d.Pending() != 0 {
			t.Errorf("%s: %d pending rows", name, d.Pending())
		}
	}
}

func TestHookThatDropsAllEndsThePass(t *testing.T) {
	cfg := small(llama)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.F16), arch.Options{MaxBatch: 2})
	calls := 0
	none := func(int, []int, []float32) ([]int, error) { calls++; return nil, nil }
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1, 2, 3}, Hook: none, HookAfter: []int{0, 1}}); err != nil {
		t.Fatal(err)
	}
	if calls != 1 || d.Pending() != 3 {
		t.Errorf("%d calls and %d pending rows, want 1 and 3", calls, d.Pending())
	}
	commit(t, d)
	forward(t, d, []int32{1}, nil)
}
