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
	// MeasureFor bounds the time that measuring a type takes, its model being there: when it has passed, no further set is begun. If zero, all are.
	MeasureFor time.Duration
	// Earlier, if not nil, is a report of this experiment whose measured rows are kept, for types that are not measured now.
	Earlier *report.Report
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
// flash. If a measurement fails, or ctx is canceled meanwhile, the report has the rows that were there by then, and comes beside the error.
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
	if len(c.Measure) > 0 || c.Earlier != nil {
		err = c.measureAll(ctx, out)
	}
	out.End(began)
	return out, err
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
	return nil
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
