package endtoend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/offheap"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec"
)

// inMemoryRounds is how often each figure of [RunInMemory] is measured.
const inMemoryRounds = 5

// RunInMemory measures the model with all weights in memory, by turns with the peers: how fast it takes in prompts of so many tokens each, verifies as many
// rows, and decodes plainly, beside how fast it could decode if it did nothing but read the weights. Of the options, Model, Threads, Sets, Tokens, Peers and Progress count.
func RunInMemory(ctx context.Context, o Options, rows []int) (out *report.Report, err error) {
	o.Draft, o.DRAM = cmp.Or(o.Draft, o.Model), 1 // which do not count
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	for _, n := range rows {
		if n < 2 {
			return nil, fmt.Errorf("endtoend: prompts of %s", plural.Of(n, "token"))
		}
	}
	r := &run{Options: o}
	out = report.New("endtoend-memory", "All weights in memory: "+filepath.Base(o.Model))
	began := time.Now()
	engine, err := lever.Open(ctx, lever.Config{Model: o.Model, Threads: o.Threads})
	if err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if err := r.inMemory(ctx, engine, out, rows); err != nil {
		return nil, fmt.Errorf("endtoend: %w", err)
	}
	out.Set("model", filepath.Base(o.Model))
	out.Set("figures", fmt.Sprintf("medians of %d, by turns", inMemoryRounds))
	out.Data = r.answers
	out.End(began)
	return out, nil
}

func (r *run) inMemory(ctx context.Context, engine *lever.Engine, out *report.Report, rows []int) (err error) {
	text, err := r.text(ctx, engine)
	if err != nil {
		return err
	}
	ways := []*way{{name: leverName, policy: spec.None{}, budget: 1}}
	columns := []report.Column{report.Text("tokens/s"), report.Number(leverName, 1)}
	for i := range r.Peers {
		ways = append(ways, &way{name: r.Peers[i].Name, peer: &r.Peers[i]})
		columns = append(columns, report.Number(r.Peers[i].Name, 1), report.Number("lever ÷ this", 2))
	}
	r.total = (len(rows) + 1) * len(ways) * inMemoryRounds
	t := out.AddTable("Tokens a second with all weights in memory", columns...)
	const few = 16 // tokens of an answer where the prompt is what counts
	for _, n := range rows {
		rates, verified := map[string][]float64{}, []float64(nil)
		for round := range inMemoryRounds {
			prompt, err := window(text, round*n, n)
			if err != nil {
				return err
			}
			for turn := range ways {
				w := *ways[(turn+round)%len(ways)]
				w.tokens = few
				a, err := r.one(ctx, engine, &w, prompt)
				if err != nil {
					return err
				}
				rates[w.name] = append(rates[w.name], float64(n)/a.TimeToFirstToken)
			}
			if n > lever.MaxBudget {
				continue // no tree is as large
			}
			seconds, err := verify(ctx, engine, prompt)
			if err != nil {
				return err
			}
			verified = append(verified, float64(n)/seconds)
		}
		r.addInMemory(out, t, fmt.Sprintf("prompt of %d", n), rates)
		if len(verified) == 0 {
			continue
		}
		t.Add(append([]any{fmt.Sprintf("%s with the logits of all", plural.Of(n, "row")), bench.Median(verified)}, make([]any, 2*len(r.Peers))...)...)
	}
	rates := map[string][]float64{}
	bound, err := r.newMemoryBound(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bound.close()) }()
	for round := range inMemoryRounds {
		prompt, err := window(text, round*few, rows[0])
		if err != nil {
			return err
		}
		for turn := range ways {
			w := *ways[(turn+round)%len(ways)]
			w.tokens = r.Tokens
			before := bound.measure()
			a, err := r.one(ctx, engine, &w, prompt)
			if err != nil {
				return err
			}
			if rates[w.name] = append(rates[w.name], a.TokensPerSecond); w.peer == nil {
				bound.add((before+bound.measure())/2, a.TokensPerSecond)
			}
		}
	}
	r.addInMemory(out, t, fmt.Sprintf("decoding, answers of %d", r.Tokens), rates)
	t.Add(append([]any{"decoding as fast as memory is read", bench.Median(bound.rates)}, make([]any, 2*len(r.Peers))...)...)
	out.Find("all threads read memory at %.1f GB/s before and after answers, which allows %.1f tokens/s: lever's decoding reaches %.0f %% of that",
		bench.Median(bound.rates)*float64(bound.pass)/1e9, bench.Median(bound.rates), 100*bench.Median(bound.shares))
	return nil
}

