package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// TypeOptions say what [RunTypes] compares. Model, Draft and Sets must be set.
type TypeOptions struct {
	Model, Draft string // the pair that acceptance comes from, and that is inflated where types are measured
	Sets         []bench.Set
	Prompts      int            // of each set; if zero, 1
	Tokens       int            // of an answer; if zero, 48
	Types        []tensor.DType // of the target's matrices; if nil, Q4_0 and types of fewer bits
	Measure      []tensor.DType // those that are measured on this machine, too
	DRAM         int64          // bytes for the target's weights; if zero, 2 GiB
	Flash        string         // name or file of a profile; if empty, ufs-4-measured
	Work         string         // folder for the models that are measured, which are removed afterwards; if empty, that for temporary files
	// Progress, if not nil, is called with what is done next.
	Progress func(step string)
}

func (o TypeOptions) withDefaults() (TypeOptions, error) {
	if o.Types == nil {
		o.Types = []tensor.DType{tensor.Q4_0, tensor.IQ4_XS, tensor.Q3_K, tensor.IQ3_S, tensor.IQ3_XXS}
	}
	for _, d := range o.Measure {
		if !slices.Contains(o.Types, d) {
			o.Types = append(slices.Clip(o.Types), d)
		}
	}
	for _, d := range o.Types {
		if !slices.Contains(inflate.Types(), d) {
			return o, fmt.Errorf("type %v is not one of %v", d, inflate.Types())
		}
	}
	if o.Prompts == 0 {
		o.Prompts = 1
	}
	if o.Tokens == 0 {
		o.Tokens = 48
	}
	if o.DRAM == 0 {
		o.DRAM = 2 << 30
	}
	if o.Flash == "" {
		o.Flash = typedPhone.Flash
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	return o, nil
}

// The target whose types are compared, and the phone.
var typedTarget, typedPhone = Targets[0], SparsePhones[0]

// typeComparison is a comparison under way.
type typeComparison struct {
	TypeOptions
	simulation
	flash *flashsim.Profile
}

// RunTypes compares types of a target's weights by tokens/s, plain and with lever, on a phone with little memory, where reading is the limit. Types
// that are to be measured are so on this machine, too, with models of full size that are inflated from the pair and read at the speed of the phone's
// flash.
func RunTypes(ctx context.Context, o TypeOptions) (r *report.Report, err error) {
	defer func() {
		if err != nil {
			r, err = nil, fmt.Errorf("simulate: types: %w", err)
		}
	}()
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	usual, err := Options{Model: o.Model, Draft: o.Draft, Sets: o.Sets, Prompts: o.Prompts, Tokens: o.Tokens, WarmTokens: o.Tokens}.withDefaults()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	c := typeComparison{TypeOptions: o, simulation: simulation{Options: usual}}
	if c.flash, err = flashsim.Load(o.Flash); err != nil {
		return nil, err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Draft: o.Draft})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if c.pair, err = c.ask(ctx, engine); err != nil {
		return nil, err
	}
	out := report.New("types", fmt.Sprintf("Tokens/s by the type of weights: %s with %.1f GiB", typedTarget.Name, float64(o.DRAM)/(1<<30)))
	out.Set("acceptance of", c.pair.pairName())
	out.Set("prompts", c.pair.describe())
	out.Set("tokens of an answer", o.Tokens)
	out.Set("flash", o.Flash)
	out.Set("phone", fmt.Sprintf("memory %.0f GB/s; %.1f · 10^12 multiply-accumulates/s on the CPU", typedPhone.Memory/1e9, typedPhone.CPU/1e12))
	if err := c.compare(ctx, out); err != nil {
		return nil, err
	}
	out.End(began)
	return out, nil
}

// ways are plain decoding and lever.
var ways = [2]string{plainName, leverName}

