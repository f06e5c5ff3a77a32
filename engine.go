package lever

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
	"github.com/lever-go/lever/weights"
)

// ErrBusy says that an [Engine] is in the middle of as many generations as it does at once, or of saving or loading a session, which it does alone.
// The same call succeeds once that has ended.
var ErrBusy = errors.New("the engine is busy")

// ErrContextLimit is wrapped beside [spec.ErrPromptTooLong] where the context is as long as the model allows, so that only a shorter prompt helps.
var ErrContextLimit = errors.New("the model allows no more")

var errNoContext = errors.New("lever: the context is nil; context.Background() never ends")

// Engine is a target model with its tokenizer and perhaps a draft model, ready to generate. It does one thing at a time, or [Config].Parallel
// generations, and calls that come meanwhile fail with [ErrBusy]; those that may be made from any goroutine at any time say so. It must be closed.
type Engine struct {
	turns  turns
	closed atomic.Bool // set while nobody else has a turn

	pool   *kernels.Pool
	target *model
	draft  *model  // nil without a draft
	prune  float64 // as configured
	trace  *tracer
	npu    offloading
	pause  func(busy time.Duration) time.Duration // or nil

	remembered *remembered  // nil where nothing is
	learned    *keptLearned // the same

	conversations conversations

	noPruning  string
	vocabulary func() (*grammar.Vocabulary, error) // made when it is first asked for
	syntax     func() (*toolcall.Syntax, error)    // the same
}

// Open opens the models of cfg. Cancelling ctx stops a conversion or a load; a store is then left as it was.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if ctx == nil {
		return nil, errNoContext
	}
	e := &Engine{npu: offloading{placement: cfg.Placement, cpuCosts: cfg.CPUCosts, npuCosts: cfg.NPUCosts}, pause: cfg.Pause}
	if cfg.NPU != nil {
		e.npu.scheduler = offload.New(cfg.NPU)
	}
	e.vocabulary = sync.OnceValues(e.newVocabulary)
	e.syntax = sync.OnceValues(func() (*toolcall.Syntax, error) { return toolcall.Find(context.Background(), e.target.tokenizer) }) // which is bounded
	if err := e.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context, cfg Config) (err error) {
	if cfg.Model == "" {
		return errors.New("lever: no model given")
	}
	if err := kernels.EnvError(); err != nil {
		return err
	}
	if cfg.Parallel < 0 || cfg.Parallel > MaxParallel {
		return fmt.Errorf("lever: %d generations at once are outside 0..%d", cfg.Parallel, MaxParallel)
	}
	if cfg.Threads < 0 || cfg.Threads > MaxThreads {
		return fmt.Errorf("lever: %d threads are outside 0..%d", cfg.Threads, MaxThreads)
	}
	newPool := kernels.NewPool
	if cfg.BigCores {
		newPool = kernels.NewPinnedPool
	}
	e.pool = newPool(cfg.Threads)
	if cfg.Kernels != "" {
		set, err := kernels.Named(cfg.Kernels)
		if err != nil {
			return fmt.Errorf("lever: %w", err)
		}
		e.pool.Use(set)
	}
	if e.trace, err = newTracer(cfg.Trace); err != nil {
		return err
	}
	cfg.parts, cfg.reads = e.trace.parts(), e.trace.reads()
	cfg.queue, cfg.alloc = e.npu.queues(e.npu.target(), e.pool), e.npu.memory(e.npu.target())
	target := cfg
	target.DraftMask = nil
	dram := cfg.DRAM
	if cfg.Memory > 0 {
		dram = -1 // what the caches leave
	}
	if e.target, err = openModel(ctx, target, cfg.Model, dram, e.pool); err != nil {
		return fmt.Errorf("lever: target: %w", err)
	}
	e.prune = cfg.Prune
	if cfg.Draft != "" {
		if err := e.openDraft(ctx, cfg); err != nil {
			return err
		}
	}
	if err := e.prepareNPU(ctx); err != nil {
		return fmt.Errorf("lever: %w", err)
	}
	if cfg.Remember != "" {
		if e.remembered, err = openRemembered(cfg.Remember, e.target.tokenizer); err != nil {
			return err
		}
	}
	if cfg.KeepLearned {
		if err := e.openLearned(cfg); err != nil {
			return err
		}
	}
	return e.openConversations(cfg)
}

// newPolicy returns what decides for a conversation what is drafted, where requests do not; nil if there is nothing to draft from.
func (e *Engine) newPolicy() (spec.Policy, error) {
	if e.conversations.newPolicy != nil {
		return e.conversations.newPolicy(e)
	}
	if e.draft == nil && e.remembered == nil {
		return nil, nil
	}
	return e.NewLever(gaincost.LeverOptions{})
}

// openDraft opens the draft model, which must fit the target.
func (e *Engine) openDraft(ctx context.Context, cfg Config) (err error) {
	cfg.queue, cfg.alloc = e.npu.queues(e.npu.draft(), e.pool), e.npu.memory(e.npu.draft())
	cfg.OpenFile, cfg.parts, cfg.reads = nil, nil, nil // the draft's files are read once
	if e.draft, err = openModel(ctx, cfg, cfg.Draft, 0, e.pool); err != nil {
		return fmt.Errorf("lever: draft: %w", err)
	}
	if err := tokenizer.Compatible(e.target.tokenizer, e.draft.tokenizer); err != nil {
		return fmt.Errorf("lever: draft %s does not fit target %s: %w", cfg.Draft, cfg.Model, err)
	}
	if draft, target := e.draft.decoder.Vocab(), e.target.decoder.Vocab(); draft != target {
		return fmt.Errorf("lever: draft %s does not fit target %s: it has %d tokens, the target %d", cfg.Draft, cfg.Model, draft, target)
	}
	return nil
}

