package policies

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTable writes the report as text.
func (r *Report) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	s := r.Settings
	fmt.Fprintf(w, "%s, load %s\n", r.Machine, r.Machine.Load)
	fmt.Fprintf(w, "flash %s: %.0f MB/s; a pass counts as %.2f GB (every byte as %.1f): %.2f s; this machine was slower for %.1f%% of the time of reads; %.0f s in all\n",
		s.Flash, s.Bandwidth/1e6, float64(s.PassBytes)/1e9, s.Scale, s.PassSeconds, 100*r.Overrun, r.Seconds)
	for _, set := range r.sets() {
		fmt.Fprintf(w, "\n%s\ttokens/s\tof plain\taccepted/pass\tdrafted/pass\tdraft ms\tverify ms\tpasses\tof roofline\toverhead\t\n", set)
		plain, _ := r.find(set, plainName)
		for _, x := range r.Results {
			if x.Set != set {
				continue
			}
			fmt.Fprintf(w, "%s\t%.3f\t%.2f\t%.2f\t%.1f\t%.1f\t%.0f\t%d\t%.1f%%\t%.2f%%\t\n", x.Policy, x.TokensPerSecond,
				x.TokensPerSecond/plain.TokensPerSecond, x.AcceptedPerPass, x.DraftedPerPass, 1e3*x.DraftSeconds, 1e3*x.VerifySeconds,
				x.Passes, 100*x.RooflineShare, 100*x.Overhead)
		}
	}
	r.writeSummary(w)
	return w.Flush()
}

func (r *Report) writeSummary(w io.Writer) {
	s := r.Summary
	fmt.Fprintf(w, "\ngeometric mean\ttokens/s\taccepted/pass\t\n")
	for _, m := range s.Mean {
		fmt.Fprintf(w, "%s\t%.3f\t%.2f\t\n", m.Policy, m.TokensPerSecond, m.AcceptedPerPass)
	}
	fmt.Fprintln(w)
	for _, set := range r.sets() {
		if x, ok := r.find(set, leverName); ok && x.PassTimeError > 0 {
			fmt.Fprintf(w, "lever's predictions on %s: pass time off by %.1f%% (median); %.2f ± %.2f of the accepted tokens\n",
				set, 100*x.PassTimeError, x.PredictedAccepted, x.AcceptedChance)
		}
	}
	fmt.Fprintf(w, "lever ÷ plain decoding: %.2f (goal %.2f)\n", s.OverPlain, GoalOverPlain)
	fmt.Fprintf(w, "lever ÷ best fixed chain (%s): %.2f (goal %.2f)\n", s.BestChain, s.OverBestChain, GoalOverChain)
	fmt.Fprintf(w, "lever reaches %.1f%% of the roofline (goal %.0f%%)\n", 100*s.Roofline, 100*GoalRoofline)
	fmt.Fprintf(w, "its predictions are off by %.1f%% of the time of a pass and %.1f%% of the accepted tokens (medians over the sets; goal %.0f%%)\n",
		100*s.PassTimeError, 100*s.AcceptedError, 100*GoalError)
	if len(s.Behind) == 0 {
		fmt.Fprintf(w, "lever is ahead of every other policy on every set\n")
	}
	for _, l := range s.Behind {
		fmt.Fprintf(w, "lever is not ahead of %s on %s: %.3f of its tokens/s\n", l.Policy, l.Set, l.Ratio)
	}
	fmt.Fprintf(w, "%d answers compared with plain decoding: %d differ\n", s.Compared, s.Differences)
}
