package spec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/layers"
)

// freeModel costs next to nothing: its logits are copied from a few rows of random ones.
type freeModel struct {
	vocab, committed, pending int
	logits                    [16][]float32
}

func newFreeModel(vocab int) *freeModel {
	m := &freeModel{vocab: vocab}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range m.logits {
		m.logits[i] = make([]float32, vocab)
		for j := range m.logits[i] {
			m.logits[i][j] = float32(3 * random.NormFloat64())
		}
	}
	return m
}

func (m *freeModel) Forward(_ context.Context, b layers.Batch) (int, error) {
	first := m.pending
	m.pending += len(b.Tokens)
	return first, nil
}

func (m *freeModel) Project(_ context.Context, dst []float32, rows []int) error {
	for i, row := range rows {
		copy(dst[i*m.vocab:(i+1)*m.vocab], m.logits[(m.committed+row)%len(m.logits)])
	}
	return nil
}

func (m *freeModel) Commit(path []int) error {
	m.committed, m.pending = m.committed+len(path), 0
	return nil
}

func (m *freeModel) Truncate(n int) error {
	m.committed, m.pending = n, 0
	return nil
}

func (m *freeModel) Tokens() []int32 { return nil }
func (m *freeModel) Len() int        { return m.committed }
func (m *freeModel) Context() int    { return 1 << 20 }
func (m *freeModel) Vocab() int      { return m.vocab }

// steady returns a function that does one more pass of a long generation.
func steady(t testing.TB, o Options, sampling Sampling) (g *Generator, pass func()) {
	t.Helper()
	g, err := NewGenerator(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.begin(Request{Prompt: []int32{1, 2, 3}, Sampling: sampling}, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.prefill(ctx, nil); err != nil {
		t.Fatal(err)
	}
	return g, func() {
		before := len(g.sequence)
		if err := errors.Join(g.pass(ctx), g.output.send(g.sequence[before:])); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoAllocationPerToken(t *testing.T) {
	for _, sampling := range []Sampling{{}, {Temperature: 0.8, TopK: 40, TopP: 0.9, MinP: 0.05}} {
		for _, name := range PolicyNames {
			target := newHashModel(1, 500, 1<<20)
			draft := newDraftOf(target, 60)
			target.committed, draft.committed = make([]hashRow, 0, 1<<16), make([]hashRow, 0, 1<<16)
			_, pass := steady(t, Options{Target: target, Draft: draft, Policy: mustPolicy(t, name, 16)}, sampling)
			for range 50 {
				pass()
			}
			if n := testing.AllocsPerRun(100, pass); n != 0 {
				t.Errorf("%s, %+v: %v allocations per pass", name, sampling, n)
			}
		}
	}
}

// BenchmarkBookkeeping measures passes with models that take no time. With a small vocabulary what is left is the work on trees;
// with a large one it is choosing candidates from the draft's logits, and the target's token.
func BenchmarkBookkeeping(b *testing.B) {
	for _, vocab := range []int{64, 128_256} {
		for _, name := range PolicyNames {
			for _, budget := range []int{16, 64} {
				b.Run(fmt.Sprintf("vocab=%d/policy=%s/budget=%d", vocab, name, budget), func(b *testing.B) {
					o := Options{Target: newFreeModel(vocab), Draft: newFreeModel(vocab), Policy: mustPolicy(b, name, budget)}
					g, pass := steady(b, o, Sampling{})
					nodes := 0
					b.ReportAllocs()
					for b.Loop() {
						pass()
						nodes += g.tree.Len()
						if g.target.Len() > 1<<18 { // start again, far from the end of the context
							if err := g.begin(Request{Prompt: []int32{1, 2, 3}}, nil); err != nil {
								b.Fatal(err)
							}
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(nodes), "ns/node")
				})
			}
		}
	}
}
