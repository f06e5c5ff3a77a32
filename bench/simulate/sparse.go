package simulate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/bench/policies"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
)

// SparsePhones run a target with experts: a phone with UFS 4 that was measured, cool and hot, both on the CPU.
var SparsePhones = []Phone{
	{Name: "UFS 4 measured, CPU", Flash: "ufs-4-measured", Memory: 30e9, CPU: 0.4e12},
	{Name: "UFS 4 measured, hot, CPU", Flash: "ufs-4-measured-hot", Memory: 20e9, CPU: 0.27e12},
}

// The target with experts and its draft. Its experts have an inner width of 768, as in the model that exists.
const (
	sparseTarget, sparseDraft = "qwen3-30b-a3b", "qwen3-0.6b"
	sparseFFN                 = 768
	expertBytes               = 3 * sparseFFN * 2048 * q4Bytes
)

// expertCaches say what part of the experts that plain decoding asks for is in memory, by the size of their cache: what the routers of package inflate
// give where the experts used most and last are kept. Of those used last alone, 4,000 MiB would have 76 %, as BigMoeOnEdge states, and 2,000 MiB 51 %.
//
// What rows of a pass share, rows of several passes find in the cache: the more that holds, the less a pass of several rows spares of reading.
var expertCaches = []expertCache{
	{500, 0.26, []float64{1, 0.77, 0.64, 0.52, 0.48, 0.40, 0.36, 0.33}},
	{1000, 0.43, []float64{1, 0.84, 0.73, 0.62, 0.58, 0.48, 0.46, 0.41}},
	{2000, 0.62, []float64{1, 0.90, 0.83, 0.74, 0.74, 0.62, 0.61, 0.57}},
	{3000, 0.73, []float64{1, 0.92, 0.86, 0.82, 0.82, 0.70, 0.71, 0.66}},
	{4000, 0.81, []float64{1, 0.95, 0.91, 0.84, 0.86, 0.80, 0.80, 0.72}},
	{6000, 0.89, []float64{1, 0.91, 0.92, 0.86, 0.92, 0.82, 0.90, 0.75}},
	{8000, 0.94, []float64{1, 0.88, 0.86, 0.83, 0.84, 0.86, 0.83, 0.67}},
}

// expertCache is a size of the cache.
type expertCache struct {
	mebibytes int
	hits      float64   // part of the experts that plain decoding asks for which is there
	cold      []float64 // experts to read for a row after so many others, one after the other in a text, relative to the first one's
}

// experts are those of a target on a phone.
type experts struct {
	used    float64 // by a row, of all layers
	cache   expertCache
	shares  []float64 // that a row needs and those before it do not; see the variable shares
	read    float64   // seconds of reading one
	compute float64   // and of computing one, as it comes from memory
}

// shares are the experts that a row needs and those before it in a pass do not, relative to the first row's: those of the routers of package inflate,
// for rows one after the other. For siblings nothing else is known.
var shares = []float64{1, 0.72, 0.53, 0.45, 0.39, 0.32, 0.30, 0.29}

// share returns that of a row after so many others, of shares of this kind.
func share(shares []float64, before int) float64 {
	if before < len(shares) {
		return shares[before]
	}
	last := len(shares) - 1
	return shares[last] * math.Pow(float64(last)/float64(before), 0.6)
}

// pass returns how many experts have to be read for each row of a pass, how long they are waited for, and how long it takes to compute them. In each
// layer those that are in memory are computed while others are read. Of several rows, one half is computed while experts of the other half are read, if that is
// faster: what dense says of the rest is then computed for each half, and compute contains what that adds.
func (e *experts) pass(rows, layers int, dense func(rows int) float64, random *rand.Rand) (cold [][4]int, wait, compute float64) {
	total := 0
	for before := range rows {
		n := int(e.used*share(e.cache.cold, before)*(1-e.cache.hits)*(0.75+random.Float64()/2) + 0.5)
		cold, total = append(cold, [4]int{n / 4, (n + 1) / 4, (n + 2) / 4, (n + 3) / 4}), total+n
	}
	read, compute := float64(total)*e.read, e.computing(rows)
	last := 0.0 // the time after the last read of each layer
	if total > 0 {
		last = float64(layers) * e.compute
	}
	wait = max(0, read+last-compute)
	if half := rows / 2; half > 0 {
		rest := dense(rows)
		byTurns := e.computing(half) + e.computing(rows-half) + dense(half) + dense(rows-half) - rest
		if waitByTurns := max(0, read-byTurns-rest); byTurns+waitByTurns < compute+wait {
			compute, wait = byTurns, waitByTurns
		}
	}
	return cold, wait, compute
}

// computing returns how long it takes to compute the experts of so many rows.
func (e *experts) computing(rows int) float64 { return e.uses(rows) * e.compute }

