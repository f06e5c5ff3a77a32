package distill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/dryrun"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
	"github.com/lever-go/lever/weights"
)

// Report is what a run found out.
type Report struct {
	Samples int    `json:"samples"`
	Exits   []Exit `json:"exits"`
	// Chosen are the layers of the predictors that were written to the store, and Saved is what they save together.
	Chosen []int   `json:"chosen"`
	Saved  float64 `json:"saved"`
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
	model  *arch.Model
	head   *head
}

// Run collects samples, trains a predictor for each exit, and writes those that together save most to the target's store, in place of what was there.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	if isStore, err := weights.IsStore(o.Model); err != nil || !isStore {
		return nil, errors.Join(fmt.Errorf("distill: %s is no store: convert the model first", o.Model), err)
	}
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Draft: o.Draft, Threads: o.Threads, Prune: lever.PruneOff, Architectures: o.Architectures})
	if err != nil {
		return nil, fmt.Errorf("distill: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	r := &run{engine: engine}
	r.store, _ = engine.Stores()
	r.model = engine.Model()
	if r.Options, err = o.withDefaults(r.model.Layers); err == nil {
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
	var stored []weights.StoredPredictor
	for i, exit := range r.Exits {
		p, err := r.train(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("train the predictor after layer %d: %w", exit, err)
		}
		stored = append(stored, p)
		report.Samples = p.Training.Samples
		report.Exits = append(report.Exits, Exit{Layer: exit, Epochs: p.Training.Epochs, Loss: p.Training.HeldOutLoss, Agreement: p.Training.Agreement})
	}
	if err := r.dryRun(ctx, stored, report); err != nil {
		return nil, fmt.Errorf("compare exits: %w", err)
	}
	return report, r.write(stored, report.Chosen)
}

// write stores the predictors of the chosen layers and removes all others.
func (r *run) write(predictors []weights.StoredPredictor, chosen []int) error {
	for i := range predictors {
		if slices.Contains(chosen, predictors[i].Layer) {
			if err := r.store.WritePredictor(&predictors[i]); err != nil {
				return err
			}
		}
	}
	for layer := range r.model.Layers {
		if !slices.Contains(chosen, layer) {
			if err := r.store.RemovePredictor(layer); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect writes the samples.
func (r *run) collect(ctx context.Context) (err error) {
	sequences, err := promptSequences(ctx, r.engine, r.Prompts, r.Answer, r.Seed)
	if err != nil {
		return err
	}
	text, err := textSequences(r.engine.Tokenizer(), r.Text, r.TextTokens, r.Seed)
	if err != nil {
		return err
	}
	sequences = append(sequences, text...)
	writer, err := resume(r.Work, sampleState{
		Version: sampleForm, Model: r.store.Identity(), Text: digest(sequences), Exits: r.Exits, Width: r.model.Width, Top: topTokens,
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
	r.head, err = loadHead(ctx, r.model, streamer, r.engine.Target().Vocab())
	return err
}

// train returns the trained predictor of an exit.
func (r *run) train(ctx context.Context, exit int) (p weights.StoredPredictor, err error) {
	samples, err := openSamples(r.Work)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, samples.close()) }()
	t, err := newTrainer(samples, r.head, exit, r.Rank, r.Temperature, r.model.NormEps, r.Seed)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if _, err = r.study(ctx, t, "batches", exit, samples.state, r.Epochs, 2e-3); err != nil {
		return p, err
	}
	choices, err := readChoices(r.Work, exit)
	if err != nil {
		return p, err
	}
	c, err := newChooser(choices, r.head, exit, r.Rank, t.parameters(), r.model.NormEps, r.Seed)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	learned, err := r.study(ctx, c, "choices", exit, samples.state, r.Epochs, 1e-3)
	if err != nil {
		return p, err
	}
	if p, err = r.head.predictor(c.lesson(), r.Rank); err != nil {
		return p, err
	}
	p.Layer, p.NormEps = r.Exits[exit], r.model.NormEps
	p.Training = weights.Training{
		Samples: samples.state.Samples, Choices: len(choices), Temperature: r.Temperature, Seed: r.Seed,
		Epochs: learned.Epoch, HeldOutLoss: learned.Best.Loss, Agreement: learned.Best.Agreement,
	}
	return p, nil
}

// study trains a student, with checkpoints.
func (r *run) study(ctx context.Context, p student, task string, exit int, state sampleState, epochs int, rate float64) (*checkpoint, error) {
	layer := r.Exits[exit]
	path := filepath.Join(r.Work, fmt.Sprintf("checkpoint-%02d-%s", layer, task))
	c, err := loadCheckpoint(path, fmt.Sprint(state, r.Rank, r.Temperature, r.Seed, r.Epochs))
	if err != nil {
		return nil, err
	}
	return c, study(ctx, p, c, epochs, rate, func() error { return c.save(path) }, func(epoch, done, total int) {
		r.Progress(fmt.Sprintf("%s of epoch %d after layer %d, loss %.3f", task, epoch, layer, c.Best.Loss), done, total)
	})
}

// dryRun lets the target answer the prompts that were held out, notes what pruning by each predictor would save, and chooses among them.
func (r *run) dryRun(ctx context.Context, stored []weights.StoredPredictor, report *Report) error {
	var predictors []earlyexit.Predictor
	for i := range stored {
		p, err := r.engine.NewPredictor(&stored[i])
		if err != nil {
			return err
		}
		predictors = append(predictors, p)
	}
	watcher, err := dryrun.New(predictors, r.model.Layers)
	if err != nil {
		return err
	}
	options := r.engine.SpecOptions()
	options.Pruner = watcher
	if options.Policy, err = dryrun.NewPolicy(); err != nil {
		return err
	}
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return err
	}
	for i := heldOut - 1; i < len(r.Prompts); i += heldOut {
		ids, err := r.engine.Encode(ctx, r.Prompts[i].request())
		if err != nil {
			return err
		}
		if _, err := generator.Generate(ctx, spec.Request{Prompt: ids, MaxTokens: r.Answer, StopTokens: r.engine.Tokenizer().EOS()}, nil); err != nil {
			return err
		}
		r.Progress("held-out prompts answered", i+1, len(r.Prompts))
	}
	saved := func(layers []int, blind bool) float64 {
		curve := watcher.Curve(layers, blind)
		return curve.SavedAt(r.Recall)
	}
	for i := range report.Exits {
		exit := &report.Exits[i]
		exit.Saved, exit.SavedBlind = saved([]int{exit.Layer}, false), saved([]int{exit.Layer}, true)
	}
	report.Chosen, report.Saved = choose(r.Exits, func(layers []int) float64 { return saved(layers, false) })
	return nil
}

// worthIt is what an exit must save beside the others, as a part of rows × layers.
const worthIt = 0.01

// choose takes one exit after the other, each the one that saves most beside those taken before, as long as that is worth it.
func choose(exits []int, saves func(layers []int) float64) (chosen []int, saved float64) {
	for len(chosen) < len(exits) {
		var best []int
		most := 0.0
		for _, exit := range exits {
			if slices.Contains(chosen, exit) {
				continue
			}
			with := append(slices.Clone(chosen), exit)
			slices.Sort(with)
			if s := saves(with); best == nil || s > most {
				best, most = with, s
			}
		}
		if len(chosen) > 0 && most < saved+worthIt {
			break
		}
		chosen, saved = best, most
	}
	return chosen, saved
}
