package spec_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

// chancePruner drops a node after layers 1 and 3 where an element of its hidden state, a number from 0 to 1, is below share.
type chancePruner struct{ share float32 }

func (chancePruner) Layers() int                         { return spectest.HashLayers }
func (chancePruner) Begin(*spec.Tree, spec.Policy) []int { return []int{1, 3} }

func (p chancePruner) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	keep := nodes[:0]
	for i, node := range nodes {
		if hidden[i*spectest.HashWidth+layer/2] >= p.share {
			keep = append(keep, node)
		}
	}
	return keep, nil
}

// Whatever a pruner drops, the output is that of plain decoding, and the counts add up.
func TestPrunedEqualsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target, req := spectest.DrawCase(t)
		tokens, finish := spectest.Plain(t, target, req)
		pruner := chancePruner{rapid.Float32Range(0, 1).Draw(t, "share")}
		o := spec.Options{
			Target: target, Pruner: pruner,
			Policy:      &spectest.TreePolicy{Oracle: target, Shape: rapid.SliceOfN(rapid.Byte(), 1, 30).Draw(t, "shape")},
			Budget:      rapid.IntRange(1, 20).Draw(t, "maxNodes"),
			ProjectTree: rapid.Bool().Draw(t, "projectTree"),
		}
		result := spectest.Generate(t, o, req, nil)
		spectest.CheckResult(t, result, tokens, finish)
		s := result.Stats
		if s.Drafted != s.Verified+s.Pruned || s.Tokens > s.Passes+s.Verified || s.WronglyPruned > min(s.Pruned, s.Passes) ||
			s.RowLayers != spectest.HashLayers*(s.Drafted+s.Passes) || s.RowLayersSaved < 2*s.Pruned || s.RowLayersSaved > 4*s.Pruned {
			t.Fatalf("stats %+v", s)
		}
	})
}

// cutWatcher notes what observations say of pruning.
type cutWatcher struct {
	spectest.TreePolicy
	cuts []spec.Cut
}

func (w *cutWatcher) Observe(o spec.Observation) { w.cuts = append(w.cuts, o.Cuts...) }

func TestObservationsTellOfCuts(t *testing.T) {
	target := spectest.NewHashModel(8, 9, 200)
	for _, c := range []struct {
		pruner spec.Pruner
		want   bool
	}{{nil, false}, {chancePruner{1}, true}} {
		policy := &cutWatcher{TreePolicy: spectest.TreePolicy{Oracle: target, Shape: []byte{20, 1, 2, 4, 6, 8}}}
		s := spectest.Generate(t, spec.Options{Target: target, Policy: policy, Pruner: c.pruner}, spec.Request{Prompt: []int32{1}, MaxTokens: 60}, nil).Stats
		if !c.want {
			if policy.cuts != nil || s.RowLayers != 0 {
				t.Errorf("without a pruner: %v, %+v", policy.cuts, s)
			}
			continue
		}
		if len(policy.cuts) == 0 || s.Verified != 0 || s.Pruned == 0 || s.WronglyPruned == 0 || s.AcceptedPerPass != 1 {
			t.Errorf("all but the root pruned: %+v", s)
		}
		for i, cut := range policy.cuts {
			if want := (spec.Cut{[]float64{2. / 6, 4. / 6}[i%2], 1}); cut != want {
				t.Errorf("cut %d is %v, want %v", i, cut, want)
			}
		}
	}
}

// inventor keeps nodes that are not there.
type inventor struct{ chancePruner }

func (inventor) Prune(_ int, nodes []int, _ []float32) ([]int, error) {
	return append(nodes, 1000), nil
}

func TestPrunerThatInventsNodes(t *testing.T) {
	target := spectest.NewHashModel(8, 9, 200)
	g, err := spec.NewGenerator(spec.Options{Target: target, Policy: &spectest.TreePolicy{Oracle: target, Shape: []byte{20, 1, 2, 4}}, Pruner: inventor{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Generate(ctx, spec.Request{Prompt: []int32{1}, MaxTokens: 60}, nil); err == nil || !strings.Contains(err.Error(), "node 1000") {
		t.Fatal(err)
	}
}

// With a real decoder, whose cache must not keep what was dropped.
func TestPrunedDecoderEqualsPlain(t *testing.T) {
	target, reference := randomDecoder(t, nil, tensor.Q8_0, 3, 200), randomDecoder(t, nil, tensor.Q8_0, 3, 200)
	for _, share := range []float32{0, 0.2, 0.5, 1} {
		for seed := range uint64(4) {
			req := spec.Request{Prompt: []int32{3, 1, 4, 1, 5}, MaxTokens: 40, Sampling: sampling.Options{Temperature: float32(seed), Seed: seed}}
			want := spectest.Generate(t, spec.Options{Target: reference}, req, nil)
			got := spectest.Generate(t, spec.Options{
				Target: target, Draft: randomDecoder(t, nil, tensor.Q8_0, 2, 200), Policy: mustPolicy(t, "opttree", 20), Pruner: statePruner{share},
			}, req, nil)
			if !slices.Equal(got.Tokens, want.Tokens) {
				t.Errorf("share %v, seed %d: got %v, want %v", share, seed, got.Tokens, want.Tokens)
			}
			if s := got.Stats; share > 0 && s.Pruned == 0 {
				t.Errorf("nothing pruned: %+v", s)
			}
		}
	}
}

// statePruner drops nodes for bits of their hidden states, after the first layer of a decoder of three.
type statePruner struct{ share float32 }

func (statePruner) Layers() int                         { return 3 }
func (statePruner) Begin(*spec.Tree, spec.Policy) []int { return []int{0} }

func (p statePruner) Prune(_ int, nodes []int, hidden []float32) ([]int, error) {
	keep, width := nodes[:0], len(hidden)/len(nodes)
	for i, node := range nodes {
		x := 1000 * hidden[i*width]
		if x < 0 {
			x = -x
		}
		if x-float32(int(x)) >= p.share {
			keep = append(keep, node)
		}
	}
	return keep, nil
}