// models returns the target and, if there is one, the draft, as far as they are open.
func (e *Engine) models() (open []*model) {
	for _, m := range []*model{e.target, e.draft} {
		if m != nil {
			open = append(open, m)
		}
	}
	return open
}

// turns counts who uses the models.
type turns struct {
	mu    sync.Mutex
	taken int
}

// begin takes the whole engine, which end gives back.
func (e *Engine) begin() error { return e.beginWith(0, e.conversations.most) }

func (e *Engine) end() { e.turns.give(e.conversations.most) }

// beginOne takes part of the engine for a generation, which endOne gives back.
func (e *Engine) beginOne() error { return e.beginWith(e.conversations.most-1, 1) }

func (e *Engine) endOne() { e.turns.give(1) }

// beginWith takes n turns if others have no more than a number of them.
func (e *Engine) beginWith(others, n int) error {
	e.turns.mu.Lock()
	defer e.turns.mu.Unlock()
	switch {
	case e.turns.taken > others:
		return ErrBusy
	case e.closed.Load():
		return os.ErrClosed
	}
	e.turns.taken += n
	return nil
}

func (t *turns) give(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken -= n
}

// check returns the error of a call without a context, or on a closed engine, of a method that does not take a turn.
func (e *Engine) check(ctx context.Context) error {
	if ctx == nil {
		return errNoContext
	}
	return e.checkOpen()
}

func (e *Engine) checkOpen() error {
	if e.closed.Load() {
		return fmt.Errorf("lever: the engine: %w", os.ErrClosed)
	}
	return nil
}

// Close gives back all memory and files. During a generation it closes nothing and fails with [ErrBusy]. Methods that return an error fail with
// [os.ErrClosed] afterwards; a second Close does nothing.
func (e *Engine) Close() error {
	switch err := e.begin(); {
	case errors.Is(err, os.ErrClosed):
		return nil
	case err != nil:
		return fmt.Errorf("lever: close: %w", err)
	}
	defer e.end()
	e.closed.Store(true)
	return e.close()
}

func (e *Engine) close() error {
	e.learned.save()
	errs := []error{e.remembered.save()}
	for _, m := range e.models() {
		errs = append(errs, m.Close())
	}
	if e.npu.scheduler != nil {
		errs = append(errs, e.npu.scheduler.Close())
	}
	e.pool.Close()
	errs = append(errs, e.trace.close())
	return errors.Join(errs...)
}

// Tokenizer returns the target's tokenizer. It may be called from any goroutine.
func (e *Engine) Tokenizer() *tokenizer.Tokenizer { return e.target.tokenizer }

// Context returns the most tokens of a prompt and its answer together. It may be called from any goroutine.
func (e *Engine) Context() int { return e.target.decoder.Context() }

// BytesRead returns how many bytes of the target's weights have been read from flash since the engine was opened, for all generations together. It may be called from
// any goroutine.
func (e *Engine) BytesRead() int64 { return e.target.ioStats().BytesRead }

// Vocabulary returns the target's vocabulary, which makes grammars for requests. It may be called from any goroutine.
func (e *Engine) Vocabulary() (*grammar.Vocabulary, error) {
	if err := e.checkOpen(); err != nil {
		return nil, err
	}
	return e.vocabulary()
}

func (e *Engine) newVocabulary() (*grammar.Vocabulary, error) {
	tok := e.target.tokenizer
	spell := func(token int32) string { return toolcall.Spell(tok, token) }
	return grammar.NewVocabulary(e.target.decoder.Vocab(), spell, tok.EOS())
}

// Target returns the target's decoder, for those who want hidden states or logits. It must not be used during a generation.
func (e *Engine) Target() *layers.Decoder { return e.target.decoder }

// Stores returns the stores of the target and of the draft, which is nil where there is none.
func (e *Engine) Stores() (target, draft *weights.Store) {
	if e.draft != nil {
		draft = e.draft.store
	}
	return e.target.store, draft
}

// Model returns what the architecture of the target says of it.
func (e *Engine) Model() *arch.Model { return e.target.described }

// HasDraft reports whether there is a draft model.
func (e *Engine) HasDraft() bool { return e.draft != nil }

// enter prepares the process for a generation: the calling goroutine for the cores that the workers are pinned to, and Go's scheduler
// for the goroutines that read. leave, on the same goroutine, ends that.
func (e *Engine) enter() (leave func()) {
	unpin, release := e.pool.Pin(), host.Raise(e.target.readers())
	return func() {
		release()
		unpin()
	}
}

// SpecOptions returns the models as a [spec.Generator] takes them, for those who run the loop themselves. They must not be used
// during a generation of the Engine, and are closed with it.
func (e *Engine) SpecOptions() spec.Options {
	options := e.commonOptions()
	e.conversations.mu.Lock()
	defer e.conversations.mu.Unlock()
	if exit := e.conversations.all[0].exit; exit != nil {
		options.Pruner = exit
	}
	return options
}

// commonOptions returns the options of a generation but for what a conversation has of its own.
func (e *Engine) commonOptions() spec.Options {
	options := spec.Options{
		Target:      e.target.decoder,
		MaxBatch:    e.target.maxBatch,
		IO:          e.target.ioStats,
		Enter:       e.enter,
		ProjectTree: e.projectTree(),

		ProjectAhead: e.target.projectAhead,
	}
	if e.draft != nil {
		options.Draft, options.Parallel = e.draft.decoder, e.draft.parallel
	}
	if e.target.streamer != nil && e.target.streamer.Plan().Experts > 0 {
		options.Cold = e.target.decoder.Cold
	}
	e.trace.models(&options)
	return options
}
