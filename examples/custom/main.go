// Command custom runs an architecture of its own: a block with one norm, from which attention and MLP are computed side by side, as in GPT-J,
// built from the parts of package layers. Its tensors have names of its own, in a table that weights.Write takes; cache, trees, streaming and
// speculation need not know of either. The numbers in the tensors are borrowed from Llamas, which saves training a model here.
//
//	go run ./examples/custom -model MODEL -draft DRAFT -dram 2048 "def fibonacci(n):"
//
// As they were trained for another block, they write nonsense; the same nonsense with a draft and without, which the program checks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
)

// maxRows is the most rows of a pass, and so of the scratch memory of a block.
const maxRows = 128

// parallelBlock adds attention(norm(x)) + mlp(norm(x)) to x.
type parallelBlock struct {
	kernels     *kernels.Set
	norm        *layers.Norm
	attention   *layers.Attention
	mlp         *layers.MLP
	normed, out []float32 // [maxRows][width], shared by all blocks
}

// Forward asks for its weights in the order in which the store keeps them, so that the stream runs ahead of it.
func (b *parallelBlock) Forward(ctx context.Context, x []float32, rows *layers.Rows) error {
	normed, out := b.normed[:len(x)], b.out[:len(x)]
	if err := b.norm.Forward(ctx, normed, x); err != nil {
		return err
	}
	if err := b.attention.Forward(ctx, out, normed, rows); err != nil {
		return err
	}
	b.kernels.Add(x, out)
	if err := b.mlp.Forward(ctx, out, normed, rows); err != nil { // of what attention has seen too
		return err
	}
	b.kernels.Add(x, out)
	return nil
}

// Stateful says that a text can be saved: the block keeps nothing of it but keys and values.
func (b *parallelBlock) Stateful() bool { return false }

// newDecoder puts the parts together.
func newDecoder(cfg layers.Config, w layers.Weights, pool *kernels.Pool) (*layers.Decoder, error) {
	ws := layers.NewWorkspace(w, pool, maxRows)
	cache, err := layers.NewKVCache(layers.KVConfig{
		Layers: layers.UniformKV(cfg.Layers, layers.KVLayer{KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim}), Context: min(cfg.MaxPositions, 2048),
	})
	if err != nil {
		return nil, err
	}
	head := "head"
	if cfg.Tied {
		head = "embedding"
	}
	model := layers.Model{
		Workspace: ws, Cache: cache,
		Embedding: layers.NewEmbedding(ws, "embedding", cfg.Vocab, cfg.Width),
		Norm:      layers.NewRMSNorm(ws, "final_norm", cfg.Width, cfg.NormEps),
		Head:      layers.NewLinear(ws, head, cfg.Vocab, cfg.Width),
	}
	rotary := layers.NewRotary(cfg.Rope.Frequencies(cfg.HeadDim))
	attention := layers.AttentionConfig{Width: cfg.Width, Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, Cache: cache, Rotary: rotary}
	scratch := func() []float32 { return make([]float32, maxRows*cfg.Width) }
	normed, out := scratch(), scratch()
	for i := range cfg.Layers {
		prefix := fmt.Sprintf("parallel.%d", i)
		attention.Layer = i
		model.Layers = append(model.Layers, &parallelBlock{
			kernels:   ws.Kernels(),
			norm:      layers.NewRMSNorm(ws, prefix+".norm", cfg.Width, cfg.NormEps),
			attention: layers.NewAttention(ws, prefix+".attention", attention),
			mlp:       layers.NewMLP(ws, prefix+".mlp", layers.MLPConfig{Width: cfg.Width, FFN: cfg.FFN}),
			normed:    normed, out: out,
		})
	}
	return layers.Assemble(model)
}

func main() {
	model := flag.String("model", "", "Llama that the target is made of: a store, a Hugging Face folder or a GGUF file")
	draft := flag.String("draft", "", "small Llama with the same tokens")
	dram := flag.Int64("dram", 0, "MiB of memory for the target's weights; 0: only what streaming needs")
	maxTokens := flag.Int("max-tokens", 64, "most tokens")
	flag.Parse()
	if *model == "" || *draft == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, `usage: custom -model MODEL -draft DRAFT [-dram MiB] [-max-tokens N] "text"`)
		os.Exit(2)
	}
	if err := run(context.Background(), *model, *draft, *dram<<20, *maxTokens, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "custom:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, model, draft string, dram int64, maxTokens int, text string) error {
	pool := kernels.NewPool(0)
	defer pool.Close()
	dir, err := os.MkdirTemp("", "custom-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, cfg, err := open(ctx, model, filepath.Join(dir, "target.lever"))
	if err != nil {
		return err
	}
	streamer, err := store.Stream(ctx, weights.StreamOptions{Budget: dram})
	if err != nil {
		return err
	}
	defer streamer.Close()
	target, err := newDecoder(cfg, streamer, pool)
	if err != nil {
		return err
	}
	defer target.Close()
	smallStore, smallCfg, err := open(ctx, draft, filepath.Join(dir, "draft.lever"))
	if err != nil {
		return err
	}
	resident, err := smallStore.Resident(ctx, nil)
	if err != nil {
		return err
	}
	defer resident.Close()
	small, err := newDecoder(smallCfg, resident, pool)
	if err != nil {
		return err
	}
	defer small.Close()
	tok, err := tokenizer.Open(store.FS())
	if err != nil {
		return err
	}
	// A fixed chain, so that something is drafted however badly the two models agree. gaincost.NewLever drafts what pays.
	policy, err := lever.NewPolicy("chain", 4)
	if err != nil {
		return err
	}
	generate := func(options spec.Options) (spec.Result, error) {
		generator, err := spec.NewGenerator(options)
		if err != nil {
			return spec.Result{}, err
		}
		return generator.Generate(ctx, spec.Request{
			Prompt: tok.Encode(text, tokenizer.EncodeOptions{AddBOS: tok.AddBOS()}), MaxTokens: maxTokens, Decoder: tok.NewStream(),
		}, nil)
	}
	speculative, err := generate(spec.Options{Target: target, Draft: small, Policy: policy})
	if err != nil {
		return err
	}
	plain, err := generate(spec.Options{Target: target})
	if err != nil {
		return err
	}
	fmt.Println(speculative.Text)
	s := speculative.Stats
	fmt.Fprintf(os.Stderr, "%d tokens in %d passes, %d drafted; %.1f MB read\n", s.Tokens, s.Passes, s.Drafted, float64(streamer.Stats().BytesRead)/1e6)
	if !slices.Equal(speculative.Tokens, plain.Tokens) {
		return errors.New("plain decoding writes something else")
	}
	fmt.Fprintln(os.Stderr, "plain decoding writes the same")
	return nil
}
