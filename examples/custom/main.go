// Command custom runs an architecture of its own: a block that computes attention and MLP side by side, as GPT-NeoX does, instead of one after
// the other, built from the parts of package layers. Its weights have the names and shapes of Llama's, so a Hugging Face folder or a GGUF
// file is converted like any Llama; cache, trees, streaming and speculation need not know of the block.
//
//	go run ./examples/custom -model MODEL -draft DRAFT -dram 2048 "def fibonacci(n):"
//
// Models that were not trained with this block write nonsense; the same nonsense with a draft and without, which the program checks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
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

// parallelBlock adds attention(norm1(x)) + mlp(norm2(x)) to x.
type parallelBlock struct {
	attnNorm, mlpNorm *layers.RMSNorm
	attention         *layers.Attention
	mlp               *layers.MLP
	x, norm, out      []float32 // [maxRows][width], shared by all blocks
}

// Forward asks for its weights in the order in which the store keeps them, so that the stream runs ahead of it.
func (b *parallelBlock) Forward(ctx context.Context, x []float32, rows *layers.Rows) error {
	before, norm, out := b.x[:len(x)], b.norm[:len(x)], b.out[:len(x)]
	copy(before, x)
	if err := b.attnNorm.Forward(ctx, norm, before); err != nil {
		return err
	}
	if err := b.attention.Forward(ctx, out, norm, rows); err != nil {
		return err
	}
	kernels.Add(x, out)
	if err := b.mlpNorm.Forward(ctx, norm, before); err != nil { // of what attention has seen too
		return err
	}
	if err := b.mlp.Forward(ctx, out, norm, rows.Len()); err != nil {
		return err
	}
	kernels.Add(x, out)
	return nil
}

// newDecoder puts the parts together.
func newDecoder(cfg layers.Config, w layers.Weights, pool *kernels.Pool) (*layers.Decoder, error) {
	ws := layers.NewWorkspace(w, pool, maxRows)
	cache, err := layers.NewKVCache(layers.KVConfig{Layers: cfg.Layers, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim, Context: min(cfg.MaxPositions, 2048)})
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
	attention := layers.AttentionConfig{Width: cfg.Width, Heads: cfg.Heads, KVHeads: cfg.KVHeads, HeadDim: cfg.HeadDim}
	scratch := func() []float32 { return make([]float32, maxRows*cfg.Width) }
	x, norm, out := scratch(), scratch(), scratch()
	for i := range cfg.Layers {
		prefix := fmt.Sprintf("block.%d", i)
		model.Layers = append(model.Layers, &parallelBlock{
			attnNorm:  layers.NewRMSNorm(ws, prefix+".attn_norm", cfg.Width, cfg.NormEps),
			attention: layers.NewAttention(ws, prefix, attention, rotary, cache, i),
			mlpNorm:   layers.NewRMSNorm(ws, prefix+".mlp_norm", cfg.Width, cfg.NormEps),
			mlp:       layers.NewMLP(ws, prefix, cfg.Width, cfg.FFN),
			x:         x, norm: norm, out: out,
		})
	}
	return layers.Assemble(model)
}

func main() {
	model := flag.String("model", "", "target with the tensors of a Llama: a store, a Hugging Face folder or a GGUF file")
	draft := flag.String("draft", "", "small model with the same tokens")
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
	store, cfg, err := open(ctx, model)
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
	smallStore, smallCfg, err := open(ctx, draft)
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
	// A fixed chain, so that something is drafted however badly the two models agree. spec.NewLever drafts what pays.
	policy, err := spec.NewPolicy("chain", 4)
	if err != nil {
		return err
	}
	generate := func(options spec.Options) (spec.Result, error) {
		generator, err := spec.NewGenerator(options)
		if err != nil {
			return spec.Result{}, err
		}
		return generator.Generate(ctx, spec.Request{
			Prompt: tok.Encode(text, tokenizer.EncodeOptions{AddBOS: true}), MaxTokens: maxTokens, Decoder: tok.NewStream(),
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

// open opens a model, which is converted into the cache if it is not a store.
func open(ctx context.Context, path string) (*weights.Store, layers.Config, error) {
	store, err := lever.OpenStore(ctx, path, lever.Config{})
	if err != nil {
		return nil, layers.Config{}, err
	}
	cfg, err := layers.ParseConfig(store.Config())
	if err == nil && cfg.Family != layers.Llama {
		err = fmt.Errorf("%s has the tensors of a %s, not of a llama", path, cfg.Family)
	}
	return store, cfg, err
}
