package endtoend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
)

func (r *run) isPeer(way string) bool {
	return slices.ContainsFunc(r.Peers, func(p Peer) bool { return p.Name == way })
}

// measured returns the ways whose time is known in parts: those of this program.
func (r *run) measured(ways []string) []string {
	return slices.DeleteFunc(slices.Clone(ways), r.isPeer)
}

// peakMiB returns a peak as a cell, which is empty where none is known.
func peakMiB(bytes int64) any {
	if bytes == 0 {
		return nil
	}
	return float64(bytes) / (1 << 20)
}

func (r *run) describePeers(out *report.Report) {
	for _, p := range r.Peers {
		text := "asked by turns"
		if limit := groupFigure(p.Group, "memory.max", "memory.limit_in_bytes"); limit > 0 {
			text += fmt.Sprintf(", in a memory control group of %.0f MiB", float64(limit)/(1<<20))
		}
		if slices.ContainsFunc(r.answers, func(a Answer) bool { return !a.Cold }) {
			text += "; the page cache could not be dropped"
		} else {
			text += "; the page cache was dropped before every answer"
		}
		if p.Tokens > 0 {
			text += fmt.Sprintf("; answers of %s", plural.Of(p.Tokens, "token"))
		}
		out.Set(p.Name, text)
	}
}

// comparePeers says what the peers reached.
func (r *run) comparePeers(out *report.Report, sets []string, rates map[string]float64) {
	for _, p := range r.Peers {
		first := func(way string) float64 {
			var all []float64
			for _, set := range sets {
				for _, a := range r.of(set, way) {
					all = append(all, a.TimeToFirstToken)
				}
			}
			return bench.GeometricMean(all)
		}
		out.Find("lever from flash ÷ %s: %.2f times the tokens/s, and %.2f times the speed on prompts: the first token after %.1f s instead of %.1f", p.Name,
			rates[leverName]/rates[p.Name], first(p.Name)/first(leverName), first(leverName), first(p.Name))
		same, all := r.alike(p.Name)
		out.Find("the answers of %s begin as those of lever for %.0f of 100 characters, since it rounds otherwise", p.Name, 100*same/max(1, all))
	}
}

// alike returns to how many characters a way's answers begin as those of lever, of how many.
func (r *run) alike(way string) (same, all float64) {
	for _, mine := range r.answers {
		if mine.Way != leverName {
			continue
		}
		for _, other := range r.answers {
			if other.Way == way && other.Prompt == mine.Prompt {
				n := min(len(mine.Text), len(other.Text))
				i := 0
				for i < n && mine.Text[i] == other.Text[i] {
					i++
				}
				same, all = same+float64(i), all+float64(n)
			}
		}
	}
	return same, all
}

// sumUp says in a few sentences what matters most.
func (r *run) sumUp(out *report.Report, sets []string, rates map[string]float64, chain string) {
	say := func(format string, args ...any) {
		out.Summary.Sentences = append(out.Summary.Sentences, fmt.Sprintf(format, args...))
	}
	mine := rates[leverName]
	if r.CPUShare > 0 {
		beside := ""
		if chain != "" {
			beside = fmt.Sprintf(" and %.2f times as fast as the best chain", mine/rates[chain])
		}
		say("With a phone's balance of reading and computing, Lever is %.1f times as fast as plain decoding from flash%s: %.2f tokens/s on the phone.", mine/rates[plainName], beside, mine/r.CPUShare)
		out.Find("on the phone, which computes %.2f times as fast as this machine: lever %.2f tokens/s, plain %.2f", 1/r.CPUShare, mine/r.CPUShare, rates[plainName]/r.CPUShare)
		return
	}
	model, _ := r.names()
	say("A model that does not fit in memory (%s, %.1f GB of weights of which %.0f %% stay in memory) answers %.1f times as fast with Lever as by plain decoding from flash: %.2f tokens/s instead of %.2f, in the geometric mean over %s.",
		strings.TrimSuffix(model, ".lever"), float64(r.plan.Pass+r.plan.Experts)/1e9, 100*float64(r.DRAM)/float64(r.plan.Pass+r.plan.Experts), mine/rates[plainName], mine, rates[plainName], plural.Of(len(sets), "data set"))
	if chain != "" {
		say("It is %.2f times as fast as the best chain of drafted tokens (%s).", mine/rates[chain], chain)
	}
	if len(r.Peers) > 0 {
		var peers []string
		for _, p := range r.Peers {
			peers = append(peers, fmt.Sprintf("%.1f times as fast as %s (%.2f tokens/s)", mine/rates[p.Name], p.Name, rates[p.Name]))
		}
		say("It is %s, with as much memory and the same prompts by turns.", strings.Join(peers, " and "))
	}
	var others []string
	for _, other := range r.Beside {
		others = append(others, fmt.Sprintf("%.1f times as fast as %s (%g tokens/s)", mine/other.Rate, other.Name, other.Rate))
	}
	if others != nil {
		say("It is %s, as was measured elsewhere.", strings.Join(others, "; "))
	}
	if compared, different := r.differences(); different == 0 {
		say("All %d answers are, token for token, the start of what the model alone would write.", compared)
	} else {
		say("Of %d answers, %d are not what the model alone would write.", compared, different)
	}
	var all []Answer
	for _, set := range sets {
		all = append(all, r.of(set, leverName)...)
	}
	say("The process needed at most %.2f GiB of memory, with the draft model, all caches and the program itself.", float64(sum(all).peak)/(1<<30))
	out.Summary.Plot = "rate"
}
