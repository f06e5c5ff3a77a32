package endtoend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
)

// Options say what [Run] measures. Model, Draft, DRAM and Sets must be set.
type Options struct {
	Model, Draft string
	DRAM         int64 // for the target's weights, less than they need
	Threads      int   // if zero, one per performance core
	Sets         []bench.Set
	Prompts      int   // of each set; if zero, 1
	Tokens       int   // of an answer; if zero, 48
	PlainTokens  int   // of an answer of plain decoding, whose passes are all alike; if zero, 8
	WarmTokens   int   // that lever learns from beforehand; if zero, 24
	Chains       []int // lengths; if nil, 4 and 8
	// Resident also measures plain decoding with all weights in memory.
	Resident bool
	// Beside is what other programs were measured to reach in the same memory; it is set beside what is measured here.
	Beside []Other
	// Peers answer the same prompts by turns.
	Peers []Peer
	// CPUShare says, where OpenFile plays a phone's flash that is slowed as many times as this machine computes slower than the phone, how fast this machine
	// computes as a part of the phone's speed. Rates of the phone are those measured divided by it. If zero, nothing is said of a phone.
	CPUShare float64
	// Flash, if not nil, is the device that OpenFile plays. Passes are compared with those that package simulate makes of their parts.
	Flash *flashsim.Profile
	// OpenFile opens the target's files; if nil, as they are.
	OpenFile func(path string) (weights.File, error)
	// Record is a file that every answer is written to when it is complete; if empty, none is. What one of the same measurement holds already is not
	// measured again, so that a run that was ended goes on where it was.
	Record string
	// Answered, if not nil, is called with every answer.
	Answered func(Answer)
	// Progress, if not nil, is called with the number of answers done.
	Progress func(done, total int)
}

// Other is another program under some settings.
type Other struct {
	Name string
	Rate float64 // tokens/s, above 0
}

func (o Options) withDefaults() (Options, error) {
	for _, f := range []struct {
		value     *int
		otherwise int
	}{{&o.Prompts, 1}, {&o.Tokens, 48}, {&o.PlainTokens, 8}, {&o.WarmTokens, 24}} {
		if *f.value == 0 {
			*f.value = f.otherwise
		}
		if *f.value < 0 {
			return o, fmt.Errorf("endtoend: %d is negative", *f.value)
		}
	}
	switch {
	case o.Model == "" || o.Draft == "":
		return o, errors.New("endtoend: a target and a draft model are needed")
	case o.DRAM <= 0:
		return o, errors.New("endtoend: no bound of memory: nothing would be streamed")
	case len(o.Sets) == 0:
		return o, errors.New("endtoend: no prompts")
	}
	if !(o.CPUShare >= 0) || math.IsInf(o.CPUShare, 0) {
		return o, fmt.Errorf("endtoend: a share of %g of a phone's speed", o.CPUShare)
	}
	for _, peer := range o.Peers {
		if err := peer.check(); err != nil {
			return o, err
		}
	}
	for _, other := range o.Beside {
		if !(other.Rate > 0) || math.IsInf(other.Rate, 0) {
			return o, fmt.Errorf("endtoend: %s: %g tokens/s", other.Name, other.Rate)
		}
	}
	if o.Chains == nil {
		o.Chains = []int{4, 8}
	}
	return o, nil
}

// Names of the ways of decoding that ratios are about.
const (
	residentName = "plain, in memory"
	plainName    = "plain"
	leverName    = "lever"
)

// way is a way of decoding.
type way struct {
	name   string
	policy spec.Policy
	tokens int // of an answer
	budget int // drafted tokens of a pass
	peer   *Peer

	observe func(spec.Observation) // if not nil, called after each pass
}

