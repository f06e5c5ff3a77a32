package distill

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2/maybe"
	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/rehearsal"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// Report is what a run found out.
type Report struct {
	Samples int    `json:"samples"`
	Exits   []Exit `json:"exits"`
	Chosen  int    `json:"chosen"` // layer of the predictor that was written to the store
}

// Exit is what was found at one exit layer.
type Exit struct {
	Layer     int     `json:"layer"`
	Epochs    int     `json:"epochs"`
	Loss      float64 `json:"held_out_loss"`
	Agreement float64 `json:"agreement"` // how often predictor and draft together find the target's token most probable, on held-out text
	// Saved is the part of rows × layers that pruning trees of 64 nodes saves while the wanted part of the accepted nodes goes on, and SavedBlind what the
	// draft alone would save.
	Saved      float64 `json:"saved"`
	SavedBlind float64 `json:"saved_blind"`
}

// run is a training on its way.
type run struct {
	Options
	engine *lever.Engine
	store  *weights.Store
	config layers.Config
	head   *head
}

// Run collects samples, trains a predictor for each exit, and writes the one that saves most to the target's store, in place of what was there.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	if isStore, err := weights.IsStore(o.Model); err != nil || !isStore {
		return nil, errors.Join(fmt.Errorf("distill: %s is no store: convert the model first", o.Model), err)
	}
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Draft: o.Draft, Threads: o.Threads, Prune: lever.PruneOff})
	if err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	r := &run{engine: engine}
	r.store, _ = engine.Stores()
	if r.config, err = layers.ParseConfig(r.store.Config()); err == nil {
		r.Options, err = o.withDefaults(r.config)
	}
	if err == nil {
		report, err = r.run(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	return report, nil
}

func (r *run) run(ctx context.Context) (*Report, error) {
	if err := os.MkdirAll(r.Work, 0o755); err != nil {
		return nil, err
	}
	if err := r.collect(ctx); err != nil {
		return nil, fmt.Errorf("collect samples: %w", err)
	}
	if err := r.loadHead(ctx); err != nil {
		return nil, err
	}
	report := &Report{}
	var stored []weights.Predictor
	for i, exit := range r.Exits {
		p, err := r.train(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("train the predictor after layer %d: %w", exit, err)
		}
		stored = append(stored, p)
		report.Samples = p.Training.Samples
		report.Exits = append(report.Exits, Exit{Layer: exit, Epochs: p.Training.Epochs, Loss: p.Training.HeldOutLoss, Agreement: p.Training.Agreement})
	}
	if err := r.rehearse(ctx, stored, report.Exits); err != nil {
		return nil, fmt.Errorf("compare exits: %w", err)
	}
	best := 0
	for i, exit := range report.Exits {
		if exit.Saved > report.Exits[best].Saved {
			best = i
		}
	}
	report.Chosen = report.Exits[best].Layer
	if err := r.store.WritePredictor(&stored[best]); err != nil {
		return nil, err
	}
	for layer := range r.config.Layers {
		if layer != report.Chosen {
			if err := r.store.RemovePredictor(layer); err != nil {
				return nil, err
			}
		}
	}
	return report, nil
}

// collect writes the samples.
func (r *run) collect(ctx context.Context) (err error) {
	sequences, err := promptSequences(r.engine, r.Prompts, r.Answer, r.Seed)
	if err != nil {
		return err
	}
	text, err := textSequences(r.engine.Tokenizer(), r.Text, r.TextTokens, r.Seed)
	if err != nil {
		return err
	}
	sequences = append(sequences, text...)
	writer, err := resume(r.Work, sampleState{
		Version: sampleForm, Model: r.store.Identity(), Text: digest(sequences), Exits: r.Exits, Width: r.config.Width, Top: topTokens,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, writer.close()) }()
	return collect(ctx, r.engine, sequences, writer, func(done, total int) { r.Progress("texts run over", done, total) })
}

func (r *run) loadHead(ctx context.Context) (err error) {
	streamer, err := r.store.Stream(ctx, weights.StreamOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, streamer.Close()) }()
	r.head, err = loadHead(ctx, r.config, streamer, r.engine.Target().Vocab())
	return err
}

