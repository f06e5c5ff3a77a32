// Command llama31 generates text with Llama-3.1-8B from flash and Llama-3.2-1B as its draft, from the low-level packages, each of which
// can be replaced by one's own. The high-level way is examples/qwen3.
//
//	go run ./examples/llama31 -model llama-8b.lever -draft llama-1b.lever -dram 2048 "Why is the sky blue?"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
)

func main() {
	model := flag.String("model", "", "store of the target, made by lever convert")
	draft := flag.String("draft", "", "store of a small model with the same tokens; without one, decoding is plain")
	dram := flag.Int64("dram", 0, "MiB of memory for the target's weights; the rest is streamed; 0 keeps all in memory")
	maxTokens := flag.Int("max-tokens", 256, "most tokens of the answer")
	flag.Parse()
	if *model == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, `usage: llama31 -model llama-8b.lever [-draft llama-1b.lever] [-dram MiB] "prompt"`)
		os.Exit(2)
	}
	// Cancelling stops in the middle of a pass, and what was generated until then is kept.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *model, *draft, *dram<<20, *maxTokens, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "llama31:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, model, draft string, dram int64, maxTokens int, prompt string) (err error) {
	// Both models use one pool: they never compute at the same time.
	pool := kernels.NewPool(0)
	defer pool.Close()

	target, err := open(ctx, model, dram, draft == "", pool)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.close()) }()
	options := spec.Options{Target: target.decoder, IO: target.io, ProjectTree: target.headStreamed()}
	if draft != "" {
		// The draft stays in memory: it runs several times for every pass of the target.
		small, err := open(ctx, draft, 0, false, pool)
		if err != nil {
			return err
		}
		defer small.close()
		// A draft whose ids mean other text would guess nonsense, at full cost.
		if err := tokenizer.Compatible(target.tokenizer, small.tokenizer); err != nil {
			return err
		}
		options.Draft = small.decoder
		if options.Policy, err = gaincost.NewLever(gaincost.LeverOptions{}); err != nil {
			return err
		}
	}
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return err
	}

	chat, err := target.tokenizer.Chat(ctx, []tokenizer.Message{{Role: "user", Content: prompt}}, tokenizer.ChatOptions{AddGenerationPrompt: true})
	if err != nil {
		return err
	}
	ids, err := target.tokenizer.EncodePrompt(ctx, chat) // what the user spells like a control token stays text
	if err != nil {
		return err
	}
	result, err := generator.Generate(ctx, spec.Request{
		Prompt:      ids,
		MaxTokens:   maxTokens,
		StopTokens:  target.tokenizer.EOS(),
		TextDecoder: target.tokenizer.NewStream(),
	}, func(p spec.Piece) error { // what one pass adds, whole characters
		_, err := fmt.Print(p.Text)
		return err
	})
	fmt.Println()
	s := result.Stats
	fmt.Fprintf(os.Stderr, "tokens %d, %.1f/s; passes %d, of %.2f tokens; %.1f MB read, %.2f s waited for reads (%s)\n",
		s.Tokens, s.TokensPerSecond, s.Passes, s.AcceptedPerPass, float64(s.BytesRead)/1e6, s.IOWaitSeconds, result.Finish)
	return err
}

// model is a decoder and where its weights come from.
type model struct {
	tokenizer *tokenizer.Tokenizer
	decoder   *layers.Decoder
	streamer  *weights.Streamer // nil if all weights are in memory
	close     func() error
}

// open opens a store. With dram bytes of memory for weights it streams what does not fit; plain says that it will decode without a draft.
func open(ctx context.Context, path string, dram int64, plain bool, pool *kernels.Pool) (m *model, err error) {
	store, err := weights.Open(ctx, path, weights.OpenOptions{})
	if err != nil {
		return nil, err
	}
	config, err := arch.Parse(store.Config())
	if err != nil {
		return nil, err
	}
	m = &model{}
	if m.tokenizer, err = tokenizer.Open(store.FS()); err != nil {
		return nil, err
	}
	var source interface {
		layers.Weights
		Close() error
	}
	if dram > 0 {
		m.streamer, err = store.Stream(ctx, weights.StreamOptions{DRAM: dram, HeadOnce: plain})
		source = m.streamer
	} else {
		source, err = store.Resident(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	m.decoder, err = config.Decoder(source, arch.Options{
		Pool: pool, Vocab: min(m.tokenizer.Size(), config.Vocab), // without the rows that only pad the matrix
		Context: min(config.MaxPositions, 8192), // Llama-3.1 could do 131,072; keys and values of 8,192 take 1 GiB
	})
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	m.close = func() error { m.decoder.Close(); return source.Close() }
	return m, nil
}

// headStreamed reports whether every projection reads the output matrix from flash; then one for the whole tree is cheaper.
func (m *model) headStreamed() bool { return m.streamer != nil && !m.streamer.Plan().HeadPinned }

func (m *model) io() spec.IOStats {
	if m.streamer == nil {
		return spec.IOStats{}
	}
	s := m.streamer.Stats()
	return spec.IOStats{BytesRead: s.BytesRead, IOSeconds: s.ReadTime.Seconds(), IOWaitSeconds: s.WaitTime.Seconds()}
}
