package simulate

import (
	"context"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/spec/gaincost"
)

// picture is how the time of a token grows with something.
type picture struct {
	name, title, x string
	unit           string // of what the law is linear in
	points         []point
	// floor, if not nil, returns the law of plain decoding, in ms a token, in place of a straight line.
	floor     func(h *hardware) float64
	floorName string
}

// point is a place of a curve: what stands at x, the phone that runs it, and what the law is linear in.
type point struct {
	x, in float64
	label string
	h     *hardware
}

// growthMemory is what the target's weights and all keys and values have in the picture by context.
const growthMemory = 4 << 30

// growth shows how the time of a token grows with context, conversations, size, memory and experts, and the laws that the curves follow.
func (s *simulation) growth(ctx context.Context, out *report.Report) error {
	d := s.SparsePhones[0] // computes on its CPU
	for _, draw := range []func(Phone) ([]picture, error){byContext, byConversations, bySize, byMemory, byExperts} {
		pictures, err := draw(d)
		if err != nil {
			return err
		}
		for _, p := range pictures {
			if err := s.draw(ctx, out, p, d); err != nil {
				return fmt.Errorf("growth by %s: %w", p.x, err)
			}
		}
	}
	return nil
}

// draw adds the plot and the table of a picture.
func (s *simulation) draw(ctx context.Context, out *report.Report, p picture, d Phone) error {
	t := out.AddTable(p.title+" ("+d.Name+")", report.Text(p.x), report.Number("plain: ms/token", 0), report.Number("lever: ms/token", 0),
		report.Number("÷ plain", 2), report.Number("accepted/pass", 2), report.Number("drafted/pass", 1))
	lines := [2]report.Series{{Name: "plain"}, {Name: leverName}}
	in, floor := []float64{}, report.Series{Name: p.floorName, Dashed: true}
	for _, at := range p.points {
		several := float64(at.h.together())
		plain, err := s.mean(ctx, at.h, named(plainName, 1), false)
		if err != nil {
			return err
		}
		mine, err := s.mean(ctx, at.h, named(leverName, min(budget, (lever.MaxBudget+1)/at.h.together()-1)), false)
		if err != nil {
			return err
		}
		in = append(in, at.in)
		for i, x := range []result{plain, mine} {
			lines[i].X, lines[i].Y = append(lines[i].X, at.x), append(lines[i].Y, 1e3*several/x.rate)
		}
		t.Add(at.label, 1e3*several/plain.rate, 1e3*several/mine.rate, mine.rate/plain.rate, mine.accepted/several, mine.drafted)
		if p.floor != nil {
			floor.X, floor.Y = append(floor.X, at.x), append(floor.Y, p.floor(at.h))
		}
	}
	plot := out.AddPlot(report.Plot{Name: "growth-" + p.name, Title: p.title + " (" + d.Name + ")", X: p.x, Y: "ms a token"})
	for i, line := range lines {
		plot.Add(line)
		law := floor
		switch {
		case p.floor == nil: // fitted over what the law is linear in, drawn over the axis
			law = report.Law(report.Series{X: in, Y: line.Y}, "ms", p.unit)
			law.X = line.X
		case i > 0:
			continue
		}
		plot.Add(law)
		out.Find("a token of %s by %s: %s; off by at most %.0f%%", line.Name, p.x, law.Name, 100*farthest(line.Y, law.Y))
	}
	return nil
}

// farthest returns by what part of y a law is off at most.
func farthest(y, law []float64) (most float64) {
	for i := range y {
		most = max(most, law[i]/y[i]-1, 1-law[i]/y[i])
	}
	return most
}

// byContext is about keys and values in Q8_0 that take memory from weights, and time from every row.
func byContext(d Phone) ([]picture, error) {
	p := picture{name: "context", title: fmt.Sprintf("A token by the length of the text: llama-3.1-8b, %d GiB for weights, keys and values in Q8_0", growthMemory>>30), x: "tokens before", unit: "token"}
	t := Targets[0]
	for _, position := range []int{0, 2048, 4096, 8192, 16384, 24576, 32768} {
		h, err := t.after(d, position, q8Bytes, growthMemory)
		if err != nil {
			return nil, err
		}
		p.points = append(p.points, point{float64(position), float64(position), fmt.Sprint(position), h})
	}
	return []picture{p}, nil
}

// after returns how d runs t after a text, with keys and values of so many bytes an element: they take their part of the memory, and each row attends to them.
func (t Target) after(d Phone, position int, bytes, memory float64) (*hardware, error) {
	target, draft, err := t.shapes()
	if err != nil {
		return nil, err
	}
	cache := func(s inflate.Shape) float64 {
		return float64(2*s.KVHeads*s.HeadDim*s.Layers*position) * bytes
	}
	blocks, head := size(target)
	t.InMemory = min(1, (memory-cache(target)-cache(draft))/(blocks*q4Bytes+head*q8Bytes))
	h, err := t.on(d)
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		shape inflate.Shape
		curve *gaincost.Curve
	}{{target, &h.compute}, {draft, &h.draft}} {
		products := float64(2 * m.shape.Heads * m.shape.HeadDim * m.shape.Layers * position) // of a row, with keys and with values
		for i := range m.curve.Points {
			p := &m.curve.Points[i]
			p.Seconds += max(cache(m.shape)/d.Memory, float64(p.Rows)*products/d.CPU)
		}
	}
	return h, nil
}

