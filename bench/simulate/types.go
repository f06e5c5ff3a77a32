package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
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
	DRAM         int64          // bytes for the target's weights; if zero, 2 GiB
	Flash        string         // name or file of a profile; if empty, ufs-4-measured

	Measure []tensor.DType // types that are measured on this machine, too
	// MeasureSets are how many of the sets, of each a prompt, are answered for that with lever, in MeasureTokens tokens after as many to learn from. If
	// zero, 2 and 48.
	MeasureSets, MeasureTokens int
	// CPUShares say how fast this machine computes as a part of a phone's speed. Types are measured with reads that are slowed as much, for each of
	// them. If nil, it is 1.
	CPUShares []float64
	// Record is a file that all that is measured is written to at once; if empty, none is. What it holds already is not measured again, and is
	// reported, so that types can be measured in several runs.
	Record string
	// Work is the folder for the models that are measured: draft.lever, and for each type one such as q4_0.lever. Those that are there are used;
	// the others are written, and removed afterwards. If empty, it is a new folder for temporary files.
	Work string

	// Progress, if not nil, is called with what is done next, or with what was measured.
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
	if o.CPUShares == nil {
		o.CPUShares = []float64{1}
	}
	for _, share := range o.CPUShares {
		if !(share > 0 && share <= 1) {
			return o, fmt.Errorf("a share of %g of a phone's speed is not above 0 and at most 1", share)
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
	if o.MeasureSets == 0 {
		o.MeasureSets = 2
	}
	if o.MeasureTokens == 0 {
		o.MeasureTokens = 48
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
			err = fmt.Errorf("simulate: types: %w", err)
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
	if len(c.Measure) > 0 || c.TypeOptions.Record != "" {
		if err := c.measureAll(ctx, out); err != nil {
			return nil, err
		}
	}
	out.End(began)
	return out, nil
}

// ways are plain decoding and lever.
var ways = [2]string{plainName, leverName}

func (c *typeComparison) compare(ctx context.Context, out *report.Report) error {
	number := report.Number
	table := out.AddTable("Simulated: geometric means over the sets", report.Text("type"), number("bits/weight", 2), number("GB", 2), number("read for a pass GB", 2),
		number("plain: tokens/s", 3), number("lever: tokens/s", 3), number("plain: times", 2), number("lever: times", 2),
		number("lever: accepted/pass", 2), number("drafted/pass", 1), number("s/pass", 3), number("drafting s", 3))
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
		lever := results[i][1]
		table.Add(d.String(), bits(d), all/1e9, read/1e9, plain, mine, plain/first[0].rate, mine/first[1].rate,
			lever.accepted, lever.drafted, lever.accepted/lever.rate, lever.drafting)
	}
	for _, line := range lines {
		plot.Add(line)
	}
	first, last := results[0], results[len(results)-1]
	out.Find("simulated, %v is %.2f times as fast as %v in plain decoding, and %.2f times with lever", c.Types[len(results)-1], last[0].rate/first[0].rate,
		c.Types[0], last[1].rate/first[1].rate)
	return c.limits(ctx, out)
}

// limits shows what keeps the last type from gaining as much over the first with lever as with plain decoding: how much it would gain if a part of the
// work took no time.
func (c *typeComparison) limits(ctx context.Context, out *report.Report) error {
	first, last := c.Types[0], c.Types[len(c.Types)-1]
	table := out.AddTable("Simulated: what would be gained with lever if a part of the work took no time", report.Text("no time for"), report.Number(first.String()+": tokens/s", 3),
		report.Number(last.String()+": tokens/s", 3), report.Number("times", 2))
	unpack := func(h *hardware, d tensor.DType, blocks float64) { h.compute = typedPhone.unpacked(blocks, d, 0) }
	draft := func(h *hardware, _ tensor.DType, _ float64) { h.draft = constant(1e-4) }
	multiply := func(h *hardware, d tensor.DType, blocks float64) {
		h.compute = constant(typedPhone.unpacked(blocks, d, unpacking[d]).At(1))
	}
	for _, part := range []struct {
		name string
		drop func(h *hardware, d tensor.DType, blocks float64)
	}{
		{"nothing", nil},
		{"unpacking", unpack},
		{"drafting", draft},
		{"further rows", multiply},
		{"drafting and further rows", func(h *hardware, d tensor.DType, blocks float64) { multiply(h, d, blocks); draft(h, d, blocks) }},
	} {
		var rates [2]float64
		for i, d := range []tensor.DType{first, last} {
			h, _, _, err := c.phone(d)
			if err != nil {
				return err
			}
			shape, err := inflate.ShapeOf(typedTarget.Name)
			if err != nil {
				return err
			}
			blocks, _ := size(shape)
			if part.drop != nil {
				part.drop(h, d, blocks)
			}
			x, err := c.mean(ctx, h, named(leverName, budget), false)
			if err != nil {
				return err
			}
			rates[i] = x.rate
		}
		table.Add(part.name, rates[0], rates[1], rates[1]/rates[0])
		if part.drop != nil {
			out.Find("simulated with lever, %v would be %.2f times as fast as %v if %s took no time", last, rates[1]/rates[0], first, part.name)
		}
	}
	return nil
}

// constant returns the curve of what takes as long for any rows.
func constant(seconds float64) gaincost.Curve {
	return gaincost.Curve{Points: []gaincost.Point{{Rows: 1, Seconds: seconds}, {Rows: budget, Seconds: seconds}}}
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
	h.compute = phone.unpacked(blocks, d, unpacking[d])
	return h, all, read, nil
}

// unpacked returns the time of n rows of products with so many weights of a type, each of which takes so many instructions to unpack for all rows.
func (p Phone) unpacked(count float64, d tensor.DType, instructions float64) gaincost.Curve {
	c := p.curve(count, count*bytesOf(d), 0)
	for i := range c.Points {
		point := &c.Points[i]
		point.Seconds = max(point.Seconds, count*(instructions/unpackRate+float64(point.Rows)/p.CPU))
	}
	return c
}
