package lever_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/distill"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
	"github.com/lever-go/lever/weights"
)

// own is an architecture with layers and names of its own: a LayerNorm, attention without positions, and no MLP.
var own = &arch.Architecture{
	Name: "own", Class: "OwnForCausalLM",
	Parse: func(v *arch.Values) (*arch.Model, error) {
		m := &arch.Model{Width: 64, MaxPositions: 512, NormEps: 1e-5}
		v.Need("depth", &m.Layers)
		v.Need("vocab_size", &m.Vocab)
		if m.Layers < 1 || m.Layers > 9 || m.Vocab < 1 {
			return nil, errors.New("depth and vocab_size are out of range")
		}
		m.Steps = [][]arch.Tensor{{{Name: arch.Embedding, HF: "words", Rows: m.Vocab, Cols: m.Width}}}
		for i := range m.Layers {
			name, file := fmt.Sprintf("mixer.%d", i), fmt.Sprintf("layer%d/", i)
			step := []arch.Tensor{{Name: name + ".norm", HF: file + "gain", Rows: 1, Cols: m.Width, Vector: true}}
			for _, part := range []string{"q", "k", "v", "o"} {
				step = append(step, arch.Tensor{Name: name + "." + part, HF: file + part, Rows: m.Width, Cols: m.Width})
			}
			m.Steps = append(m.Steps, step)
		}
		m.Steps = append(m.Steps, []arch.Tensor{
			{Name: arch.FinalNorm, HF: "gain", Rows: 1, Cols: m.Width, Vector: true}, {Name: arch.Head, HF: "logits", Rows: m.Vocab, Cols: m.Width},
		})
		m.Build = func(ws *layers.Workspace, o arch.Options) (parts layers.DecoderConfig, err error) {
			shape := layers.KVLayer{KVHeads: 2, HeadDim: 32}
			parts.Cache, err = layers.NewKVCache(layers.KVConfig{Layers: layers.UniformKV(m.Layers, shape), Context: o.Context, Type: o.KV})
			if err != nil {
				return parts, err
			}
			parts.Embedding = layers.NewEmbedding(ws, arch.Embedding, o.Vocab, m.Width)
			parts.Norm = layers.NewRMSNorm(ws, arch.FinalNorm, m.Width, m.NormEps)
			parts.Head = layers.NewHead(ws, arch.Head, layers.HeadConfig{Vocab: o.Vocab, Stored: m.Vocab, Width: m.Width})
			for i := range m.Layers {
				name := fmt.Sprintf("mixer.%d", i)
				parts.Layers = append(parts.Layers, &mixer{
					ws:   ws,
					norm: layers.NewRMSNorm(ws, name+".norm", m.Width, m.NormEps),
					attention: layers.NewAttention(ws, name, layers.AttentionConfig{
						Width: m.Width, Heads: 2, KVHeads: 2, HeadDim: 32, Cache: parts.Cache, Layer: i, NoRotary: true,
					}),
					normed: make([]float32, ws.MaxRows()*m.Width), out: make([]float32, ws.MaxRows()*m.Width),
				})
			}
			return parts, nil
		}
		return m, nil
	},
}

// mixer adds attention(norm(x)) to x.
type mixer struct {
	ws          *layers.Workspace
	norm        *layers.Norm
	attention   *layers.Attention
	normed, out []float32
}

func (b *mixer) Forward(ctx context.Context, x []float32, rows *layers.Rows) error {
	if err := b.norm.Forward(ctx, b.normed[:len(x)], x); err != nil {
		return err
	}
	if err := b.attention.Forward(ctx, b.out[:len(x)], b.normed[:len(x)], rows); err != nil {
		return err
	}
	b.ws.Kernels().Add(x, b.out[:len(x)])
	return nil
}

func (b *mixer) Stateful() bool { return false }

// ownFolder writes a model of the architecture own.
func ownFolder(t *testing.T, depth int) string {
	t.Helper()
	return randomFolder(t, fmt.Sprintf(`{"architectures": ["OwnForCausalLM"], "model_type": "own", "depth": %d, "vocab_size": 4096, "eos_token_id": 4089}`, depth), own)
}