// byConversations is about conversations that share passes, all alike.
func byConversations(d Phone) ([]picture, error) {
	p := picture{name: "conversations", title: "A token of each of several conversations that share passes: " + Targets[0].Name + ", a quarter in memory", x: "conversations", unit: "conversation"}
	for n := 1; n <= 8; n++ {
		h, err := Targets[0].on(d)
		if err != nil {
			return nil, err
		}
		h.conversations = n
		p.points = append(p.points, point{float64(n), float64(n), fmt.Sprint(n), h})
	}
	return []picture{p}, nil
}

// bySize is about models from 1 to 30 billion parameters, half in memory.
func bySize(d Phone) ([]picture, error) {
	const half = 0.5
	p := picture{name: "size", title: "A token by what a plain pass reads: models of 1 to 30 billion parameters, half in memory", x: "GB read", unit: "GB read"}
	for _, t := range []Target{{"llama-3.2-1b", "mid-draft", half}, {"llama-3.2-3b", "qwen3-0.6b", half}, {"llama-3.1-8b", "llama-3.2-1b", half}, {"qwen3-14b", "qwen3-0.6b", half}} {
		h, err := t.on(d)
		if err != nil {
			return nil, err
		}
		shape, err := inflate.ShapeOf(t.Name)
		if err != nil {
			return nil, err
		}
		blocks, head := size(shape)
		read := (1 - half) * (blocks*q4Bytes + head*q8Bytes) / 1e9
		p.points = append(p.points, point{read, read, fmt.Sprintf("%.2f (%s)", read, t.Name), h})
	}
	cache := expertCaches[5] // 6,000 MiB of 15.5 GiB of experts: what holds 89 % of those asked for
	h, err := sparseOn(d, cache)
	if err != nil {
		return nil, err
	}
	read := h.experts.used * (1 - cache.hits) * expertBytes / 1e9
	p.points = append([]point{{read, read, fmt.Sprintf("%.2f (%s, %d MiB of experts)", read, sparseTarget, cache.mebibytes), h}}, p.points...)
	return []picture{p}, nil
}

// byMemory is about the part of a model in memory, from what the head takes to all.
func byMemory(d Phone) ([]picture, error) {
	t := Targets[0]
	p := picture{
		name: "memory", title: "A token by the part of the model in memory: " + t.Name, x: "% in memory",
		floor: func(h *hardware) float64 { return 1e3 * (max(h.steady(0, 0), h.compute.At(1)) + h.project) }, floorName: "law: the longer of reading and computing, plain",
	}
	for _, part := range []float64{0.13, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 1} {
		t.InMemory = part
		h, err := t.on(d)
		if err != nil {
			return nil, err
		}
		p.points = append(p.points, point{x: 100 * part, label: fmt.Sprintf("%.0f", 100*part), h: h})
	}
	return []picture{p}, nil
}

// expertCounts say what the routers of package inflate give for other numbers of experts in a layer, each as large, where 2,000 MiB of them are in memory.
var expertCounts = []struct {
	experts int
	expertCache
	shares []float64
}{
	{8, expertCache{2000, 1, []float64{1}}, []float64{1, 0, 0, 0, 0, 0, 0, 0}},
	{16, expertCache{2000, 1, []float64{1}}, []float64{1, 0.29, 0.14, 0.09, 0.07, 0.05, 0.04, 0.03}},
	{32, expertCache{2000, 0.90, []float64{1, 0.88, 0.75, 0.67, 0.62, 0.56, 0.52, 0.48}}, []float64{1, 0.43, 0.26, 0.19, 0.15, 0.13, 0.11, 0.09}},
	{64, expertCache{2000, 0.76, []float64{1, 0.87, 0.76, 0.68, 0.63, 0.58, 0.54, 0.50}}, []float64{1, 0.57, 0.40, 0.30, 0.25, 0.21, 0.19, 0.17}},
	{128, expertCache{2000, 0.65, []float64{1, 0.90, 0.79, 0.72, 0.67, 0.63, 0.59, 0.56}}, []float64{1, 0.66, 0.49, 0.40, 0.34, 0.30, 0.27, 0.24}},
}

// byExperts is about the number of experts in a layer, of which a row needs eight.
func byExperts(d Phone) ([]picture, error) {
	p := picture{name: "experts", title: "A token by the experts in a layer, eight for a row, 2000 MiB of them in memory: the shape of " + sparseTarget, x: "experts", unit: "expert read"}
	for _, c := range expertCounts {
		h, err := sparseOn(d, c.expertCache)
		if err != nil {
			return nil, err
		}
		h.experts.shares = c.shares
		p.points = append(p.points, point{float64(c.experts), h.experts.used * (1 - c.hits), fmt.Sprint(c.experts), h})
	}
	return []picture{p}, nil
}
