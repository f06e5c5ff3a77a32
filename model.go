package lever

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/layers/joint"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
)

// model is a decoder and what it is made from.
type model struct {
	store     *weights.Store
	described *arch.Model
	tokenizer *tokenizer.Tokenizer
	decoder   *layers.Decoder
	reader    reader
	streamer  *weights.Streamer // reader, when it streams; else nil
	maxBatch  int               // rows in one forward
	queue     *offload.Queue    // of products that a device computes; nil without one

	projectAhead int           // see [spec.Options]
	parallel     spec.Parallel // how far the model predicts, as a draft

	blocks []group // of projections; known where there is a device
	head   group
}

// reader is a source of weights that holds memory and files.
type reader interface {
	layers.Weights
	Close() error
}

// Rows in one forward: prompt tokens, or a tree. Every forward over a streamed model reads it from flash, which more rows share.
const (
	residentBatch = 128
	streamedBatch = 256
)

// A head of so many elements comes from memory at every projection, as no cache holds it: some more rows then cost little.
const (
	largeHead     = 32 << 20
	largeHeadRows = 4
)

// openModel opens the model at path with at most dram bytes for its weights; 0 is no bound.
func openModel(ctx context.Context, cfg Config, path string, dram int64, pool *kernels.Pool) (*model, error) {
	store, err := OpenStore(ctx, path, cfg)
	if err != nil {
		return nil, err
	}
	m := &model{store: store, maxBatch: residentBatch}
	if err := m.open(ctx, cfg, dram, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), m.Close())
	}
	return m, nil
}

func (m *model) open(ctx context.Context, cfg Config, dram int64, pool *kernels.Pool) error {
	described, err := arch.Parse(m.store.Config(), cfg.Architectures...)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	m.described = described
	if m.tokenizer, err = tokenizer.Open(m.store.FS()); err != nil {
		return err
	}
	if cfg.ChatTemplate != "" {
		m.tokenizer = m.tokenizer.WithTemplate(cfg.ChatTemplate)
	}
	if dram, err = weightsShare(cfg, described, dram); err != nil {
		return err
	}
	if err := m.openReader(ctx, cfg, dram); err != nil {
		return err
	}
	if described.Vocab*described.Width >= largeHead {
		m.projectAhead = largeHeadRows
	}
	if m.parallel, err = parallel(described, cfg.DraftMask); err != nil {
		return err
	}
	options := arch.Options{
		Pool:     pool,
		Context:  cfg.positions(described),
		KV:       cfg.KV,
		Vocab:    min(m.tokenizer.Size(), described.Vocab),
		Mask:     int(m.parallel.Mask),
		MaxBatch: m.maxBatch,
		Trace:    cfg.parts,
	}
	if cfg.queue != nil {
		m.queue = cfg.queue()
		options.Offloader = m.queue
	}
	m.decoder, err = described.Decoder(m.reader, options)
	return err
}

// positions returns the length of the context of a model.
func (c Config) positions(described *arch.Model) int {
	if c.Context == 0 {
		return min(described.MaxPositions, defaultContextLimit)
	}
	return c.Context
}

// weightsShare returns the bound of the memory of a model's weights: dram, or, if it is negative, what keys and values leave of cfg.Memory.
func weightsShare(cfg Config, described *arch.Model, dram int64) (int64, error) {
	if dram >= 0 {
		return dram, nil
	}
	parts, err := described.DecoderConfig(&layers.Memory{}, arch.Options{Context: cfg.positions(described), KV: cfg.KV, MaxBatch: 1})
	if err != nil {
		return 0, err
	}
	caches := int64(max(cfg.Parallel, 1)) * parts.Cache.MaxBytes()
	return max(cfg.Memory-min(caches, cfg.Memory/2), 1), nil
}

// parallelReach is how many tokens a draft with a mask token is asked for at once, at most: published ones were trained for 8 to 16, of
// which the last are seldom right.
const parallelReach = 8

// parallel returns how far a model predicts by its mask token: the one given, or that of its configuration.
func parallel(m *arch.Model, given *int32) (spec.Parallel, error) {
	var mask int32
	switch {
	case given != nil:
		mask = *given
	case m.MaskToken != nil:
		mask = int32(*m.MaskToken)
	default:
		return spec.Parallel{}, nil
	}
	if mask < 0 || int(mask) >= m.Vocab {
		return spec.Parallel{}, fmt.Errorf("the mask token %d is not one of the %d tokens of the embedding", mask, m.Vocab)
	}
	return spec.Parallel{Mask: mask, Reach: parallelReach}, nil
}

// unbounded is more memory than any model takes.
const unbounded = 1 << 50

// openReader loads all weights, or, where dram bounds their memory, streams what does not fit. Tables of which a pass looks up few rows, beside the
// embedding, stay on flash in any case. Where a device has memory for weights, a stream keeps them there.
func (m *model) openReader(ctx context.Context, cfg Config, dram int64) error {
	if dram == 0 {
		all, err := m.store.Plan(unbounded)
		if err != nil {
			return err
		}
		if all.Tables > 0 || cfg.alloc != nil {
			dram = all.Total()
		}
	}
	if dram == 0 {
		resident, err := m.store.Resident(ctx, cfg.report("loading "+filepath.Base(m.store.Dir())))
		if err != nil {
			return err
		}
		m.reader = resident
		return nil
	}
	streamer, err := m.store.Stream(ctx, weights.StreamOptions{
		DRAM: dram, ReadSize: cfg.ReadSize, Depth: cfg.ReadDepth, Trace: cfg.reads, Alloc: cfg.alloc,
		HeadOnce: cfg.Draft == "", // without a draft, hardly any pass accepts several tokens
	})
	if err != nil {
		return err
	}
	m.reader, m.streamer = streamer, streamer
	if streamer.Plan().ReadsFlash() {
		m.maxBatch = streamedBatch
	}
	return nil
}

// headStreamed reports whether every projection reads the output head from flash.
func (m *model) headStreamed() bool { return m.streamer != nil && !m.streamer.Plan().HeadPinned }

// shared returns how texts share passes. Where weights are in memory, the time of a pass grows with its rows, so that fewer let others wait less at little cost.
func (m *model) shared() (o joint.Options) {
	if m.maxBatch == residentBatch {
		o.Chains = 3 * residentBatch / 8
	}
	return o
}

// readers returns the number of goroutines that wait for reads while the model computes.
func (m *model) readers() int {
	if m.streamer == nil || !m.streamer.Plan().ReadsFlash() {
		return 0
	}
	return m.streamer.Plan().Depth
}

// ioStats returns what has been read from flash so far.
func (m *model) ioStats() spec.IOStats {
	if m.streamer == nil {
		return spec.IOStats{}
	}
	s := m.streamer.Stats()
	return spec.IOStats{
		BytesRead: s.BytesRead, IOSeconds: s.ReadTime.Seconds(), IOWaitSeconds: s.WaitTime.Seconds(),
		Experts: s.Experts, ExpertReads: s.ExpertReads, ExpertBytes: s.ExpertBytes, ExpertWaitSeconds: s.ExpertWait.Seconds(),
	}
}

// ioMode returns how the weights are read; empty where they are in memory.
func (m *model) ioMode() weights.IOMode {
	if m.streamer == nil {
		return ""
	}
	return m.streamer.Stats().Mode
}

// Close gives back what was opened; a model of which only a part was opened can be closed too.
func (m *model) Close() error {
	if m.decoder != nil {
		m.decoder.Close()
	}
	if m.queue != nil {
		m.queue.Close()
	}
	if m.reader == nil {
		return nil
	}
	return m.reader.Close()
}