// randomFolder writes a model with random weights, as Hugging Face keeps models, with the tokenizer of the demo, which has 4096 tokens.
func randomFolder(t *testing.T, config string, architectures ...*arch.Architecture) string {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m, err := arch.Parse([]byte(config), architectures...)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewSource(1))
	tensors := map[string]*tensor.Tensor{}
	for _, x := range slices.Concat(m.Steps...) {
		values := make([]float32, x.Rows*x.Cols)
		for i := range values {
			if values[i] = float32(random.NormFloat64()) / 8; x.Vector {
				values[i]++
			}
		}
		shape := []int{x.Rows, x.Cols}
		if x.Vector {
			shape = shape[1:]
		}
		tensors[x.HF] = tensor.Must(tensor.FromFloat32s(values, shape...))
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(pair.Target)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{weights.ManifestName, "chunks", "config.json"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := tensorfile.WriteSafetensors(filepath.Join(dir, "model.safetensors"), tensors, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An architecture that a program brings is converted, streamed, speculated and profiled like those of package arch.
func TestOwnArchitecture(t *testing.T) {
	target, draft, cache := ownFolder(t, 3), ownFolder(t, 1), t.TempDir()
	if _, err := lever.Open(t.Context(), lever.Config{Model: target, CacheDir: cache}); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), "OwnForCausalLM") {
		t.Fatalf("without the architecture: %v", err)
	}
	config := lever.Config{Model: target, CacheDir: cache, Architectures: []*arch.Architecture{own}}
	generate := func(config lever.Config) []int32 {
		t.Helper()
		engine, err := lever.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		policy, err := lever.NewPolicy("chain", 3)
		if err != nil {
			t.Fatal(err)
		}
		if config.Draft == "" {
			policy = nil
		}
		result, err := engine.Generate(t.Context(), lever.Request{Prompt: "one two", Raw: true, MaxTokens: 20, Policy: policy}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if config.Draft != "" && result.Drafted == 0 {
			t.Error("nothing was drafted")
		}
		return result.TokenIDs
	}
	plain := generate(config)
	if len(plain) != 20 {
		t.Errorf("%d tokens", len(plain))
	}
	config.Draft, config.DRAM = draft, 1<<20
	if got := generate(config); !slices.Equal(got, plain) {
		t.Errorf("streamed with a draft: %v, want %v", got, plain)
	}

	device, err := npu.Open(t.Context(), "sim:mid-range")
	if err != nil {
		t.Fatal(err)
	}
	offloaded := config
	offloaded.NPU = device
	if offloaded.Placement, err = lever.ParsePlacement("draft=npu,verify=npu,head=ondemand-npu"); err != nil {
		t.Fatal(err)
	}
	if got := generate(offloaded); !slices.Equal(got, plain) {
		t.Errorf("on a device: %v, want %v", got, plain)
	}

	store, err := lever.OpenStore(t.Context(), target, config)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Measure(t.Context(), profile.Options{Target: store, Dir: t.TempDir(), Duration: 10 * time.Millisecond, Architectures: config.Architectures})
	if err != nil {
		t.Fatal(err)
	}
	if p.Target == nil || p.Target.Blocks != 3 || p.Target.Block[0].Seconds <= 0 {
		t.Errorf("profile of the target: %+v", p.Target)
	}
}

// Predictors are trained for an architecture that a program brings, its trees are pruned by them, and it answers over HTTP.
func TestOwnArchitectureIsDistilledAndServed(t *testing.T) {
	config := lever.Config{CacheDir: t.TempDir(), Architectures: []*arch.Architecture{own}}
	convert := func(depth int) string {
		t.Helper()
		store, err := lever.OpenStore(t.Context(), ownFolder(t, depth), config)
		if err != nil {
			t.Fatal(err)
		}
		return store.Dir()
	}
	config.Model, config.Draft = convert(3), convert(1)
	corpus := t.TempDir()
	for i := range 10 { // of which some are held out
		var text strings.Builder
		for _, p := range distill.OwnPrompts(80, uint64(i)) {
			fmt.Fprintln(&text, p.Text)
		}
		if err := os.WriteFile(filepath.Join(corpus, fmt.Sprintf("%d.txt", i)), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	report, err := distill.Run(t.Context(), distill.Options{
		Model: config.Model, Draft: config.Draft, Architectures: config.Architectures, Work: t.TempDir(), Prompts: distill.OwnPrompts(18, 1), Answer: 24,
		Text: []string{corpus}, TextTokens: 3400, Exits: []int{1}, Rank: 32, Epochs: 1, Seed: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Exits) != 1 || report.Samples == 0 {
		t.Errorf("report %+v", report)
	}
	config.Prune = 0.5
	engine, err := lever.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	policy, err := lever.NewPolicy("specinfer", 16)
	if err != nil {
		t.Fatal(err)
	}
	request := lever.Request{Prompt: "one two", MaxTokens: 12, Policy: policy}
	pruned, err := engine.Generate(t.Context(), request, nil)
	if err != nil || pruned.NoPruning != "" {
		t.Fatal(err, pruned.NoPruning)
	}
	s, err := server.New(server.Options{Engine: engine, Model: "own"})
	if err != nil {
		t.Fatal(err)
	}
	question := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(`{"messages": [{"role": "user", "content": "one two"}], "max_tokens": 12, "temperature": 0}`))
	question.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, question)
	var got struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil || len(got.Choices) != 1 || got.Choices[0].Message.Content != pruned.Text {
		t.Errorf("over HTTP: %v %s, want %q", err, answer.Body, pruned.Text)
	}
}

// answer returns what a model writes after a prompt with a policy of package lever.
func answer(t *testing.T, config lever.Config, policy string) lever.Result {
	t.Helper()
	engine, err := lever.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	p, err := lever.NewPolicy(policy, 4)
	if err != nil {
		t.Fatal(err)
	}
	result, err := engine.Generate(t.Context(), lever.Request{Prompt: "one two", Raw: true, MaxTokens: 24, Policy: p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Convolutions, whose states follow every branch of a tree, are streamed and speculated like attention.
func TestConvolutions(t *testing.T) {
	const config = `{"architectures": ["Lfm2ForCausalLM"], "model_type": "lfm2", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": %d,
		"layer_types": [%s], "conv_L_cache": 3, "block_auto_adjust_ff_dim": false, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 4096,
		"max_position_embeddings": 512, "norm_eps": 1e-5, "rope_theta": 1000000, "tie_word_embeddings": true, "eos_token_id": 4089}`
	target, draft := randomFolder(t, fmt.Sprintf(config, 3, `"conv", "full_attention", "conv"`)), randomFolder(t, fmt.Sprintf(config, 1, `"conv"`))
	cache := t.TempDir()
	want := answer(t, lever.Config{CacheDir: cache, Model: target}, "none")
	trees := answer(t, lever.Config{CacheDir: cache, Model: target, Draft: draft, DRAM: 1 << 20}, "specinfer")
	if !slices.Equal(trees.TokenIDs, want.TokenIDs) || trees.Drafted == 0 {
		t.Errorf("with %d tokens drafted in trees %v, alone %v", trees.Drafted, trees.TokenIDs, want.TokenIDs)
	}
}

// sparseConfig describes a small mixture of experts with some layers.
const sparseConfig = `{"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": %d,
	"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32, "vocab_size": 4096, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
	"rope_theta": 1000000, "tie_word_embeddings": true, "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 256,
	"norm_topk_prob": true, "eos_token_id": 4089}`

// A mixture of experts is streamed and speculated like other models, and reads the experts that its rows are routed to.
func TestExperts(t *testing.T) {
	target, cache := randomFolder(t, fmt.Sprintf(sparseConfig, 3)), t.TempDir()
	want := answer(t, lever.Config{CacheDir: cache, Model: target}, "none")
	plain := answer(t, lever.Config{CacheDir: cache, Model: target, DRAM: 2 << 20}, "none")
	trees := answer(t, lever.Config{CacheDir: cache, Model: target, Draft: randomFolder(t, fmt.Sprintf(sparseConfig, 1)), DRAM: 2 << 20}, "specinfer")
	if !slices.Equal(plain.TokenIDs, want.TokenIDs) || !slices.Equal(trees.TokenIDs, want.TokenIDs) {
		t.Errorf("plain %v, with trees %v, in memory %v", plain.TokenIDs, trees.TokenIDs, want.TokenIDs)
	}
	store, err := lever.OpenStore(t.Context(), target, lever.Config{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	// A pass of one row uses 6 of 48 experts.
	if pass := plain.BytesRead / int64(plain.Passes); pass == 0 || pass > store.Bytes()/2 {
		t.Errorf("%d bytes read in a pass over a store of %d", pass, store.Bytes())
	}
	if trees.Drafted == 0 {
		t.Error("nothing was drafted")
	}
}

// Whatever part of the experts is in memory, and whatever policy drafts, the text of a mixture of experts is that of plain decoding in memory.
func TestExpertsInMemoryOfAnySize(t *testing.T) {
	folder := randomFolder(t, fmt.Sprintf(sparseConfig, 2))
	config := lever.Config{Model: folder, Draft: folder, DraftMask: new(int32(0)), CacheDir: t.TempDir()}
	const tokens = 8
	request := lever.Request{Prompt: "one two", Raw: true, MaxTokens: tokens}
	samplings := []sampling.Options{{}, {Temperature: 0.9, Seed: 5}}
	var want [][]int32
	whole := open(t, config)
	for _, s := range samplings {
		request.Sampling, request.Policy = s, spec.None{}
		want = append(want, generate(t, whole, request).TokenIDs)
	}
	for _, memory := range []int64{1 << 20, 5 << 19, 64 << 20} {
		config.DRAM = memory
		engine := open(t, config)
		drafted := 0
		for _, kind := range lever.Policies {
			for _, budget := range []int{1, 7} {
				for i, s := range samplings {
					policy, err := kind.New(budget)
					if err != nil {
						t.Fatal(err)
					}
					request.Sampling, request.Policy, request.Budget = s, policy, budget
					if err := engine.Target().Truncate(0); err != nil {
						t.Fatal(err)
					}
					got := generate(t, engine, request)
					drafted += got.Drafted
					if !slices.Equal(got.TokenIDs, want[i]) {
						t.Errorf("%d KiB, %s with %d nodes, temperature %v: %v, not %v", memory>>10, kind.Name, budget, s.Temperature, got.TokenIDs, want[i])
					}
				}
			}
		}
		if drafted == 0 {
			t.Errorf("%d KiB: nothing was drafted", memory>>10)
		}
	}
}