// train returns the trained predictor of an exit.
func (r *run) train(ctx context.Context, exit int) (p weights.Predictor, err error) {
	samples, err := openSamples(r.Work)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, samples.close()) }()
	t, err := newTrainer(samples, r.head, exit, r.Rank, r.Temperature, r.config.NormEps, r.Seed)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	layer := r.Exits[exit]
	path := filepath.Join(r.Work, fmt.Sprintf("checkpoint-%02d", layer))
	settings := fmt.Sprint(samples.state, r.Rank, r.Temperature, r.Seed)
	c, err := loadCheckpoint(path, settings)
	if err != nil {
		return p, err
	}
	err = t.run(ctx, c, r.Epochs, func() error { return c.save(path) }, func(epoch, done, total int) {
		r.Progress(fmt.Sprintf("batches of epoch %d after layer %d, loss %.3f", epoch, layer, c.Best.Loss), done, total)
	})
	if err != nil {
		return p, err
	}
	if p, err = r.head.predictor(c, r.Rank); err != nil {
		return p, err
	}
	p.Layer, p.NormEps = layer, r.config.NormEps
	p.Training = weights.Training{
		Samples: samples.state.Samples, Temperature: r.Temperature, Seed: r.Seed, Epochs: c.Epoch, HeldOutLoss: c.Best.Loss, Agreement: c.Best.Agreement,
	}
	return p, nil
}

// loadCheckpoint reads a checkpoint, or returns an empty one where there is none of this training.
func loadCheckpoint(path, settings string) (*checkpoint, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &checkpoint{Settings: settings}, nil
	}
	if err != nil {
		return nil, err
	}
	var c checkpoint
	if err := gob.NewDecoder(bytes.NewReader(content)).Decode(&c); err != nil || c.Settings != settings {
		return &checkpoint{Settings: settings}, nil // of another training, or of another version: begin anew
	}
	return &c, nil
}

func (c *checkpoint) save(path string) error {
	var content bytes.Buffer
	if err := gob.NewEncoder(&content).Encode(c); err != nil {
		return err
	}
	return maybe.WriteFile(path, content.Bytes(), 0o644)
}

// rehearse lets the target answer the prompts that were held out, and notes what pruning by each predictor would save.
func (r *run) rehearse(ctx context.Context, stored []weights.Predictor, exits []Exit) error {
	var predictors []spec.Predictor
	for _, s := range stored {
		p, err := layers.NewPredictor(layers.PredictorConfig{Layer: s.Layer, NormEps: s.NormEps, Down: s.Down, Out: s.Out}, r.config.Width, nil)
		if err != nil {
			return err
		}
		predictors = append(predictors, p)
	}
	watcher, err := rehearsal.New(predictors, r.config.Layers)
	if err != nil {
		return err
	}
	options := r.engine.SpecOptions()
	options.Pruner = watcher
	if options.Policy, err = rehearsal.NewPolicy(); err != nil {
		return err
	}
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return err
	}
	for i := heldOut - 1; i < len(r.Prompts); i += heldOut {
		ids, err := r.engine.Encode(r.Prompts[i].request())
		if err != nil {
			return err
		}
		if _, err := generator.Generate(ctx, spec.Request{Prompt: ids, MaxTokens: r.Answer, StopTokens: r.engine.Tokenizer().EOS()}, nil); err != nil {
			return err
		}
		r.Progress("held-out prompts answered", i+1, len(r.Prompts))
	}
	for _, curve := range watcher.Curves() {
		for i := range exits {
			switch saved := curve.SavedAt(r.Recall); {
			case exits[i].Layer != curve.Layer:
			case curve.Blind:
				exits[i].SavedBlind = saved
			default:
				exits[i].Saved = saved
			}
		}
	}
	return nil
}