func (c *typeComparison) compare(ctx context.Context, out *report.Report) error {
	number := report.Number
	table := out.AddTable("Simulated: geometric means over the sets", report.Text("type"), number("bits/weight", 2), number("GB", 2), number("read for a pass GB", 2),
		number("plain: tokens/s", 3), number("lever: tokens/s", 3), number("plain: times", 2), number("lever: times", 2))
	plot := out.AddPlot(report.Plot{Name: "rate", Title: "Tokens/s by the type of weights, simulated", X: "bits/weight", Y: "tokens/s"})
	lines := [2]report.Series{{Name: "plain"}, {Name: leverName}}
	results := make([][2]result, len(c.Types)) // by type and way
	for i, d := range c.Types {
		h, all, read, err := c.phone(d)
		if err != nil {
			return err
		}
		for j, name := range ways {
			if results[i][j], err = c.mean(ctx, h, named(name, budget), false); err != nil {
				return err
			}
			lines[j].X, lines[j].Y = append(lines[j].X, bits(d)), append(lines[j].Y, results[i][j].rate)
		}
		plain, mine, first := results[i][0].rate, results[i][1].rate, results[0]
		table.Add(d.String(), bits(d), all/1e9, read/1e9, plain, mine, plain/first[0].rate, mine/first[1].rate)
	}
	for _, line := range lines {
		plot.Add(line)
	}
	first, last := results[0], results[len(results)-1]
	out.Find("simulated, %v is %.2f times as fast as %v in plain decoding, and %.2f times with lever", c.Types[len(results)-1], last[0].rate/first[0].rate,
		c.Types[0], last[1].rate/first[1].rate)
	if len(c.Measure) == 0 {
		return nil
	}
	return c.measureAll(ctx, out)
}

// bits returns those of a weight.
func bits(d tensor.DType) float64 { return 8 * bytesOf(d) }

// bytesOf returns those of a weight.
func bytesOf(d tensor.DType) float64 { return float64(d.BlockBytes()) / float64(d.BlockElems()) }

// unpacking is how many instructions the kernels for arm64 take to unpack a weight, once for all rows of a pass: counted by kernels/arm64, where they
// are the bounds of a test. unpackRate is how many of them four fast cores of 3 GHz execute in a second if each does three at once, an estimate.
var unpacking = map[tensor.DType]float64{tensor.IQ4_XS: 0.28, tensor.Q3_K: 0.59, tensor.Q5_K: 0.48, tensor.IQ4_NL: 0.25, tensor.IQ3_S: 1.00, tensor.IQ3_XXS: 1.02}

const unpackRate = 4 * 3e9 * 3

// phone returns how the phone runs the target with matrices of a type, the bytes of all weights, and those that a pass reads.
func (c *typeComparison) phone(d tensor.DType) (h *hardware, all, read float64, err error) {
	shape, err := inflate.ShapeOf(typedTarget.Name)
	if err != nil {
		return nil, 0, 0, err
	}
	phone, target := typedPhone, typedTarget
	phone.Flash = c.Flash
	blocks, head := size(shape)
	all = blocks*bytesOf(d) + head*q8Bytes
	kept := float64(c.DRAM - weights.UsualRing(c.DRAM))
	if read = all - kept; read <= 0 || kept < head*q8Bytes {
		return nil, 0, 0, fmt.Errorf("%d bytes hold all weights in %v, which are %.0f, or not even the head: nothing is to be compared", c.DRAM, d, all)
	}
	target.InMemory = 1 // of which on makes the rest
	if h, err = target.on(phone); err != nil {
		return nil, 0, 0, err
	}
	h.read = reads(c.flash, read/float64(h.layers), readBytes)
	h.compute = phone.curve(blocks, blocks*bytesOf(d), phone.NPU)
	for i := range h.compute.Points {
		p := &h.compute.Points[i]
		p.Seconds = max(p.Seconds, blocks*(unpacking[d]/unpackRate+float64(p.Rows)/phone.CPU))
	}
	return h, all, read, nil
}

