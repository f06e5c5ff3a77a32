package endtoend

import (
	"fmt"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
)

// figures are what a way reached on a set.
type figures struct {
	rate, first                            float64 // tokens/s; seconds to the first token
	accepted, pass                         float64 // tokens of a pass, its seconds
	bytes                                  float64 // read per token
	reading, computing, waiting, drafting  float64 // shares of the time
	peak                                   int64
	tokens, passes, seconds, io, wait, cpu float64
	experts, expertReads                   float64 // of a pass
}

func sum(answers []Answer) (f figures) {
	var draft float64
	var firsts []float64
	for _, a := range answers {
		f.tokens += float64(a.Stats.Tokens - a.First)
		f.passes += float64(a.Passes)
		f.seconds += a.Seconds
		f.bytes += float64(a.BytesRead)
		f.io += a.IOSeconds
		f.wait += a.IOWaitSeconds
		f.cpu += a.ComputeSeconds
		f.experts += float64(a.Experts)
		f.expertReads += float64(a.ExpertReads)
		draft += a.DraftSeconds
		firsts = append(firsts, a.TimeToFirstToken)
		f.peak = max(f.peak, a.PeakRSS)
	}
	f.rate, f.accepted, f.pass, f.bytes = f.tokens/f.seconds, f.tokens/f.passes, f.seconds/f.passes, f.bytes/f.tokens
	f.experts, f.expertReads = f.experts/f.passes, f.expertReads/f.passes
	f.reading, f.computing, f.waiting, f.drafting = f.io/f.seconds, f.cpu/f.seconds, f.wait/f.seconds, draft/f.seconds
	f.first = bench.Median(firsts)
	return f
}

// present fills in the report.
func (r *run) present(out *report.Report, ways []string) {
	model, draft := r.names()
	all := float64(r.plan.Pass + r.plan.Experts)
	out.Title = fmt.Sprintf("End to end: %s, %.0f%% in memory", model, 100*float64(r.DRAM)/all)
	out.Data = r.answers
	out.Set("models", model+", "+draft)
	out.Set("memory for the target's weights", fmt.Sprintf("%.0f MiB of %.0f", float64(r.DRAM)/(1<<20), all/(1<<20)))
	out.Set("read for a pass", fmt.Sprintf("%.2f GB, in reads of %d KiB, %d at once", float64(r.plan.Streamed)/1e9, r.plan.ReadSize>>10, r.plan.Depth))
	if r.plan.Experts > 0 {
		out.Set("experts", fmt.Sprintf("%.2f GB, of which those used most and last are kept in %.2f GB", float64(r.plan.Experts)/1e9, float64(r.plan.Kept)/1e9))
	}
	out.Set("prompts per set", r.Prompts)
	out.Set("tokens of an answer", fmt.Sprintf("%d; plain decoding from flash %d", r.Tokens, r.PlainTokens))
	if len(r.answers) > 0 {
		out.Set("reads are", r.answers[0].Mode)
	}
	r.describePeers(out)
	var sets []string
	for _, s := range r.Sets {
		sets = append(sets, s.Name)
	}
	plot := out.AddPlot(report.Plot{Name: "rate", Title: "Tokens per second", Y: "tokens/s", Groups: sets})
	shares := out.AddPlot(report.Plot{Name: "shares", Title: "Parts of the time, means over the sets (reading goes on during the others)", Y: "% of the time", Groups: r.measured(ways)})
	means := map[string]map[string]float64{} // by way and set, of tokens/s
	parts := [4]report.Series{{Name: "reads under way"}, {Name: "target computes"}, {Name: "target waits for reads"}, {Name: "draft works"}}
	for _, w := range ways {
		means[w] = map[string]float64{}
		s := report.Series{Name: w}
		var all []Answer
		for _, set := range sets {
			means[w][set] = sum(r.of(set, w)).rate
			s.Y = append(s.Y, means[w][set])
			all = append(all, r.of(set, w)...)
		}
		plot.Add(s)
		if r.isPeer(w) {
			continue
		}
		f := sum(all)
		for i, share := range []float64{f.reading, f.computing, f.waiting, f.drafting} {
			parts[i].Y = append(parts[i].Y, 100*share)
		}
	}
	for _, s := range parts {
		shares.Add(s)
	}
	for _, set := range sets {
		r.table(out, set, ways)
	}
	r.summary(out, sets, ways, means)
}

