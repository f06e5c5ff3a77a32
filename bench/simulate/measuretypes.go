package simulate

import (
	"cmp"
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
	"github.com/lever-go/lever/bench/policies"
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

// measuredTitle is that of the table of what was measured. Its first columns name the type and the way of decoding.
const measuredTitle = "Measured on this machine, and simulated with what it takes to compute: geometric means over the sets"

// typeResult is what is recorded of a type: what this machine takes to compute it or, at one speed of reading, what the answers of a set took.
type typeResult struct {
	Type      string     `json:"type"`
	Computing *computing `json:"computing,omitempty"`
	Share     float64    `json:"cpu_share,omitempty"`
	Way       string     `json:"way,omitempty"`
	Set       string     `json:"set,omitempty"`
	Stats     spec.Stats `json:"stats"`
}

// computing is what this machine takes to compute a target and its draft, in seconds by the number of rows, and how it reads the target.
type computing struct {
	Target  []gaincost.Point `json:"target"`
	Draft   []gaincost.Point `json:"draft"`
	Project float64          `json:"project"`
	Read    int64            `json:"streamed_pass_bytes"`
	Ring    int64            `json:"ring_bytes"`
	Each    int              `json:"read_bytes"`
}

// typeHeader is what results must have in common to be of one measurement.
type typeHeader struct {
	Pair, Target, Prompts, Flash, Kernels string
	DRAM                                  int64
	Plain, Tokens                         int
}

// measurement is the measuring of types on its way.
type measurement struct {
	*typeComparison
	measured simulation // of the answers that are measured
	record   *bench.Record[typeResult]
	draft    string

	// By type, the simulation of a small pair that writes what the large one does in that type, as a type changes the text, and the pair's engine.
	recoded map[tensor.DType]*simulation
	engines []*lever.Engine
}

// The shapes of small pairs, into which blocks of all types fit.
var (
	recodedTarget = inflate.Shape{Name: "recoded", Width: 512, Layers: 9, Heads: 6, KVHeads: 2, HeadDim: 128, FFN: 1024, Vocab: 4608}
	recodedDraft  = inflate.Shape{Name: "recoded-draft", Width: 256, Layers: 4, Heads: 6, KVHeads: 3, HeadDim: 128, FFN: 640, Vocab: 4608}
)

// measureAll adds to out what was measured of types: earlier, as far as the record knows, and now. Beside it stands a simulation of the same flash with
// this machine's processor and with the text of the type.
func (c *typeComparison) measureAll(ctx context.Context, out *report.Report) (err error) {
	pair := *c.pair
	pair.Tokens, pair.WarmTokens = c.MeasureTokens, c.MeasureTokens
	pair.Sets = slices.Clone(pair.Sets[:min(c.MeasureSets, len(pair.Sets))])
	for i := range pair.Sets {
		pair.Sets[i].Prompts = pair.Sets[i].Prompts[:1]
	}
	m := measurement{typeComparison: c, measured: simulation{Options: c.simulation.Options, pair: &pair}, recoded: map[tensor.DType]*simulation{}}
	m.record, err = bench.OpenRecord[typeResult](c.TypeOptions.Record, typeHeader{
		Pair: pair.Target.Hash + " " + pair.Draft.Hash, Target: typedTarget.Name, Prompts: pair.describe(), Flash: c.Flash, Kernels: bench.ThisMachine().Kernels, DRAM: c.DRAM,
		Plain: plainTokens, Tokens: c.MeasureTokens,
	})
	if err != nil {
		return err
	}
	defer func() {
		for _, engine := range m.engines {
			err = errors.Join(err, engine.Close())
		}
		err = errors.Join(err, m.record.Close())
	}()
	if err := m.measure(ctx); err != nil {
		return err
	}
	return m.present(ctx, out)
}

// measure measures what the record lacks of the types that are to be measured.
func (m *measurement) measure(ctx context.Context) (err error) {
	lacking := slices.DeleteFunc(slices.Clone(m.Measure), func(d tensor.DType) bool {
		return !slices.ContainsFunc(m.CPUShares, func(share float64) bool { return m.lacks(d, share) })
	})
	if len(lacking) == 0 {
		return nil
	}
	dir := m.Work
	if dir == "" {
		if dir, err = os.MkdirTemp("", "lever-types-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	draft, remove, err := m.model(ctx, m.TypeOptions.Draft, filepath.Join(dir, "draft.lever"), typedTarget.Draft, draftType)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	m.draft = draft
	for _, d := range lacking {
		if err := m.measureType(ctx, dir, d); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
	}
	return nil
}

// computing returns what the record knows of computing a type; nil if it knows nothing.
func (m *measurement) computing(d tensor.DType) *computing {
	for _, x := range m.record.Results {
		if x.Type == d.String() && x.Computing != nil {
			return x.Computing
		}
	}
	return nil
}

// answers returns what the record knows of the answers of a set; nil if it knows nothing.
func (m *measurement) answers(d tensor.DType, share float64, way, set string) *spec.Stats {
	for i, x := range m.record.Results {
		if x.Type == d.String() && x.Share == share && x.Way == way && x.Set == set {
			return &m.record.Results[i].Stats
		}
	}
	return nil
}

// lacks reports whether the record lacks a part of what is to be measured of a type.
func (m *measurement) lacks(d tensor.DType, share float64) bool {
	lacking := m.computing(d) == nil
	for _, way := range ways {
		for _, set := range m.setsOf(way) {
			lacking = lacking || m.answers(d, share, way, set.Name) == nil
		}
	}
	return lacking
}

// setsOf returns the sets whose prompts a way answers. The passes of plain decoding are all alike: one is enough.
func (m *measurement) setsOf(way string) []tracedSet {
	if way == plainName {
		return m.measured.pair.Sets[:1]
	}
	return m.measured.pair.Sets
}

// present adds a row for each type, way and speed that was measured as a whole.
func (m *measurement) present(ctx context.Context, out *report.Report) error {
	number := report.Number
	table := out.AddTable(measuredTitle, report.Text("type"), report.Text("decoding"), number("reads slowed", 2), number("sets", 0), number("read for a pass GB", 2),
		number("tokens/s", 3), number("simulated", 3), number("off %", 1), number("drafted/pass", 1), number("simulated", 1),
		number("accepted/pass", 2), number("simulated", 2), number("s/pass", 3), number("simulated", 3),
		number("computing %", 0), number("waiting for reads %", 0), number("drafting %", 0))
	for _, share := range m.shares() {
		for _, d := range m.Types {
			if m.lacks(d, share) {
				continue
			}
			for _, way := range ways {
				row, err := m.row(ctx, d, share, way)
				if err != nil {
					return err
				}
				table.Add(row...)
			}
		}
	}
	findMeasured(out, table)
	return nil
}

// shares returns those of the record, the largest first.
func (m *measurement) shares() (all []float64) {
	for _, x := range m.record.Results {
		if x.Way != "" && !slices.Contains(all, x.Share) {
			all = append(all, x.Share)
		}
	}
	slices.SortFunc(all, func(a, b float64) int { return cmp.Compare(b, a) })
	return all
}

// row returns what a way of decoding reached on this machine, beside its simulation.
func (m *measurement) row(ctx context.Context, d tensor.DType, share float64, way string) ([]any, error) {
	sets := m.setsOf(way)
	var rates, accepted, passes []float64
	var all spec.Stats
	for _, set := range sets {
		sum := *m.answers(d, share, way, set.Name)
		rates, accepted = append(rates, float64(sum.Tokens)/sum.Seconds), append(accepted, float64(sum.Tokens)/float64(sum.Passes))
		passes = append(passes, sum.Seconds/float64(sum.Passes))
		add(&all, sum)
	}
	h, err := m.hardware(d, share)
	if err != nil {
		return nil, err
	}
	small, err := m.recode(ctx, d)
	if err != nil {
		return nil, err
	}
	x, err := small.meanOver(ctx, h, small.pair.Sets[:len(sets)], h.variant(way), false)
	if err != nil {
		return nil, err
	}
	rate := bench.GeometricMean(rates)
	part := func(seconds float64) float64 { return 100 * seconds / all.Seconds }
	return []any{
		d.String(), label(way), 1 / share, len(sets), float64(m.computing(d).Read) / 1e9, rate, x.rate, 100 * (x.rate/rate - 1), float64(all.Drafted) / float64(all.Passes), x.drafted,
		bench.GeometricMean(accepted), x.accepted, bench.GeometricMean(passes), x.accepted / x.rate, part(all.ComputeSeconds), part(all.IOWaitSeconds), part(all.DraftSeconds),
	}, nil
}

// recode returns the simulation of the answers that are measured of a type, whose text comes from a small pair.
func (m *measurement) recode(ctx context.Context, d tensor.DType) (s *simulation, err error) {
	if s, ok := m.recoded[d]; ok {
		return s, nil
	}
	dir, err := os.MkdirTemp("", "lever-types-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := lever.Config{Model: filepath.Join(dir, "target.lever"), Draft: filepath.Join(dir, "draft.lever")}
	if err := writeInflated(ctx, m.TypeOptions.Model, cfg.Model, recodedTarget, d); err != nil {
		return nil, err
	}
	if err := writeInflated(ctx, m.TypeOptions.Draft, cfg.Draft, recodedDraft, draftType); err != nil {
		return nil, err
	}
	engine, err := lever.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	m.engines = append(m.engines, engine)
	s = &simulation{Options: m.measured.Options}
	if s.pair, err = s.ask(ctx, engine); err != nil {
		return nil, err
	}
	s.pair.Tokens, s.pair.WarmTokens, s.pair.Sets = m.measured.pair.Tokens, m.measured.pair.WarmTokens, m.measured.pair.Sets
	m.recoded[d] = s
	return s, nil
}

// stepsOfLayer are the steps that a layer is read and computed in, as it is in parts, of which the ring of a larger type holds less than a layer.
const stepsOfLayer = 8

// hardware returns how this machine runs a type, by what was recorded, with reads as much slower than the phone's as it computes slower by its share.
func (m *measurement) hardware(d tensor.DType, share float64) (*hardware, error) {
	h, _, _, err := m.phone(d)
	if err != nil {
		return nil, err
	}
	flash, err := m.flash.Slowed(1 / share)
	if err != nil {
		return nil, err
	}
	x := m.computing(d)
	h.layers *= stepsOfLayer
	step := float64(x.Read) / float64(h.layers)
	h.read, h.ring = reads(flash, step, float64(x.Each)), int(max(1, float64(x.Ring)/step))
	h.compute, h.draft, h.project = gaincost.Curve{Points: x.Target}, gaincost.Curve{Points: x.Draft}, x.Project
	return h, nil
}

// findMeasured says how the types that were measured compare with the first, and how far the simulation is off.
func findMeasured(out *report.Report, table *report.Table) {
	first, most := map[string]float64{}, map[string]float64{}
	var kinds []string
	for _, row := range table.Rows {
		kind := fmt.Sprint(row[1])
		if slowed := row[2].(float64); slowed != 1 {
			kind += fmt.Sprintf(", reads slowed %.2f times", slowed)
		}
		rate, off := row[5].(float64), row[7].(float64)
		if first[kind] == 0 {
			first[kind], kinds = rate, append(kinds, kind)
		} else {
			out.Find("measured, %v is %.2f times as fast as %v: %s", row[0], rate/first[kind], table.Rows[0][0], kind)
		}
		most[kind] = max(most[kind], off, -off)
	}
	for _, kind := range kinds {
		out.Find("simulated tokens/s are off by at most %.1f%% from measured ones: %s", most[kind], kind)
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
func (m *measurement) model(ctx context.Context, src, path, shapeName string, d tensor.DType) (store string, remove func() error, err error) {
	if _, err := os.Stat(filepath.Join(path, weights.ManifestName)); err == nil {
		return path, func() error { return nil }, nil
	}
	m.Progress("writing " + filepath.Base(path))
	remove = func() error { return os.RemoveAll(path) }
	shape, err := inflate.ShapeOf(shapeName)
	if err != nil {
		return "", nil, err
	}
	if err := writeInflated(ctx, src, path, shape, d); err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return path, remove, nil
}

// writeInflated writes the model at src, inflated to a shape and a type, to a store at path.
func writeInflated(ctx context.Context, src, path string, shape inflate.Shape, d tensor.DType) error {
	small, err := lever.OpenStore(ctx, src, lever.Config{})
	if err != nil {
		return err
	}
	inflated, err := inflate.New(ctx, small, shape, d)
	if err != nil {
		return err
	}
	return inflated.WriteStore(ctx, path, weights.WriteOptions{})
}

// measureType measures what the record lacks of a type.
func (m *measurement) measureType(ctx context.Context, dir string, d tensor.DType) (err error) {
	model, remove, err := m.model(ctx, m.TypeOptions.Model, filepath.Join(dir, d.String()+".lever"), typedTarget.Name, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	for _, share := range m.CPUShares {
		if !m.lacks(d, share) {
			continue
		}
		if err := m.measureShare(ctx, model, d, share); err != nil {
			return err
		}
		for _, way := range ways {
			row, err := m.row(ctx, d, share, way)
			if err != nil {
				return err
			}
			m.Progress(fmt.Sprintf("%v, %s, reads slowed %.2f times: %.3f tokens/s, simulated %.3f, which is off by %.1f%%", d, row[1], row[2], row[5], row[6], row[7]))
		}
	}
	return nil
}

// measureShare measures what the record lacks of a type with reads at one speed.
func (m *measurement) measureShare(ctx context.Context, model string, d tensor.DType, share float64) (err error) {
	flash, err := m.flash.Slowed(1 / share)
	if err != nil {
		return err
	}
	throttle, err := flashsim.NewThrottle(flash, flashsim.Options{})
	if err != nil {
		return err
	}
	m.Progress(fmt.Sprintf("opening %v", d))
	if err := readAll(model); err != nil {
		return err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: model, Draft: m.draft, DRAM: m.DRAM, OpenFile: throttle.Opener(nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if m.computing(d) == nil {
		m.Progress(fmt.Sprintf("measuring blocks of %v", d))
		x, err := m.measureComputing(ctx, engine, model)
		if err != nil {
			return err
		}
		if err := m.record.Add(typeResult{Type: d.String(), Computing: x}); err != nil {
			return err
		}
	}
	h, err := m.hardware(d, share)
	if err != nil {
		return err
	}
	for _, way := range ways {
		for _, set := range m.setsOf(way) {
			if m.answers(d, share, way, set.Name) != nil {
				continue
			}
			sum, err := m.measureSet(ctx, engine, h.variant(way), set)
			if err != nil {
				return err
			}
			if err := m.record.Add(typeResult{Type: d.String(), Share: share, Way: way, Set: set.Name, Stats: sum}); err != nil {
				return err
			}
			m.Progress(fmt.Sprintf("%v, %s, %s: %.3f tokens/s", d, label(way), set.Name, float64(sum.Tokens)/sum.Seconds))
		}
	}
	return nil
}

// variant returns the way called name, which knows what a profile tells of h, so that it does not depend on the noise of its first passes.
func (h *hardware) variant(name string) policies.Variant {
	way := named(name, budget)
	costs := gaincost.Costs{Compute: h.compute, Draft: h.draft, Project: h.project, Ring: h.ring + 1}
	for range h.layers {
		costs.Layers = append(costs.Layers, gaincost.LayerCost{Read: gaincost.Latency{Mean: h.meanRead()}})
	}
	way.Costs = &costs
	return way
}

// meanRead returns the mean time of a read.
func (h *hardware) meanRead() (mean float64) {
	before := 0.0
	for _, s := range h.read {
		mean, before = mean+(s.upTo-before)*s.seconds, s.upTo
	}
	return mean
}

// measureComputing returns what this machine takes to compute a target and its draft, by a profile of it. Reading takes a part of it, as what a phone's
// flash writes to memory by itself is copied here.
func (m *measurement) measureComputing(ctx context.Context, engine *lever.Engine, model string) (*computing, error) {
	pool := kernels.NewPool(0)
	defer pool.Close()
	target, draft := engine.Stores()
	p, err := profile.Measure(ctx, profile.Options{Target: target, Draft: draft, Pool: pool, Dir: model, Duration: profileTime})
	if err != nil {
		return nil, err
	}
	copying, err := copyTime(model)
	if err != nil {
		return nil, err
	}
	plan, _ := engine.Plan()
	copying *= float64(plan.Streamed) / float64(pool.Workers())
	x := &computing{Project: p.Target.Projection[0].Seconds, Read: plan.Streamed, Ring: plan.Ring, Each: plan.ReadSize}
	position := m.meanPosition()
	for i, block := range p.Target.Block {
		rows := float64(block.Rows)
		x.Target = append(x.Target, gaincost.Point{
			Rows: block.Rows, Seconds: copying + float64(p.Target.Blocks)*(block.Seconds+rows*position*p.Target.Attention),
		})
		x.Draft = append(x.Draft, gaincost.Point{
			Rows: block.Rows, Seconds: float64(p.Draft.Blocks)*(p.Draft.Block[i].Seconds+rows*position*p.Draft.Attention) + p.Draft.Projection[i].Seconds,
		})
	}
	return x, nil
}

// profileTime is how long the machine is measured for a type.
var profileTime = 12 * time.Second

// meanPosition returns the mean of the positions at which answers are written.
func (m *measurement) meanPosition() float64 {
	sum, prompts := 0, 0
	for _, set := range m.measured.pair.Sets {
		for _, p := range set.Prompts {
			sum, prompts = sum+len(p.Tokens)+m.MeasureTokens/2, prompts+1
		}
	}
	return float64(sum) / float64(prompts)
}

// readAll brings the chunks of a store to the page cache, so that reads take as long as the throttle says.
func readAll(model string) error {
	chunks, err := filepath.Glob(filepath.Join(model, "chunks", "*.bin"))
	if err != nil {
		return err
	}
	for _, path := range chunks {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
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

// plainTokens are those of an answer of plain decoding.
const plainTokens = 8

// measureSet returns what the answers to the prompts of a set took, after one that a policy learns from.
func (m *measurement) measureSet(ctx context.Context, engine *lever.Engine, way policies.Variant, set tracedSet) (sum spec.Stats, err error) {
	policy, err := way.New()
	if err != nil {
		return sum, err
	}
	options := engine.SpecOptions()
	options.Policy, options.Budget = policy, budget
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return sum, err
	}
	pair, tokens := m.measured.pair, plainTokens
	if way.Policy != plainName {
		tokens = pair.Tokens
		if _, err := generator.Generate(ctx, spec.Request{Prompt: set.Warm, MaxTokens: pair.WarmTokens, StopTokens: pair.Stop}, nil); err != nil {
			return sum, err
		}
	}
	for _, p := range set.Prompts {
		got, err := generator.Generate(ctx, spec.Request{Prompt: p.Tokens, MaxTokens: tokens, StopTokens: pair.Stop}, nil)
		if err != nil {
			return sum, fmt.Errorf("%s: %s: %w", p.ID, way.Name, err)
		}
		add(&sum, got.Stats)
	}
	return sum, nil
}

// add adds what counts here of x to sum.
func add(sum *spec.Stats, x spec.Stats) {
	sum.Tokens, sum.Passes, sum.Drafted, sum.Seconds = sum.Tokens+x.Tokens, sum.Passes+x.Passes, sum.Drafted+x.Drafted, sum.Seconds+x.Seconds
	sum.ComputeSeconds, sum.IOWaitSeconds, sum.DraftSeconds = sum.ComputeSeconds+x.ComputeSeconds, sum.IOWaitSeconds+x.IOWaitSeconds, sum.DraftSeconds+x.DraftSeconds
}