// measureAll measures the types that are to be, beside a simulation of the same flash with this machine's processor.
func (c *typeComparison) measureAll(ctx context.Context, out *report.Report) (err error) {
	dir, err := os.MkdirTemp(c.Work, "lever-types-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c.Progress("writing the draft")
	draft := filepath.Join(dir, "draft.lever")
	if err := inflateStore(ctx, c.TypeOptions.Draft, draft, typedTarget.Draft, draftType); err != nil {
		return err
	}
	number := report.Number
	table := out.AddTable("Measured on this machine, and simulated with what it takes to compute: geometric means over the sets", report.Text("type"), report.Text("decoding"),
		number("read for a pass GB", 2), number("tokens/s", 3), number("simulated", 3), number("off %", 1), number("accepted/pass", 2), number("simulated", 2),
		number("s/pass", 3), number("simulated", 3), number("times", 2))
	var first [2]result
	for _, d := range c.Measure {
		c.Progress(fmt.Sprintf("measuring products of %v", d))
		h, _, _, err := c.phone(d)
		if err != nil {
			return err
		}
		if err := c.asHere(h, d); err != nil {
			return err
		}
		real, read, err := c.measureType(ctx, dir, draft, d)
		if err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
		if first[0].rate == 0 {
			first = real
		}
		var off [2]float64
		for j, name := range ways {
			x, err := c.mean(ctx, h, named(name, budget), false)
			if err != nil {
				return err
			}
			off[j] = 100 * (x.rate/real[j].rate - 1)
			table.Add(d.String(), name, read/1e9, real[j].rate, x.rate, off[j], real[j].accepted, x.accepted, real[j].pass, x.pass, real[j].rate/first[j].rate)
		}
		out.Find("%v: simulated tokens/s are off by %.1f%% from measured ones in plain decoding, and by %.1f%% with lever", d, off[0], off[1])
	}
	return nil
}

// draftType is that of the draft's matrices.
const draftType = tensor.Q4_0

// asHere gives h what this machine takes to compute a target with matrices of a type, and its draft.
func (c *typeComparison) asHere(h *hardware, d tensor.DType) error {
	target, err := inflate.ShapeOf(typedTarget.Name)
	if err != nil {
		return err
	}
	draft, err := inflate.ShapeOf(typedTarget.Draft)
	if err != nil {
		return err
	}
	pool := kernels.NewPool(0)
	defer pool.Close()
	blocks, head := size(target)
	draftBlocks, draftHead := size(draft)
	h.compute, h.draft = gaincost.Curve{}, gaincost.Curve{}
	matrices := map[tensor.DType]tensor.Packed{}
	for _, t := range []tensor.DType{d, draftType, tensor.Q8_0} {
		matrices[t] = randomMatrix(t, target.FFN, target.Width)
	}
	for _, n := range []int{1, 2, 4, 8, 16, 32, 64} {
		seconds := map[tensor.DType]float64{} // of a weight
		for t, w := range matrices {
			seconds[t] = productTime(pool, w, n) / float64(w.Rows*w.Cols)
		}
		h.compute.Points = append(h.compute.Points, gaincost.Point{Rows: n, Seconds: blocks * seconds[d]})
		h.draft.Points = append(h.draft.Points, gaincost.Point{Rows: n, Seconds: draftBlocks*seconds[draftType] + draftHead*seconds[tensor.Q8_0]})
		if n == 1 {
			h.project = head * seconds[tensor.Q8_0]
		}
	}
	return nil
}

func randomMatrix(d tensor.DType, rows, cols int) tensor.Packed {
	w := tensor.Packed{Type: d, Rows: rows, Cols: cols, Data: make([]byte, tensor.PackedBytes(d, rows, cols))}
	rand.NewChaCha8([32]byte{7}).Read(w.Data)
	return w
}

// productTime returns the median seconds of a product with n rows.
func productTime(pool *kernels.Pool, w tensor.Packed, n int) float64 {
	var in kernels.Input
	x, dst := make([]float32, n*w.Cols), make([]float32, n*w.Rows)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	var times []float64
	for range 9 {
		began := time.Now()
		in.Reset(x, n, w.Cols)
		kernels.MatMul(pool, dst, w.Rows, w, &in)
		times = append(times, time.Since(began).Seconds())
	}
	return bench.Median(times)
}

// inflateStore writes a model of a real shape.
func inflateStore(ctx context.Context, src, dst, shapeName string, d tensor.DType) error {
	shape, err := inflate.ShapeOf(shapeName)
	if err != nil {
		return err
	}
	store, err := lever.OpenStore(ctx, src, lever.Config{})
	if err != nil {
		return err
	}
	m, err := inflate.New(ctx, store, shape, d)
	if err != nil {
		return err
	}
	return m.WriteStore(ctx, dst, weights.WriteOptions{})
}

// measureType returns what a type reaches on this machine, by way, and the bytes that a pass reads.
func (c *typeComparison) measureType(ctx context.Context, dir, draft string, d tensor.DType) (real [2]result, read float64, err error) {
	c.Progress(fmt.Sprintf("writing the target in %v", d))
	model := filepath.Join(dir, d.String()+".lever")
	defer func() { err = errors.Join(err, os.RemoveAll(model)) }()
	if err := inflateStore(ctx, c.TypeOptions.Model, model, typedTarget.Name, d); err != nil {
		return real, 0, err
	}
	throttle, err := flashsim.NewThrottle(c.flash, flashsim.Options{})
	if err != nil {
		return real, 0, err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: model, Draft: draft, DRAM: c.DRAM, OpenFile: throttle.Opener(nil)})
	if err != nil {
		return real, 0, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	plan, _ := engine.Plan()
	for j, name := range ways {
		c.Progress(fmt.Sprintf("measuring %v: %s", d, name))
		if real[j], err = c.measureWay(ctx, engine, name); err != nil {
			return real, 0, err
		}
	}
	return real, float64(plan.Streamed), nil
}

// plainTokens are those of an answer of plain decoding, whose passes are all alike.
const plainTokens = 12

// measureWay returns what a way of decoding reaches on this machine.
func (c *typeComparison) measureWay(ctx context.Context, engine *lever.Engine, name string) (result, error) {
	var rates, accepted, passes []float64
	for _, set := range c.pair.Sets {
		policy, err := lever.NewPolicy(name, budget)
		if err != nil {
			return result{}, err
		}
		options := engine.SpecOptions()
		options.Policy, options.Budget = policy, budget
		generator, err := spec.NewGenerator(options)
		if err != nil {
			return result{}, err
		}
		tokens := plainTokens
		if name == leverName {
			tokens = c.pair.Tokens
			if _, err := generator.Generate(ctx, spec.Request{Prompt: set.Warm, MaxTokens: c.pair.WarmTokens, StopTokens: c.pair.Stop}, nil); err != nil {
				return result{}, err
			}
		}
		var sum spec.Stats
		for _, p := range set.Prompts {
			got, err := generator.Generate(ctx, spec.Request{Prompt: p.Tokens, MaxTokens: tokens, StopTokens: c.pair.Stop}, nil)
			if err != nil {
				return result{}, fmt.Errorf("%s: %s: %w", p.ID, name, err)
			}
			sum.Tokens, sum.Passes, sum.Seconds = sum.Tokens+got.Stats.Tokens, sum.Passes+got.Stats.Passes, sum.Seconds+got.Stats.Seconds
		}
		rates = append(rates, float64(sum.Tokens)/sum.Seconds)
		accepted, passes = append(accepted, float64(sum.Tokens)/float64(sum.Passes)), append(passes, sum.Seconds/float64(sum.Passes))
	}
	return result{rate: bench.GeometricMean(rates), accepted: bench.GeometricMean(accepted), pass: bench.GeometricMean(passes)}, nil
}
