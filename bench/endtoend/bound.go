package endtoend

import (
	"fmt"
	"math"
	"strings"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/bench/simulate"
)

// part is what a pass spends time on, in seconds.
type part struct {
	name    string
	seconds float64
}

// parts returns what a pass spends time on. Reads under way while something else is done are not counted.
func (f *figures) parts() [4]part {
	return [...]part{
		{"computing", f.computing * f.pass}, {"waiting for reads", f.waiting * f.pass}, {"drafting", f.drafting * f.pass},
		{"other work", max(0, 1-f.computing-f.waiting-f.drafting) * f.pass},
	}
}

// bandwidth returns the bytes per second of the way that read fastest.
func (r *run) bandwidth() (best float64) {
	for way, f := range r.byWay() {
		if way != residentName && f.io > 0 && !r.isPeer(way) {
			best = max(best, f.bytes*f.tokens/f.io)
		}
	}
	return best
}

// byWay returns what each way reached on all sets.
func (r *run) byWay() map[string]figures {
	answers := map[string][]Answer{}
	for _, a := range r.answers {
		answers[a.Way] = append(answers[a.Way], a)
	}
	all := map[string]figures{}
	for way, list := range answers {
		all[way] = sum(list)
	}
	return all
}

// bound compares the time of a token with that of reading alone, its bound where flash is the limit: accepted tokens × bandwidth ÷ bytes of a pass, in tokens/s.
func (r *run) bound(out *report.Report, ways []string, chain string) {
	all, bandwidth := r.byWay(), r.bandwidth()
	number := report.Number
	t := out.AddTable("Parts of the time of a token, all sets", report.Text("decoding"), number("accepted/pass", 2), number("ms/token", 1), number("computing", 1),
		number("waiting for reads", 1), number("drafting", 1), number("other work", 1), number("reading alone", 1), number("rate ÷ bound", 2))
	for _, w := range ways {
		if r.isPeer(w) {
			continue
		}
		f := all[w]
		row := []any{w, f.accepted, 1e3 / f.rate}
		for _, p := range f.parts() {
			row = append(row, 1e3*p.seconds/f.accepted)
		}
		if w == residentName || bandwidth == 0 {
			row = append(row, nil, nil)
		} else {
			reading := f.bytes / bandwidth
			row = append(row, 1e3*reading, reading*f.rate)
		}
		t.Add(row...)
	}
	r.compareSimulated(out, ways)
	if chain == "" {
		return
	}
	mine, other := all[leverName], all[chain]
	ratio := mine.rate / other.rate
	out.Find("over all sets lever ÷ %s is %.2f: %.2f times the tokens of a pass in %.2f times its time", chain, ratio, mine.accepted/other.accepted, mine.pass/other.pass)
	// Parts go on beside reads, so that one which is shorter saves no more than the passes differ.
	longer, most, more := mine.pass-other.pass, "", 0.0
	theirs := other.parts()
	for i, p := range mine.parts() {
		if d := min(longer, p.seconds-theirs[i].seconds); d > more {
			most, more = p.name, d
		}
	}
	const noise = 0.02 // of a pass
	if more > noise*mine.pass {
		out.Find("what lengthens a pass of lever most is %s, by %.3f s; were that as short as with %s, the ratio would be %.2f", most, more, chain, ratio*mine.pass/(mine.pass-more))
	}
	if bandwidth > 0 {
		reading := mine.bytes * mine.accepted / bandwidth
		out.Find("were a pass of lever no longer than its reading alone, %.3f s instead of %.3f, the ratio would be %.2f; as it is, 2.0 would take %.2f tokens a pass", reading, mine.pass,
			ratio*mine.pass/reading, 2/ratio*mine.accepted)
	}
}

// compareSimulated compares passes with those that package simulate makes of what they read, computed and drafted, where flash is a device that it knows and
// what is read of it does not depend on the text, as experts do.
func (r *run) compareSimulated(out *report.Report, ways []string) {
	if r.Flash == nil || r.plan.Experts > 0 {
		return
	}
	t := out.AddTable("Passes as they were, and simulated from what they read, computed and drafted", report.Text("decoding"), report.Number("s/pass", 3), report.Number("simulated", 3),
		report.Number("÷ simulated", 2))
	all := r.byWay()
	most := 0.0
	var said []string
	for _, w := range ways {
		if w == residentName || r.isPeer(w) {
			continue
		}
		f := all[w]
		seconds := simulate.PassSeconds(r.Flash, r.plan, simulate.Work{Bytes: f.bytes * f.accepted, Computing: f.computing * f.pass, Drafting: f.drafting * f.pass})
		t.Add(w, f.pass, seconds, f.pass/seconds)
		most = max(most, math.Abs(f.pass/seconds-1))
		said = append(said, fmt.Sprintf("%s %.2f times", w, f.pass/seconds))
	}
	out.Find("passes take as long as simulated ones that read, compute and draft as much, within %.0f%%: %s", 100*most, strings.Join(said, ", "))
}
