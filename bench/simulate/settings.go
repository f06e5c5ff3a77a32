package simulate

import (
	"context"
	"fmt"
	"math"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec/sampling"
)

// samplings are how tokens are chosen: the likeliest, and as the makers of Qwen3 recommend for answers without and with thinking.
var samplings = []struct {
	name string
	sampling.Options
}{
	{"greedy", sampling.Options{}},
	{"non-thinking: temperature 0.7, top-p 0.8, top-k 20", sampling.Options{Temperature: 0.7, TopP: 0.8, TopK: 20, Seed: 1}},
	{"thinking: temperature 0.6, top-p 0.95, top-k 20", sampling.Options{Temperature: 0.6, TopP: 0.95, TopK: 20, Seed: 1}},
}

// settings shows how ratios vary over models, ways of choosing tokens, and prompts.
func (s *simulation) settings(ctx context.Context, out *report.Report) error {
	d := s.Phones[0]
	t := out.AddTable("How ratios vary: "+d.Name+", over all prompts", report.Text("model"), report.Text("tokens are chosen"), report.Number("prompts", 0),
		report.Number("÷ plain", 2), report.Text("95 % of means"), report.Text("80 % of prompts"), report.Number("÷ chain", 2), report.Text("95 % of means"), report.Text("80 % of prompts"))
	for _, target := range s.Targets {
		h, err := target.on(d)
		if err != nil {
			return err
		}
		for _, c := range samplings {
			sampled := *s
			sampled.sampling = c.Options
			r, err := sampled.threeWays(ctx, h)
			if err != nil {
				return err
			}
			t.Add(target.Name, c.name, len(r.overPlain), bench.GeometricMean(r.overPlain), meanInterval(r.overPlain), middle(r.overPlain),
				bench.GeometricMean(r.overChain), meanInterval(r.overChain), middle(r.overChain))
			if target.Name == s.Targets[0].Name {
				out.Find("%s, %s: over %s lever is %.2f times as fast as plain decoding (95 %% of means %s), and %.2f times as fast as the best chain of each set (%s)",
					target.Name, c.name, plural.Of(len(r.overPlain), "prompt"), bench.GeometricMean(r.overPlain), meanInterval(r.overPlain), bench.GeometricMean(r.overChain), meanInterval(r.overChain))
			}
		}
	}
	return nil
}

// meanInterval says between what the geometric mean of as many other prompts would be in 95 of 100 cases, by the normal approximation.
func meanInterval(ratios []float64) string {
	n := float64(len(ratios))
	if n < 2 {
		return "–"
	}
	mean, squares := math.Log(bench.GeometricMean(ratios)), 0.0
	for _, r := range ratios {
		squares += (math.Log(r) - mean) * (math.Log(r) - mean)
	}
	off := 1.96 * math.Sqrt(squares/(n-1)/n)
	return fmt.Sprintf("%.2f to %.2f", math.Exp(mean-off), math.Exp(mean+off))
}

// middle says between what the ratios of 80 of 100 prompts lie.
func middle(ratios []float64) string {
	return fmt.Sprintf("%.2f to %.2f", bench.Quantile(ratios, 0.1), bench.Quantile(ratios, 0.9))
}
