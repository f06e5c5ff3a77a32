package spec_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

// steady returns a function that does one more pass of a long generation.
func steady(t testing.TB, o spec.Options, sampling sampling.Options) (g *spec.Generator, pass func()) {
	t.Helper()
	g, err := spec.NewGenerator(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Begin(ctx, spec.Request{Prompt: []int32{1, 2, 3}, Sampling: sampling}); err != nil {
		t.Fatal(err)
	}
	return g, func() {
		if err := g.OnePass(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoAllocationPerToken(t *testing.T) {
	for _, sampling := range []sampling.Options{{}, {Temperature: 0.8, TopK: 40, TopP: 0.9, MinP: 0.05}} {
		for _, name := range lever.PolicyNames() {
			target := spectest.NewHashModel(1, 500, 1<<20)
			draft := spectest.NewDraftOf(target, 60)
			target.Committed, draft.Committed = make([]spectest.HashRow, 0, 1<<16), make([]spectest.HashRow, 0, 1<<16)
			_, pass := steady(t, spec.Options{Target: target, Draft: draft, Parallel: masked, Policy: mustPolicy(t, name, 16)}, sampling)
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
		for _, name := range lever.PolicyNames() {
			for _, budget := range []int{16, 64} {
				b.Run(fmt.Sprintf("vocab=%d/policy=%s/budget=%d", vocab, name, budget), func(b *testing.B) {
					target := spectest.NewFreeModel(vocab)
					o := spec.Options{Target: target, Draft: spectest.NewFreeModel(vocab), Parallel: masked, Policy: mustPolicy(b, name, budget)}
					g, pass := steady(b, o, sampling.Options{})
					nodes := 0
					b.ReportAllocs()
					for b.Loop() {
						pass()
						nodes += g.NodesOfPass()
						if target.Len() > 1<<18 { // start again, far from the end of the context
							if err := g.Begin(ctx, spec.Request{Prompt: []int32{1, 2, 3}}); err != nil {
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