// memoryBound is how fast decoding could be that did nothing but read the weights.
type memoryBound struct {
	pool   *kernels.Pool
	memory []byte // in pages as weights are
	free   func() error
	pass   int64 // bytes of weights that a token takes

	rates  []float64 // tokens a second that memory allowed
	shares []float64 // of them that were reached
}

func (r *run) newMemoryBound(ctx context.Context) (*memoryBound, error) {
	store, err := lever.OpenStore(ctx, r.Model, lever.Config{})
	if err != nil {
		return nil, err
	}
	all, err := store.Plan(1 << 50)
	if err != nil {
		return nil, err
	}
	memory, free, err := offheap.Alloc(256 << 20)
	if err != nil {
		return nil, err
	}
	b := &memoryBound{pool: kernels.NewPool(r.Threads), memory: memory, free: free, pass: all.Pass}
	for i := range b.memory {
		b.memory[i] = byte(i) // pages that were never written share one page of zeros
	}
	return b, nil
}

func (b *memoryBound) close() error {
	b.pool.Close()
	return b.free()
}

// measure returns the bytes a second at which memory is read now.
func (b *memoryBound) measure() (best float64) {
	for range 3 {
		began := time.Now()
		profile.ReadMemory(b.pool, b.memory)
		best = max(best, float64(len(b.memory))/time.Since(began).Seconds())
	}
	return best
}

// add notes what an answer reached while memory was read so fast.
func (b *memoryBound) add(bytesPerSecond, tokensPerSecond float64) {
	rate := bytesPerSecond / float64(b.pass)
	b.rates, b.shares = append(b.rates, rate), append(b.shares, tokensPerSecond/rate)
}

// addInMemory adds what the ways reached in something.
func (r *run) addInMemory(out *report.Report, t *report.Table, what string, rates map[string][]float64) {
	mine := bench.Median(rates[leverName])
	row := []any{what, mine}
	for _, p := range r.Peers {
		theirs := bench.Median(rates[p.Name])
		row = append(row, theirs, mine/theirs)
		out.Find("%s: lever %.1f tokens/s, %.2f times as fast as %s", what, mine, mine/theirs, p.Name)
	}
	t.Add(row...)
}

// one lets a way answer, and notes it.
func (r *run) one(ctx context.Context, engine *lever.Engine, w *way, prompt []int32) (Answer, error) {
	a, err := w.complete(ctx, engine, prompt)
	if err != nil {
		return a, fmt.Errorf("%s: %w", w.name, err)
	}
	r.answers = append(r.answers, a)
	if r.done++; r.Progress != nil {
		r.Progress(r.done, r.total)
	}
	return a, nil
}

// verify returns the seconds of a forward of rows, with the logits of all.
func verify(ctx context.Context, engine *lever.Engine, rows []int32) (float64, error) {
	d := engine.Target()
	if err := d.Truncate(0); err != nil {
		return 0, err
	}
	all := make([]int, len(rows))
	for i := range all {
		all[i] = i
	}
	logits := make([]float32, len(rows)*d.Vocab())
	began := time.Now()
	if _, err := d.Forward(ctx, layers.Batch{Tokens: rows}); err != nil {
		return 0, err
	}
	if err := d.Project(ctx, logits, all); err != nil {
		return 0, err
	}
	seconds := time.Since(began).Seconds()
	return seconds, d.Commit(nil)
}

// text returns the tokens of all prompts, one after the other.
func (r *run) text(ctx context.Context, engine *lever.Engine) (tokens []int32, err error) {
	for _, set := range r.Sets {
		for _, p := range set.Prompts {
			ids, err := engine.Encode(ctx, lever.Request{Prompt: p.Text, Raw: true}) // which text follows, rather than the end of an answer
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, ids...)
		}
	}
	return tokens, nil
}

// window returns n tokens of a text, from about there on.
func window(text []int32, from, n int) ([]int32, error) {
	if n > len(text) {
		return nil, fmt.Errorf("the prompts have %s in all, fewer than %d", plural.Of(len(text), "token"), n)
	}
	from %= len(text) - n + 1
	return text[from : from+n], nil
}
