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

// With Last a batch computes less of the last layer, and what it leaves behind has the same bits: the last hidden state, keys and values, and the rows of
// other texts in the pass.
func TestLast(t *testing.T) {
	cfg := small(llama)
	last := fmt.Sprintf("block.%d.down", cfg.Layers-1)
	rows := 0 // of the last layer's MLP
	w := randomWeights(t, cfg, tensor.Q8_0)
	short := newDecoder(t, cfg, w, arch.Options{MaxBatch: 5, Observer: func(matrix string, _ []float32, n, _ int, _ bool) {
		if matrix == last {
			rows += n
		}
	}})
	whole := newDecoder(t, cfg, w, arch.Options{MaxBatch: 5})
	decoders := []*layers.Decoder{short, whole}
	var others []*layers.Sequence
	for _, d := range decoders {
		s, err := d.NewSequence()
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		tokens, beside := drawTokens(t, rapid.IntRange(1, 12).Draw(t, "rows")), drawTokens(t, rapid.IntRange(0, 3).Draw(t, "beside"))
		for i, d := range decoders {
			truncate(t, d, 0)
			forward(t, d, []int32{9, 8, 7, 6, 5}, nil) // whose hidden states are not taken for those of rows to come
			commitAll(t, d)
			if err := others[i].Truncate(0); err != nil {
				t.Fatal(err)
			}
			parts := []layers.Part{{Sequence: d.Sequence, Batch: layers.Batch{Tokens: tokens, Last: d == short}}}
			if len(beside) > 0 {
				parts = append(parts, layers.Part{Sequence: others[i], Batch: layers.Batch{Tokens: beside}})
			}
			rows = 0
			if err := d.ForwardAll(ctx, parts); err != nil || parts[0].Err != nil || parts[len(parts)-1].Err != nil {
				t.Fatal(err, parts)
			}
			if pieces := (len(tokens) + 4) / 5; d == short && rows != pieces+len(beside) {
				t.Fatalf("the last MLP computed %d rows for %d pieces of a prompt and %d rows beside", rows, pieces, len(beside))
			}
		}
		n := len(tokens) - 1
		sameBits(t, "the last row", short.Hidden(n), whole.Hidden(n))
		if n > 0 && n%5 != 0 && short.Hidden(n-1) != nil {
			t.Fatal("a hidden state that nobody asked for is there")
		}
		for row := range beside {
			sameBits(t, "a row beside", others[0].Hidden(row), others[1].Hidden(row))
		}
		for _, d := range decoders {
			commitAll(t, d)
		}
		forward(t, short, []int32{33, 34}, nil)
		forward(t, whole, []int32{33, 34}, nil)
		for row := range 2 {
			sameBits(t, "after the commit", logits(t, short, row), logits(t, whole, row))
		}
	})
}

// TestLastWithStates: in a last layer whose MLP keeps a state of the text, all rows are computed, as those to come follow from them.
func TestLastWithStates(t *testing.T) {
	const vocab, width = 100, 32
	w := &toyWeights{}
	w.matrix("embedding", vocab, width)
	for _, name := range []string{"gate", "value", "out", "mlp.gate", "mlp.value", "mlp.out"} {
		w.matrix("block.0."+name, width, width)
	}
	for _, name := range []string{"block.0.attn_norm", "block.0.mlp_norm", "final_norm"} {
		w.gain(name, width)
	}
	var after [2][]float32
	for i := range after {
		ws := layers.NewWorkspace(w, nil, 16)
		cache, err := layers.NewKVCache(layers.KVConfig{Context: 512})
		if err != nil {
			t.Fatal(err)
		}
		norm := layers.NormConfig{Eps: 1e-6}
		d, err := layers.NewDecoder(layers.DecoderConfig{
			Workspace: ws, Cache: cache, Embedding: layers.NewEmbedding(ws, "embedding", vocab, width),
			Layers: []layers.Layer{layers.NewBlock(ws, "block.0", layers.BlockConfig{
				Width: width, Norm: norm, Mixer: newGatedRecurrence(ws, "block.0", width), MLP: newGatedRecurrence(ws, "block.0.mlp", width),
			})},
			Norm: layers.NewNorm(ws, "final_norm", width, norm),
			Head: layers.NewHead(ws, "embedding", layers.HeadConfig{Vocab: vocab, Stored: vocab, Width: width}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, tokens := range [][]int32{{1, 2, 3, 4}, {5}} {
			if _, err := d.Forward(ctx, layers.Batch{Tokens: tokens, Last: i == 1}); err != nil {
				t.Fatal(err)
			}
			after[i] = slices.Clone(d.Hidden(len(tokens) - 1))
			commitAll(t, d)
		}
	}
	sameBits(t, "the row after the prompt", after[1], after[0])
}
