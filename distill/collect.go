package distill

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/dryrun"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
)

// topTokens is the number of the target's most probable tokens that a sample holds. The loss takes the others for impossible.
const topTokens = 32

// collector runs the target over sequences and writes samples.
type collector struct {
	engine  *lever.Engine
	writer  *sampleWriter
	answers *spec.Generator
	chooser *choiceRecorder

	ids    []int32
	from   int // first row of ids that makes a sample
	hidden [][]float32
	logits []float32
	top    []float32
	sample sample
}

// projectRows is the number of rows of logits that are computed at once.
const projectRows = 16

// collect writes the samples of all sequences that are not done yet.
func collect(ctx context.Context, engine *lever.Engine, sequences []sequence, writer *sampleWriter, progress func(done, total int)) error {
	c := &collector{engine: engine, writer: writer, sample: writer.state.newSample(len(writer.state.Exits))}
	c.hidden = make([][]float32, len(writer.state.Exits))
	c.logits = make([]float32, projectRows*engine.Target().Vocab())
	c.top = make([]float32, writer.state.Top)
	options := engine.SpecOptions()
	var err error
	if options.Policy, err = dryrun.NewPolicy(); err != nil {
		return err
	}
	if c.chooser, err = newChoiceRecorder(writer, engine.Model().Layers, engine.Target().Vocab()); err != nil {
		return err
	}
	options.Pruner = c.chooser
	if c.answers, err = spec.NewGenerator(options); err != nil {
		return err
	}
	for i := writer.state.Sequences; i < len(sequences); i++ {
		if err := c.sequence(ctx, i, sequences[i]); err != nil {
			return fmt.Errorf("%s: %w", sequences[i].name, err)
		}
		progress(i+1, len(sequences))
	}
	return nil
}

func (c *collector) sequence(ctx context.Context, number int, s sequence) error {
	c.ids, c.from = append(c.ids[:0], s.ids...), 0
	if s.answer > 0 {
		c.chooser.begin(uint32(number), s.sampling.Temperature == 0)
		answer, err := c.answers.Generate(ctx, spec.Request{
			Prompt: s.ids, MaxTokens: s.answer, Sampling: s.sampling, StopTokens: c.engine.Tokenizer().EOS(),
		}, nil)
		if err = errors.Join(err, c.chooser.err); err != nil {
			return err
		}
		c.from = len(s.ids) - 1
		c.ids = append(c.ids, answer.Tokens[:len(answer.Tokens)-1]...) // nothing follows the last
	}
	c.sample.sequence = uint32(number)
	d := c.engine.Target()
	if err := d.Truncate(0); err != nil {
		return err
	}
	const rows = 64 // a forward; no decoder takes fewer
	for from := 0; from < len(c.ids); from += rows {
		if err := c.forward(ctx, d, from, min(from+rows, len(c.ids))); err != nil {
			return err
		}
	}
	return errors.Join(d.Truncate(0), c.writer.finish())
}

// forward runs the target over rows from up to to of the sequence.
func (c *collector) forward(ctx context.Context, d *layers.Decoder, from, to int) error {
	exits := c.writer.state.Exits
	batch := layers.Batch{Tokens: c.ids[from:to], HookAfter: exits, Hook: func(layer int, rows []int, hidden []float32) ([]int, error) {
		for i, exit := range exits {
			if exit == layer {
				c.hidden[i] = append(c.hidden[i][:0], hidden...)
			}
		}
		return rows, nil
	}}
	if _, err := d.Forward(ctx, batch); err != nil {
		return err
	}
	var path, some []int
	for row := range to - from {
		path = append(path, row)
	}
	vocab := d.Vocab()
	for row := max(0, c.from-from); row < to-from; row += len(some) {
		some = path[row:min(row+projectRows, to-from)]
		if err := d.Project(ctx, c.logits[:len(some)*vocab], some); err != nil {
			return err
		}
		for i := range some {
			if err := c.add(row+i, c.logits[i*vocab:(i+1)*vocab]); err != nil {
				return err
			}
		}
	}
	return d.Commit(path)
}

// add writes the sample of a row of the latest forward.
func (c *collector) add(row int, logits []float32) error {
	if n := kernels.Default().TopK(c.sample.tokens, c.sample.logits, logits); n < len(c.sample.tokens) {
		return fmt.Errorf("%d of %d logits can be compared", n, len(logits))
	}
	width := c.writer.state.Width
	for i := range c.hidden {
		copy(c.sample.hidden[i*width:(i+1)*width], c.hidden[i][row*width:])
	}
	return c.writer.add(&c.sample)
}
