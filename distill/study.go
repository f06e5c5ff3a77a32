package distill

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/lever-go/lever/internal/publish"
	gg "gorgonia.org/gorgonia"
)

// A held-out loss that does not fall by minGain halves the rate; after patience such epochs training ends.
const (
	minGain  = 0.002
	patience = 2
)

// student is what is trained epoch by epoch.
type student interface {
	// parameters returns what is trained; it shares memory with the student.
	parameters() [][]float32
	epoch(ctx context.Context, number int, solver gg.Solver, progress func(done, total int)) error
	// evaluate returns how well it does on what was held out.
	evaluate(ctx context.Context) (outcome, error)
}

// outcome is how well a predictor does on text that it was not trained on.
type outcome struct {
	Loss      float64 // mean KL divergence, times τ², or of choices the mean negative logarithm of the chance of what was picked
	Agreement float64
}

// checkpoint is the state of a training between epochs; the solver begins each epoch afresh.
type checkpoint struct {
	Settings       string // of the training
	Epoch          int
	Rate           float64
	Stale          int // epochs in which the loss did not fall enough
	Best           outcome
	Now, BestSoFar [][]float32 // parameters
}

// study trains until the held-out loss falls no more, and leaves the best parameters in the student.
func study(ctx context.Context, p student, c *checkpoint, maxEpochs int, rate float64, save func() error, report func(epoch, done, total int)) error {
	if c.Epoch == 0 {
		first, err := p.evaluate(ctx)
		if err != nil {
			return err
		}
		c.Rate, c.Best, c.Now = rate, first, copies(p.parameters())
		c.BestSoFar = c.Now
	} else if err := restore(p, c.Now); err != nil {
		return err
	}
	for c.Epoch < maxEpochs && c.Stale < patience {
		if err := p.epoch(ctx, c.Epoch+1, gg.NewAdamSolver(gg.WithLearnRate(c.Rate)), func(done, total int) { report(c.Epoch+1, done, total) }); err != nil {
			return err
		}
		now, err := p.evaluate(ctx)
		if err != nil {
			return err
		}
		c.Epoch++
		if now.Loss > c.Best.Loss*(1-minGain) {
			c.Rate /= 2
			c.Stale++
		}
		c.Now = copies(p.parameters())
		if now.Loss < c.Best.Loss {
			c.Best, c.BestSoFar = now, c.Now
		}
		if err := save(); err != nil {
			return err
		}
	}
	return restore(p, c.BestSoFar)
}

func copies(parameters [][]float32) (all [][]float32) {
	for _, p := range parameters {
		all = append(all, slices.Clone(p))
	}
	return all
}

// restore puts back what copies returned.
func restore(p student, saved [][]float32) error {
	now := p.parameters()
	if len(now) != len(saved) {
		return errors.New("a checkpoint of another training: delete the folder")
	}
	for i := range now {
		if copy(now[i], saved[i]) < len(now[i]) {
			return errors.New("a checkpoint of another size: delete the folder")
		}
	}
	return nil
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
	return publish.WriteFile(path, content.Bytes(), 0o644)
}
