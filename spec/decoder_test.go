package spec_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/kerneltest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

var _ spec.Decoder = (*layers.Decoder)(nil)

// randomDecoder returns a small Llama of random weights. One with fewer layers has the first of one with more, so that it
// often agrees with it. pool may be nil.
func randomDecoder(t *testing.T, pool *kernels.Pool, d tensor.DType, blocks, context int) *layers.Decoder {
	t.Helper()
	const width, ffn, heads, kvHeads, headDim, vocab = 64, 128, 4, 2, 16, 40
	cfg := arch.Transformer{
		Width: width, Layers: blocks, Heads: heads, KVHeads: kvHeads, HeadDim: headDim, FFN: ffn,
		Vocab: vocab, MaxPositions: context, NormEps: 1e-5, Rope: layers.Rope{Theta: 10000}, Tied: true,
	}
	random := rand.New(rand.NewPCG(3, 4))
	weights := &layers.Memory{}
	set := func(name string, d tensor.DType, rows, cols int, mean, deviation float64) {
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(mean + deviation*random.NormFloat64())
		}
		if err := weights.SetMatrix(name, d, rows, cols, values); err != nil {
			t.Fatal(err)
		}
	}
	gain := func(name string) { set(name, tensor.F32, 1, width, 1, 0.1) }
	matrix := func(name string, rows, cols int) { set(name, d, rows, cols, 0, 1.5/math.Sqrt(float64(cols))) }
	matrix("embedding", vocab, width)
	gain("final_norm")
	for i := range blocks {
		block := fmt.Sprintf("block.%d.", i)
		gain(block + "attn_norm")
		matrix(block+"q", heads*headDim, width)
		matrix(block+"k", kvHeads*headDim, width)
		matrix(block+"v", kvHeads*headDim, width)
		matrix(block+"o", width, heads*headDim)
		gain(block + "mlp_norm")
		matrix(block+"gate", ffn, width)
		matrix(block+"up", ffn, width)
		matrix(block+"down", width, ffn)
	}
	decoder, err := cfg.Decoder(weights, arch.Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(decoder.Close)
	return decoder
}

func TestDecoderSpeculationEqualsPlain(t *testing.T) {
	const context = 48
	for _, d := range []tensor.DType{tensor.F16, tensor.Q4_0} {
		target, draft := randomDecoder(t, nil, d, 3, context), randomDecoder(t, nil, d, 2, context)
		for i, sampling := range []sampling.Options{{}, {Temperature: 0.8, TopK: 10, TopP: 0.95, Seed: 5}} {
			req := spec.Request{Prompt: []int32{int32(i), 7, 1, 30, 30, 2}, Sampling: sampling} // to the end of the context
			want := spectest.Generate(t, spec.Options{Target: target}, req, nil)
			if len(want.Tokens) != context-len(req.Prompt)+1 || want.Finish != spec.FinishContext {
				t.Fatalf("%v: %d tokens, %s", d, len(want.Tokens), want.Finish)
			}
			accepted := 0
			for _, k := range []int{1, 3, 8, 16} {
				got := spectest.Generate(t, spec.Options{Target: target, Draft: draft, Policy: mustChain(t, k, 0), MaxBatch: k, ProjectTree: k == 3}, req, nil)
				spectest.CheckResult(t, got, want.Tokens, want.Finish)
				accepted += got.Stats.Tokens - got.Stats.Passes
			}
			if accepted == 0 {
				t.Errorf("%v, %+v: nothing was ever accepted", d, sampling)
			}
			t.Logf("%v, %+v: %d tokens, %d accepted in four runs", d, sampling, len(want.Tokens), accepted)
		}
	}
}

// Every policy with every kernel set, to the end of the context, with a stop token that may come in mid tree, and with a draft
// model whose context ends earlier.
func TestPoliciesOnDecodersEqualPlain(t *testing.T) {
	const context = 40
	run, sets := 0, kernels.Sets()
	for i, set := range sets {
		pool := kerneltest.Pool(t, kerneltest.Named(t, set), 1)
		d := []tensor.DType{tensor.Q4_0, tensor.Q8_0, tensor.F16}[run%3]
		target, draft := randomDecoder(t, pool, d, 3, context), randomDecoder(t, pool, d, 2, context-run%2*10)
		for j, sampling := range []sampling.Options{{}, {Temperature: 0.6, TopK: 10, Seed: 5}} {
			req := spec.Request{Prompt: []int32{1, 7, 1, 30, 30, 2}, Sampling: sampling}
			want := spectest.Generate(t, spec.Options{Target: target}, req, nil)
			stopped := req
			stopped.StopTokens = []int32{want.Tokens[len(want.Tokens)*2/3]}
			wantStopped := spectest.Generate(t, spec.Options{Target: target}, stopped, nil)
			for k, name := range lever.PolicyNames() {
				if testing.Short() && (i+j+k)%2 == 1 {
					continue // the next set tries the policy with this sampling
				}
				tried := budgets
				if testing.Short() || set != sets[len(sets)-1] {
					tried = budgets[run%len(budgets):][:1]
				}
				accepted := 0
				for _, budget := range tried {
					run++
					g, err := spec.NewGenerator(spec.Options{
						Target: target, Draft: draft, Parallel: masked, Budget: budget, ProjectTree: run%2 == 0,
						Policy: &spectest.Checked{Policy: mustPolicy(t, name, budget), T: t, Budget: budget},
					})
					if err != nil {
						t.Fatal(err)
					}
					got, err := g.Generate(ctx, req, nil)
					if err != nil {
						t.Fatal(err)
					}
					spectest.CheckResult(t, got, want.Tokens, want.Finish)
					accepted += got.Stats.Tokens - got.Stats.Passes
					if got, err = g.Generate(ctx, stopped, nil); err != nil {
						t.Fatal(err)
					}
					spectest.CheckResult(t, got, wantStopped.Tokens, spec.FinishStop)
				}
				if accepted == 0 && name != "none" && name != "ngram" && name != "lever" {
					t.Errorf("%s, %s, %+v: nothing was ever accepted", set, name, sampling)
				}
			}
		}
	}
	t.Logf("%d runs", run)
}
