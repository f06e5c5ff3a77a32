package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/crc32c"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// measuredTitle is that of the table of what was measured. Its first column names the type.
const measuredTitle = "Measured on this machine, and simulated with what it takes to compute: geometric means over the sets"

func measuredTable(out *report.Report) *report.Table {
	number := report.Number
	return out.AddTable(measuredTitle, report.Text("type"), report.Text("decoding"), number("sets", 0), number("read for a pass GB", 2), number("tokens/s", 3),
		number("simulated", 3), number("off %", 1), number("accepted/pass", 2), number("simulated", 2), number("s/pass", 3), number("simulated", 3),
		number("computing %", 0), number("waiting for reads %", 0))
}

// measureAll adds to out what was measured of the types earlier, and of those that are to be measured now, beside a simulation of the same flash with
// this machine's processor.
func (c *typeComparison) measureAll(ctx context.Context, out *report.Report) (err error) {
	table := measuredTable(out)
	defer func() { findMeasured(out, table) }()
	c.keepEarlier(table)
	if len(c.Measure) == 0 {
		return nil
	}
	dir := c.Work
	if dir == "" {
		if dir, err = os.MkdirTemp("", "lever-types-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	draft, remove, err := c.model(ctx, c.TypeOptions.Draft, filepath.Join(dir, "draft.lever"), typedTarget.Draft, draftType)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	for _, d := range c.Measure {
		if err := c.measureType(ctx, table, dir, draft, d); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
	}
	return nil
}

// keepEarlier adds the rows of types that are not measured now.
func (c *typeComparison) keepEarlier(table *report.Table) {
	if c.Earlier == nil {
		return
	}
	for _, before := range c.Earlier.Tables {
		if before.Title != measuredTitle || len(before.Columns) != len(table.Columns) {
			continue
		}
		for _, row := range before.Rows {
			if !slices.ContainsFunc(c.Measure, func(d tensor.DType) bool { return d.String() == row[0] }) {
				table.Add(row...)
			}
		}
	}
}

// findMeasured says how the types that were measured compare with the first, and how far the simulation is off.
func findMeasured(out *report.Report, table *report.Table) {
	first, most := map[string]float64{}, map[string]float64{}
	for _, row := range table.Rows {
		way := fmt.Sprint(row[1])
		rate, okRate := row[4].(float64)
		off, okOff := row[6].(float64)
		if !okRate || !okOff {
			continue
		}
		if first[way] == 0 {
			first[way] = rate
		} else {
			out.Find("measured, %v is %.2f times as fast as %v: %s", row[0], rate/first[way], table.Rows[0][0], way)
		}
		most[way] = max(most[way], off, -off)
	}
	for _, name := range ways {
		way := label(name)
		if first[way] > 0 {
			out.Find("simulated tokens/s are off by at most %.1f%% from measured ones: %s", most[way], way)
		}
	}
}

// label returns what a table calls a way of decoding.
func label(way string) string {
	if way == plainName {
		return "plain"
	}
	return way
}

// draftType is that of the draft's matrices.
const draftType = tensor.Q4_0

// model returns the store at path, a model of a real shape: the one that is there, or one that is inflated from src, which remove removes.
func (c *typeComparison) model(ctx context.Context, src, path, shapeName string, d tensor.DType) (store string, remove func() error, err error) {
	if _, err := os.Stat(filepath.Join(path, weights.ManifestName)); err == nil {
		return path, func() error { return nil }, nil
	}
	c.Progress("writing " + filepath.Base(path))
	remove = func() error { return os.RemoveAll(path) }
	shape, err := inflate.ShapeOf(shapeName)
	if err != nil {
		return "", nil, err
	}
	small, err := lever.OpenStore(ctx, src, lever.Config{})
	if err != nil {
		return "", nil, err
	}
	m, err := inflate.New(ctx, small, shape, d)
	if err != nil {
		return "", nil, err
	}
	if err := m.WriteStore(ctx, path, weights.WriteOptions{}); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return path, remove, nil
}

// measured is what a way of decoding reached on this machine.
type measured struct {
	result
	computing, waiting float64 // parts of the time of a pass
	sets               int
}

// measureType adds what a type reaches on this machine.
func (c *typeComparison) measureType(ctx context.Context, table *report.Table, dir, draft string, d tensor.DType) (err error) {
	model, remove, err := c.model(ctx, c.TypeOptions.Model, filepath.Join(dir, d.String()+".lever"), typedTarget.Name, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	began := time.Now()
	throttle, err := flashsim.NewThrottle(c.flash, flashsim.Options{})
	if err != nil {
		return err
	}
	c.Progress(fmt.Sprintf("opening %v", d))
	engine, err := lever.Open(ctx, lever.Config{Model: model, Draft: draft, DRAM: c.DRAM, OpenFile: throttle.Opener(nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	c.Progress(fmt.Sprintf("measuring blocks of %v", d))
	h, _, _, err := c.phone(d)
	if err != nil {
		return err
	}
	plan, _ := engine.Plan()
	read := float64(plan.Streamed)
	if err := c.asHere(ctx, h, engine, model, read); err != nil {
		return err
	}
	for _, name := range ways {
		real, err := c.measureWay(ctx, engine, name, began)
		if err != nil {
			return err
		}
		x, err := c.meanOver(ctx, h, c.pair.Sets[:real.sets], named(name, budget), false)
		if err != nil {
			return err
		}
		off := 100 * (x.rate/real.rate - 1)
		table.Add(d.String(), label(name), real.sets, read/1e9, real.rate, x.rate, off, real.accepted, x.accepted, real.pass, x.pass, 100*real.computing, 100*real.waiting)
		c.Progress(fmt.Sprintf("%v, %s: %.3f tokens/s, simulated %.3f, which is off by %.1f%%; %.0f%% of a pass is computing, %.0f%% waiting for reads", d, label(name), real.rate,
			x.rate, off, 100*real.computing, 100*real.waiting))
	}
	return nil
}

// asHere gives h what this machine takes to compute a target and its draft, by a profile of it. Reading takes a part of it, as what a phone's flash writes
// to memory by itself is copied here.
func (c *typeComparison) asHere(ctx context.Context, h *hardware, engine *lever.Engine, model string, read float64) error {
	pool := kernels.NewPool(0)
	defer pool.Close()
	target, draft := engine.Stores()
	p, err := profile.Measure(ctx, profile.Options{Target: target, Draft: draft, Pool: pool, Dir: model, Duration: profileTime})
	if err != nil {
		return err
	}
	copying, err := copyTime(model)
	if err != nil {
		return err
	}
	copying *= read / float64(pool.Workers())
	h.compute, h.draft = gaincost.Curve{}, gaincost.Curve{}
	position := c.meanPosition()
	for i, block := range p.Target.Block {
		rows := float64(block.Rows)
		h.compute.Points = append(h.compute.Points, gaincost.Point{
			Rows: block.Rows, Seconds: copying + float64(p.Target.Blocks)*(block.Seconds+rows*position*p.Target.Attention),
		})
		h.draft.Points = append(h.draft.Points, gaincost.Point{
			Rows: block.Rows, Seconds: float64(p.Draft.Blocks)*(p.Draft.Block[i].Seconds+rows*position*p.Draft.Attention) + p.Draft.Projection[i].Seconds,
		})
	}
	h.project = p.Target.Projection[0].Seconds
	return nil
}

// profileTime is how long the machine is measured for a type.
var profileTime = 20 * time.Second

// meanPosition returns the mean of the positions at which answers are written.
func (c *typeComparison) meanPosition() float64 {
	sum, prompts := 0, 0
	for _, set := range c.pair.Sets {
		for _, p := range set.Prompts {
			sum, prompts = sum+len(p.Tokens)+c.pair.Tokens/2, prompts+1
		}
	}
	return float64(sum) / float64(prompts)
}

// copyTime returns the median seconds that a thread takes to read a byte of a store from the page cache and to check it.
func copyTime(model string) (seconds float64, err error) {
	chunks, err := filepath.Glob(filepath.Join(model, "chunks", "*.bin"))
	if err != nil || len(chunks) < 2 {
		return 0, errors.Join(err, fmt.Errorf("%s has no chunks of blocks", model))
	}
	f, err := os.Open(chunks[1])
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffers := make([]byte, 16*readBytes) // more than caches hold
	var times []float64
	for round := range 5 {
		began, bytes := time.Now(), 0
		for offset := int64(0); ; offset += readBytes {
			buffer := buffers[int(offset/readBytes)%16*readBytes:][:readBytes]
			n, err := f.ReadAt(buffer, offset)
			crc32c.Checksum(buffer[:n])
			bytes += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return 0, err
			}
		}
		if round > 0 { // the first brings it to the cache
			times = append(times, time.Since(began).Seconds()/float64(bytes))
		}
	}
	return bench.Median(times), nil
}

// plainTokens are those of an answer of plain decoding, whose passes are all alike, in every set.
const plainTokens = 12

// measureWay returns what a way of decoding reaches on this machine.
func (c *typeComparison) measureWay(ctx context.Context, engine *lever.Engine, name string, began time.Time) (m measured, err error) {
	sets, tokens := c.pair.Sets, c.pair.Tokens
	if name == plainName {
		sets, tokens = sets[:1], plainTokens
	}
	var rates, accepted, passes []float64
	var all spec.Stats
	for _, set := range sets {
		if m.sets > 0 && c.MeasureFor > 0 && time.Since(began) > c.MeasureFor {
			break
		}
		sum, err := c.measureSet(ctx, engine, name, set, tokens)
		if err != nil {
			return m, err
		}
		m.sets++
		rates = append(rates, float64(sum.Tokens)/sum.Seconds)
		accepted, passes = append(accepted, float64(sum.Tokens)/float64(sum.Passes)), append(passes, sum.Seconds/float64(sum.Passes))
		add(&all, sum)
		c.Progress(fmt.Sprintf("%s, %s: %.3f tokens/s", label(name), set.Name, rates[len(rates)-1]))
	}
	m.result = result{rate: bench.GeometricMean(rates), accepted: bench.GeometricMean(accepted), pass: bench.GeometricMean(passes)}
	m.computing, m.waiting = all.ComputeSeconds/all.Seconds, all.IOWaitSeconds/all.Seconds
	return m, nil
}

// measureSet returns what the answers to the prompts of a set took, after one that a policy learns from.
func (c *typeComparison) measureSet(ctx context.Context, engine *lever.Engine, name string, set tracedSet, tokens int) (sum spec.Stats, err error) {
	policy, err := lever.NewPolicy(name, budget)
	if err != nil {
		return sum, err
	}
	options := engine.SpecOptions()
	options.Policy, options.Budget = policy, budget
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return sum, err
	}
	if name != plainName {
		if _, err := generator.Generate(ctx, spec.Request{Prompt: set.Warm, MaxTokens: c.pair.WarmTokens, StopTokens: c.pair.Stop}, nil); err != nil {
			return sum, err
		}
	}
	for _, p := range set.Prompts {
		got, err := generator.Generate(ctx, spec.Request{Prompt: p.Tokens, MaxTokens: tokens, StopTokens: c.pair.Stop}, nil)
		if err != nil {
			return sum, fmt.Errorf("%s: %s: %w", p.ID, name, err)
		}
		add(&sum, got.Stats)
	}
	return sum, nil
}

// add adds what counts here of x to sum.
func add(sum *spec.Stats, x spec.Stats) {
	sum.Tokens, sum.Passes, sum.Seconds = sum.Tokens+x.Tokens, sum.Passes+x.Passes, sum.Seconds+x.Seconds
	sum.ComputeSeconds, sum.IOWaitSeconds = sum.ComputeSeconds+x.ComputeSeconds, sum.IOWaitSeconds+x.IOWaitSeconds
}