// ways returns those that stream.
func (o *Options) ways() ([]*way, error) {
	all := []*way{{name: plainName, policy: spec.None{}, tokens: o.PlainTokens, budget: 1}}
	for _, n := range o.Chains {
		chain, err := baseline.NewChain(n, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, &way{name: fmt.Sprintf("chain %d", n), policy: chain, tokens: o.Tokens, budget: n})
	}
	policy, err := gaincost.NewLever(gaincost.LeverOptions{})
	return append(all, &way{name: leverName, policy: policy, tokens: o.Tokens, budget: lever.MaxBudget}), err
}

// recordHeader is what answers must have in common to be of one measurement.
type recordHeader struct {
	Model, Draft              string
	DRAM                      int64
	Threads                   int
	Tokens, Plain, WarmTokens int
	Chains                    []int
	Peers                     []Peer
	CPUShare                  float64
}

func (o *Options) recordHeader() recordHeader {
	return recordHeader{
		Model: filepath.Base(o.Model), Draft: filepath.Base(o.Draft), DRAM: o.DRAM, Threads: o.Threads, Tokens: o.Tokens, Plain: o.PlainTokens, WarmTokens: o.WarmTokens,
		Chains: o.Chains, Peers: o.Peers, CPUShare: o.CPUShare,
	}
}

// Answer is what one answer took.
type Answer struct {
	Set    string  `json:"set"`
	Prompt string  `json:"prompt"`
	Way    string  `json:"way"`
	Tokens []int32 `json:"token_ids,omitempty"` // of this program's answers
	Text   string  `json:"text,omitempty"`
	spec.Stats
	Steps   []Step         `json:"steps,omitempty"` // of a first answer
	Mode    weights.IOMode `json:"io_mode"`
	PeakRSS int64          `json:"peak_rss_bytes"`
	Cold    bool           `json:"cold,omitempty"` // the page cache was dropped before it
}

// run is a measurement on its way.
type run struct {
	Options
	answers []Answer
	plan    weights.Plan
	done    int
	total   int
	record  *bench.Record[Answer]
}

// Run measures. It takes as long as the passes do: see [Options].
func Run(ctx context.Context, o Options) (out *report.Report, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	r := &run{Options: o}
	out = report.New("endtoend", "End to end")
	began := time.Now()
	ways, err := o.ways()
	if err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	prompts := 0
	for _, s := range o.Sets {
		prompts += min(o.Prompts, len(s.Prompts))
	}
	r.total = prompts * (len(ways) + len(o.Peers))
	names := []string{}
	if o.Resident {
		r.total += prompts
		names = append(names, residentName)
	}
	for _, w := range ways {
		names = append(names, w.name)
	}
	for _, p := range o.Peers {
		names = append(names, p.Name)
	}
	if r.record, err = bench.OpenRecord[Answer](o.Record, o.recordHeader()); err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	defer func() { err = errors.Join(err, r.record.Close()) }()
	if err := r.stream(ctx, ways); err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	if o.Resident { // after the rest, whose peak of memory it would hide
		if err := r.resident(ctx); err != nil {
			return nil, fmt.Errorf("endtoend: %w", err)
		}
	}
	out.End(began)
	r.present(out, names)
	return out, nil
}

// stream measures the ways that read weights from flash.
func (r *run) stream(ctx context.Context, ways []*way) (err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: r.Model, Draft: r.Draft, DRAM: r.DRAM, Threads: r.Threads, OpenFile: r.OpenFile})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	r.plan, _ = engine.Plan()
	if !r.plan.ReadsFlash() {
		return fmt.Errorf("the target fits into %d bytes: nothing would be streamed", r.DRAM)
	}
	warm := way{name: leverName, policy: ways[len(ways)-1].policy, tokens: r.WarmTokens, budget: lever.MaxBudget}
	if _, err := r.answer(ctx, engine, &warm, bench.BuiltinSets()[0].Prompts[1]); err != nil {
		return err
	}
	for i := range r.Peers {
		peer := &r.Peers[i]
		ways = append(ways, &way{name: peer.Name, tokens: cmp.Or(peer.Tokens, r.Tokens), peer: peer})
	}
	return r.all(ctx, engine, ways)
}