func (r *run) table(out *report.Report, set string, ways []string) {
	number := report.Number
	columns := []report.Column{report.Text("decoding"), number("tokens/s", 3), number("of plain", 2), number("first token s", 2), number("accepted/pass", 2),
		number("s/pass", 3), number("MB read/token", 0), number("reading %", 0), number("computing %", 0), number("waiting %", 0), number("drafting %", 0), number("peak MiB", 0)}
	if r.plan.Experts > 0 {
		columns = append(columns, number("experts/pass", 0), number("read/pass", 0))
	}
	t := out.AddTable(set, columns...)
	plain := sum(r.of(set, plainName)).rate
	for _, w := range ways {
		f := sum(r.of(set, w))
		if r.isPeer(w) {
			row := []any{w, f.rate, f.rate / plain, f.first, nil, nil, nil, nil, nil, nil, nil, peakMiB(f.peak), nil, nil}
			t.Add(row[:len(columns)]...)
			continue
		}
		row := []any{w, f.rate, f.rate / plain, f.first, f.accepted, f.pass, f.bytes / 1e6, 100 * f.reading, 100 * f.computing, 100 * f.waiting, 100 * f.drafting, float64(f.peak) / (1 << 20), f.experts, f.expertReads}
		t.Add(row[:len(columns)]...)
	}
}

func (r *run) summary(out *report.Report, sets, ways []string, rates map[string]map[string]float64) {
	t := out.AddTable("geometric mean over the sets", report.Text("decoding"), report.Number("tokens/s", 3), report.Number("lever ÷ this", 2))
	mean := map[string]float64{}
	chain := ""
	for _, w := range ways {
		var all []float64
		for _, set := range sets {
			all = append(all, rates[w][set])
		}
		mean[w] = bench.GeometricMean(all)
		if w != residentName && w != plainName && w != leverName && !r.isPeer(w) && (chain == "" || mean[w] > mean[chain]) {
			chain = w
		}
	}
	for _, w := range ways {
		t.Add(w, mean[w], mean[leverName]/mean[w])
	}
	for _, other := range r.Beside {
		t.Add(other.Name+" (not measured here)", other.Rate, mean[leverName]/other.Rate)
	}
	out.Find("lever ÷ plain decoding from flash: %.2f (paper %.2f)", mean[leverName]/mean[plainName], bench.PaperOverPlain)
	if chain != "" {
		out.Find("lever ÷ best chain (%s): %.2f (paper %.2f)", chain, mean[leverName]/mean[chain], bench.PaperOverChain)
	}
	if mean[residentName] > 0 {
		out.Find("lever from flash ÷ plain decoding in memory: %.2f", mean[leverName]/mean[residentName])
	}
	for _, other := range r.Beside {
		out.Find("lever from flash ÷ %s, said to reach %g tokens/s: %.2f", other.Name, other.Rate, mean[leverName]/other.Rate)
	}
	var plain, mine []Answer
	for _, set := range sets {
		plain, mine = append(plain, r.of(set, plainName)...), append(mine, r.of(set, leverName)...)
	}
	p, l := sum(plain), sum(mine)
	out.Find("a pass of lever takes %.2f times as long as a plain one and brings %.2f tokens; were it as short, it would be %.2f times as fast as plain decoding",
		l.pass/p.pass, l.accepted, l.accepted)
	out.Find("of lever's time the target computes %.0f%%, waits for reads %.0f%%, and the draft works %.0f%%; reads are under way during %.0f%%",
		100*l.computing, 100*l.waiting, 100*l.drafting, 100*l.reading)
	r.bound(out, ways, chain)
	if least, ok := r.least(plain); ok {
		out.Find("a plain pass takes %.3f s, %.2f times the longer of reading and computing; as experts are read once their layer's router has spoken, it takes at least %.3f s, %.2f times that: "+
			"%.3f s to compute what is no expert, and then the longer of %.3f s of reading and %.3f s of computing experts", p.pass, p.pass/least.longer, least.seconds(), least.seconds()/least.longer,
			least.dense, least.read, least.experts)
	}
	r.comparePeers(out, sets, mean)
	compared, different := r.differences()
	out.Find("%s compared: %d differ", plural.Of(compared, "greedy answer"), different)
	r.sumUp(out, sets, mean, chain)
}

// leastPass bounds the time of a plain pass over a target with experts from below, in seconds: which experts a layer needs is known once its router has
// spoken, and the next layer's computing needs what they make. So reading experts goes on beside computing those of the same layer, and nothing else.
type leastPass struct {
	dense   float64 // of computing what is no expert
	experts float64 // of computing experts
	read    float64 // of reading them
	longer  float64 // of all reading and all computing
}

func (l leastPass) seconds() float64 { return l.dense + max(l.read, l.experts) }

// least returns the bound for plain answers, which compute a row at a time, so that weights take as long as they are large. It is false without experts.
func (r *run) least(answers []Answer) (l leastPass, ok bool) {
	f := sum(answers)
	if r.plan.Experts == 0 || f.expertReads == 0 {
		return l, false
	}
	var bytes, reads int64
	for _, a := range answers {
		bytes, reads = bytes+a.ExpertBytes, reads+a.ExpertReads
	}
	experts := f.experts * float64(bytes) / float64(reads) // bytes of a pass
	compute := f.cpu / f.passes
	l.dense = compute * float64(r.plan.Pass) / (float64(r.plan.Pass) + experts)
	l.experts, l.read = compute-l.dense, f.io/f.passes
	l.longer = max(compute, l.read)
	return l, true
}
