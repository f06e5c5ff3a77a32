package inflate

import (
	"cmp"
	"container/list"
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// directions returns, by layer, those of what the engine's target puts out for a prompt and its greedy answer.
func directions(t *testing.T, e *lever.Engine, p bench.Prompt, tokens int) [][][]float64 {
	t.Helper()
	d := e.Target()
	if err := d.Truncate(0); err != nil {
		t.Fatal(err)
	}
	next, err := e.Encode(t.Context(), p.Request())
	if err != nil {
		t.Fatal(err)
	}
	all := make([][][]float64, e.Model().Layers)
	batch := layers.Batch{Hook: func(layer int, rows []int, hidden []float32) ([]int, error) {
		for row := range slices.Chunk(hidden, d.Width()) {
			length, u := norm(row), make([]float64, d.Width())
			for j, x := range row {
				u[j] = float64(x) / length
			}
			all[layer] = append(all[layer], u)
		}
		return rows, nil
	}}
	for layer := range all {
		batch.HookAfter = append(batch.HookAfter, layer)
	}
	logits := make([]float32, d.Vocab())
	for range tokens {
		batch.Tokens = next
		first, err := d.Forward(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		path := make([]int, len(next))
		for i := range path {
			path[i] = first + i
		}
		if err := cmp.Or(d.Project(t.Context(), logits, path[len(path)-1:]), d.Commit(path)); err != nil {
			t.Fatal(err)
		}
		next = []int32{int32(slices.Index(logits, slices.Max(logits)))}
	}
	return all
}

// route returns the experts of each token of a text by layer, and which layers that are.
func (m *Inflation) route(text [][][]float64, step int) (tokens [][][]int) {
	tokens = make([][][]int, len(text[0]))
	for l := 0; l < m.dst.Layers; l += step {
		rows := m.routerRows(l, popularity)
		for n, u := range text[l*m.src.Layers/m.dst.Layers] {
			scores, order := make([]float64, len(rows)), count(len(rows))
			for e, row := range rows {
				for j, x := range u {
					scores[e] += x * row[j]
				}
			}
			slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(scores[b], scores[a]) })
			var chosen []int
			for _, e := range order[:m.dst.Chosen] {
				chosen = append(chosen, l*len(rows)+int(e))
			}
			tokens[n] = append(tokens[n], chosen)
		}
	}
	return tokens
}

// Of the experts that greedy decoding asks for, a cache of those used last has as many as the published figure says; and rows share some.
func TestRoutersShareExpertsAsPublished(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := lever.Open(t.Context(), lever.Config{Model: pair.Target})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	store, err := weights.Open(t.Context(), pair.Target, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shape, err := ShapeOf("qwen3-30b-a3b")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(t.Context(), store, shape, tensor.Q4_0)
	if err != nil {
		t.Fatal(err)
	}
	const step = 16 // layers; those between them are alike
	slots := shape.Experts * shape.Layers / step * 1582 / 6144
	kept, at := list.New(), map[int]*list.Element{}
	var asked, hit, pairs, union float64
	var prompts []bench.Prompt
	for _, set := range bench.BuiltinSets() {
		prompts = append(prompts, set.Prompts...)
	}
	for i, p := range prompts {
		var before [][]int
		for _, token := range m.route(directions(t, e, p, 24), step) {
			for l, experts := range token {
				for _, expert := range experts {
					place, ok := at[expert]
					if i > 0 { // the first text fills the cache
						if asked++; ok {
							hit++
						}
					}
					if ok {
						kept.MoveToFront(place)
					} else if at[expert] = kept.PushFront(expert); kept.Len() > slots {
						delete(at, kept.Remove(kept.Back()).(int))
					}
					if before != nil && !slices.Contains(before[l], expert) {
						union++
					}
				}
				pairs += float64(len(experts))
			}
			before = token
		}
	}
	if share := hit / asked; share < 0.71 || share > 0.81 {
		t.Errorf("%.3f of the experts were among those used last, want 0.76", share)
	}
	if more := union / pairs; more < 0.5 || more > 0.8 {
		t.Errorf("a token needs %.2f of its experts beside those of the one before, want some", more)
	}
}