// resident measures plain decoding with all weights in memory.
func (r *run) resident(ctx context.Context) (err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: r.Model, Threads: r.Threads})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return r.all(ctx, engine, []*way{{name: residentName, policy: spec.None{}, tokens: r.Tokens, budget: 1}})
}

// all lets ways answer all prompts by turns.
func (r *run) all(ctx context.Context, engine *lever.Engine, ways []*way) error {
	first := 0 // by turns, so that what the one before left in memory helps none more than others
	for _, set := range r.Sets {
		for _, p := range set.Prompts[:min(r.Prompts, len(set.Prompts))] {
			for turn := range ways {
				w := ways[(turn+first)%len(ways)]
				at := slices.IndexFunc(r.record.Results, func(a Answer) bool { return a.Prompt == p.ID && a.Way == w.name })
				if at < 0 {
					a, err := r.answer(ctx, engine, w, p)
					if err != nil {
						return fmt.Errorf("%s: %s: %w", p.ID, w.name, err)
					}
					a.Set = set.Name
					if err := r.record.Add(a); err != nil {
						return err
					}
					at = len(r.record.Results) - 1
				}
				a := r.record.Results[at]
				r.answers = append(r.answers, a)
				if r.Answered != nil {
					r.Answered(a)
				}
				if r.done++; r.Progress != nil {
					r.Progress(r.done, r.total)
				}
			}
			first++
		}
	}
	return nil
}

func (r *run) answer(ctx context.Context, engine *lever.Engine, w *way, p bench.Prompt) (Answer, error) {
	cold := len(r.Peers) > 0 && dropPageCache()
	request := p.Request()
	if _, err := engine.Prepare(ctx, &request); err != nil {
		return Answer{}, err
	}
	a, err := w.complete(ctx, engine, request.Tokens)
	if err == nil && w.peer != nil && a.TokensPerSecond == 0 {
		err = errors.New("peer: its answer is one piece of text, of which no rate can be told")
	}
	a.Prompt, a.Cold = p.ID, cold
	return a, err
}

// complete goes on from a prompt, all of which is computed anew.
func (w *way) complete(ctx context.Context, engine *lever.Engine, prompt []int32) (Answer, error) {
	if w.peer != nil {
		return w.peer.complete(ctx, prompt, w.tokens)
	}
	// What another way left of the same prompt must not shorten this one's.
	models := engine.SpecOptions()
	for _, m := range []spec.Decoder{models.Target, models.Draft} {
		if m != nil {
			if err := m.Truncate(0); err != nil {
				return Answer{}, err
			}
		}
	}
	resetPeak()
	got, err := engine.Generate(ctx, lever.Request{Tokens: prompt, MaxTokens: w.tokens, Policy: w.policy, Budget: w.budget, Observe: w.observe}, nil)
	return Answer{Way: w.name, Tokens: got.TokenIDs, Text: got.Text, Stats: got.Stats, Mode: got.IOMode, PeakRSS: got.PeakRSS}, err
}

// resetPeak makes the largest resident memory of the process what it needs now, where Linux allows that; elsewhere it stays that of the process so far.
func resetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// of returns the answers of a way on a set.
func (r *run) of(set, way string) (answers []Answer) {
	for _, a := range r.answers {
		if a.Set == set && a.Way == way {
			answers = append(answers, a)
		}
	}
	return answers
}

// differences counts the answers that do not begin as another one to the same prompt: all are greedy, so the shorter of two is the other's start.
func (r *run) differences() (compared, different int) {
	longest := map[string][]int32{}
	for _, a := range r.answers {
		if len(a.Tokens) > len(longest[a.Prompt]) {
			longest[a.Prompt] = a.Tokens
		}
	}
	for _, a := range r.answers {
		if a.Tokens == nil {
			continue // a peer's
		}
		compared++
		if !slices.Equal(a.Tokens, longest[a.Prompt][:len(a.Tokens)]) {
			different++
		}
	}
	return compared, different
}

func (r *run) names() (model, draft string) { return filepath.Base(r.Model), filepath.Base(r.Draft) }
