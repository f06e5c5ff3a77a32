package policies

import (
	"fmt"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
)

// Present returns the report in the form that all experiments share: tables, a plot of tokens/s, findings.
func (r *Report) Present() *report.Report {
	s := r.Settings
	out := report.New("policies", fmt.Sprintf("Draft policies on %s, a pass streams %.2f GB", s.Flash, float64(s.PassBytes)/1e9))
	out.Machine, out.Seconds, out.Data = r.Machine, r.Seconds, r
	out.Set("models", s.Model+", "+s.Draft)
	out.Set("flash", fmt.Sprintf("%s: %.0f MB/s; a pass counts as %.2f GB (every byte as %.1f): %.2f s", s.Flash, s.Bandwidth/1e6, float64(s.PassBytes)/1e9, s.Scale, s.PassSeconds))
	if r.Overrun >= 0.0005 { // what is shown as more than nothing
		out.Set("slower than that", fmt.Sprintf("this machine, for %.1f%% of the time of reads", 100*r.Overrun))
	}
	out.Set("prompts", fmt.Sprintf("%d, of %s at most; plain decoding %d", len(s.Prompts), plural.Of(s.Tokens, "token"), s.PlainTokens))
	SetLeftOut(out, s.LeftOut)
	for _, set := range r.sets() {
		r.addTable(out, set)
	}
	r.addPlot(out)
	r.addSummary(out)
	return out
}

func (r *Report) addTable(out *report.Report, set string) {
	number := report.Number
	t := out.AddTable(set, report.Text("policy"), number("tokens/s", 3), number("of plain", 2), number("accepted/pass", 2), number("drafted/pass", 1),
		number("draft ms", 1), number("verify ms", 0), number("passes", 0), number("of roofline %", 1), number("overhead %", 2))
	plain, _ := r.find(set, plainName)
	for _, x := range r.Results {
		if x.Set == set {
			t.Add(x.Policy, x.TokensPerSecond, x.TokensPerSecond/plain.TokensPerSecond, x.AcceptedPerPass, x.DraftedPerPass,
				1e3*x.DraftSeconds, 1e3*x.VerifySeconds, x.Passes, 100*x.RooflineShare, 100*x.Overhead)
		}
	}
}

// addPlot adds a group of bars for each data set, one for each policy.
func (r *Report) addPlot(out *report.Report) {
	p := out.AddPlot(report.Plot{Name: "rate", Title: "Tokens per second", Y: "tokens/s (tick: roofline)", Groups: r.sets()})
	for _, c := range r.Settings.Variants {
		s := report.Series{Name: c.Name}
		for _, set := range p.Groups {
			x, _ := r.find(set, c.Name)
			s.Y, s.Marks = append(s.Y, x.TokensPerSecond), append(s.Marks, x.Roofline)
		}
		p.Add(s)
	}
}

func (r *Report) addSummary(out *report.Report) {
	s := r.Summary
	t := out.AddTable("geometric mean", report.Text("policy"), report.Number("tokens/s", 3), report.Number("accepted/pass", 2))
	for _, m := range s.Mean {
		t.Add(m.Policy, m.TokensPerSecond, m.AcceptedPerPass)
	}
	for _, set := range r.sets() {
		if x, ok := r.find(set, leverName); ok && x.PassTimeError > 0 {
			out.Find("lever's predictions on %s: pass time off by %.1f%% (median); %.2f ± %.2f of the accepted tokens",
				set, 100*x.PassTimeError, x.PredictedAccepted, x.AcceptedChance)
		}
	}
	out.Find("lever ÷ plain decoding: %.2f (goal %.2f)", s.OverPlain, bench.PaperOverPlain)
	out.Find("lever ÷ best fixed chain (%s): %.2f (goal %.2f)", s.BestChain, s.OverBestChain, bench.PaperOverChain)
	out.Find("lever reaches %.1f%% of the roofline (goal %.0f%%)", 100*s.Roofline, 100*GoalRoofline)
	out.Find("its predictions are off by %.1f%% of the time of a pass and %.1f%% of the accepted tokens (medians over the sets; goal %.0f%%)",
		100*s.PassTimeError, 100*s.AcceptedError, 100*GoalError)
	if with, without := r.mean(leverName), r.mean(withoutName); without.TokensPerSecond > 0 {
		out.Find("lever ÷ lever without look-up: %.2f times the tokens/s, %.2f times the tokens of a pass",
			with.TokensPerSecond/without.TokensPerSecond, with.AcceptedPerPass/without.AcceptedPerPass)
	}
	if len(s.Behind) == 0 {
		out.Find("lever is ahead of every other policy on every set")
	}
	for _, l := range s.Behind {
		out.Find("lever is not ahead of %s on %s: %.3f of its tokens/s", l.Policy, l.Set, l.Ratio)
	}
	out.Find("%s compared with plain decoding: %d differ", plural.Of(s.Compared, "answer"), s.Differences)
}