// uses returns how many experts so many rows need.
func (e *experts) uses(rows int) (n float64) {
	for before := range rows {
		n += e.used * share(e.shares, before)
	}
	return n
}

// sparseOn returns how a phone runs the target with experts, of which a cache is in memory, as is all else.
func sparseOn(d Phone, cache expertCache) (*hardware, error) {
	target, err := inflate.ShapeOf(sparseTarget)
	if err != nil {
		return nil, err
	}
	flash, err := flashsim.Load(d.Flash)
	if err != nil {
		return nil, err
	}
	h, err := (Target{Name: sparseTarget, Draft: sparseDraft, InMemory: 1}).onFlash(d, flash)
	if err != nil {
		return nil, err
	}
	target.FFN = 0
	attention, _ := size(target)
	h.read = []sampled{{1, 0}}
	h.compute = d.curve(attention, attention*q4Bytes, 0)
	h.experts = &experts{
		used: float64(target.Chosen * target.Layers), cache: cache, shares: shares, compute: expertBytes / d.Memory,
		read: reads(flash, expertBytes, readBytes)[0].seconds,
	}
	return h, nil
}

// routed reads and computes the experts of a pass.
func (c *clock) routed(o *spec.Observation) (io, wait float64) {
	e := c.h.experts
	if e == nil {
		return 0, 0
	}
	cold, wait, compute := e.pass(o.Tree.Len(), c.h.layers, c.h.compute.At, c.random)
	c.now += wait + compute
	o.Cold = cold
	for _, quarters := range cold {
		for _, n := range quarters {
			o.IO.ExpertReads += int64(n)
		}
	}
	o.IO.Experts = int64(e.uses(o.Tree.Len()))
	o.IO.ExpertBytes, o.IO.ExpertWaitSeconds = o.IO.ExpertReads, wait
	return float64(o.IO.ExpertReads) * e.read, wait
}

// sparse adds a target with experts to figure 10: by phone and set with two sizes of their cache, and by more sizes on the first phone.
func (s *simulation) sparse(ctx context.Context, out *report.Report) error {
	table := out.AddTable("Tokens/s of "+sparseTarget+", whose experts are read as rows are routed to them (figure 10)", report.Text("phone"),
		report.Text("experts in memory"), report.Text("set"), report.Number("plain", 3), report.Number("best chain", 3), report.Number("lever", 3),
		report.Number("÷ plain", 2), report.Number("÷ chain", 2), report.Number("drafted/pass", 1))
	lines := [3]report.Series{{Name: "plain"}, {Name: "best chain"}, {Name: leverName}}
	var overPlain, overChain []float64
	for i, d := range s.SparsePhones {
		for _, cache := range expertCaches {
			listed := cache.mebibytes == 2000 || cache.mebibytes == 4000
			if i > 0 && !listed {
				continue
			}
			h, err := sparseOn(d, cache)
			if err != nil {
				return err
			}
			var all [3][]float64
			for _, set := range s.pair.Sets {
				best, err := s.best(ctx, h, set)
				if err != nil {
					return err
				}
				plain, chain, lever := best[0].rate, best[1].rate, best[2].rate
				for j := range best {
					all[j] = append(all[j], best[j].rate)
				}
				if listed {
					overPlain, overChain = append(overPlain, lever/plain), append(overChain, lever/chain)
					table.Add(d.Name, fmt.Sprintf("%d MiB, %.0f%% of those asked for", cache.mebibytes, 100*cache.hits), set.Name,
						plain, chain, lever, lever/plain, lever/chain, best[2].drafted)
				}
			}
			for j := range lines {
				if i == 0 {
					lines[j].X, lines[j].Y = append(lines[j].X, float64(cache.mebibytes)), append(lines[j].Y, bench.GeometricMean(all[j]))
				}
			}
		}
	}
	plot := out.AddPlot(report.Plot{Name: "experts", Title: "Tokens/s of " + sparseTarget + " by the cache of its experts: " + s.SparsePhones[0].Name, X: "MiB", Y: "tokens/s"})
	for _, line := range lines {
		plot.Add(line)
	}
	out.Find("with experts, lever is %.2f times as fast as plain decoding from flash, and %.2f times as fast as the best chain of each of %s",
		bench.GeometricMean(overPlain), bench.GeometricMean(overChain), plural.Of(len(overPlain), "configuration"))
	return nil
}

// best returns what plain decoding, the best chain and lever reach on a set.
func (s *simulation) best(ctx context.Context, h *hardware, set tracedSet) (best [3]result, err error) {
	for _, v := range policies.Variants(budget, s.pair.Draft.Positions > 1) {
		i, ok := map[string]int{plainName: 0, "chain": 1, leverName: 2}[v.Policy]
		if !ok {
			continue
		}
		x, err := s.simulateOne(ctx, h, set, v, false)
		if err != nil {
			return best, err
		}
		if x.rate > best[i].rate {
			best[i] = x
		}
	}
	return best, nil
}
