package endtoend

import (
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// The parts of a pass are all of it, and the longest difference is named with what it costs.
func TestBound(t *testing.T) {
	answer := func(way string, tokens, passes int, seconds, compute, wait, draft float64) Answer {
		return Answer{Way: way, Stats: spec.Stats{Tokens: tokens, Passes: passes, Seconds: seconds, ComputeSeconds: compute, DraftSeconds: draft,
			IOStats: spec.IOStats{BytesRead: int64(passes) * 1e9, IOSeconds: seconds / 2, IOWaitSeconds: wait}}}
	}
	r := &run{answers: []Answer{answer("chain 4", 20, 10, 10, 2, 6, 1), answer(leverName, 40, 10, 16, 8, 5, 2)}}
	f := r.byWay()[leverName]
	for i, want := range []float64{0.8, 0.5, 0.2, 0.1} {
		if p := f.parts()[i]; p.seconds < want-1e-9 || p.seconds > want+1e-9 {
			t.Errorf("%s takes %v s of a pass, want %v", p.name, p.seconds, want)
		}
	}
	if b := r.bandwidth(); b < 2e9-1 || b > 2e9+1 { // the chain's: 10 GB in 5 s
		t.Errorf("%v bytes/s", b)
	}
	out := report.New("test", "")
	r.bound(out, []string{"chain 4", leverName}, "chain 4")
	text := strings.Join(out.Findings, "\n")
	for _, want := range []string{"lever ÷ chain 4 is 1.25: 2.00 times the tokens of a pass in 1.60 times its time", "most is computing, by 0.600 s", "with chain 4, the ratio would be 2.00", "reading alone, 0.500 s instead of 1.600, the ratio would be 4.00; as it is, 2.0 would take 6.40 tokens"} {
		if !strings.Contains(text, want) {
			t.Errorf("the findings do not say %q:\n%s", want, text)
		}
	}
	if got := out.Tables[0].Rows[1][8].(float64); got < 0.31 || got > 0.32 { // 0.5 s of reading in a pass of 1.6
		t.Errorf("lever reaches %v of the bound", got)
	}
}

// A pass that waits for flash takes as long as a simulated one, and one that took twice as long does not.
func TestComparedWithSimulated(t *testing.T) {
	flash := &flashsim.Profile{Name: "test", Sizes: []int64{4 << 20}, Depths: []int{4}, BytesPerSecond: [][]float64{{1e9}}}
	r := &run{
		Options: Options{Flash: flash},
		plan:    weights.Plan{Ring: 1 << 30, Streamed: 1e9, ReadSize: 4 << 20, Depth: 4},
		answers: []Answer{
			{Way: plainName, Stats: spec.Stats{Tokens: 10, Passes: 10, Seconds: 10, ComputeSeconds: 2, IOStats: spec.IOStats{BytesRead: 1e10}}},
			{Way: leverName, Stats: spec.Stats{Tokens: 40, Passes: 10, Seconds: 20, ComputeSeconds: 5, DraftSeconds: 1, IOStats: spec.IOStats{BytesRead: 1e10}}},
			{Way: residentName, Stats: spec.Stats{Tokens: 10, Passes: 10, Seconds: 2, ComputeSeconds: 2}},
		},
	}
	out := report.New("test", "")
	r.compareSimulated(out, []string{residentName, plainName, leverName})
	if len(out.Tables) != 1 || len(out.Tables[0].Rows) != 2 || !strings.Contains(out.Findings[0], "within 100%: plain 1.00 times, lever 2.00 times") {
		t.Errorf("tables %v, findings %q", out.Tables, out.Findings)
	}
	for _, c := range []func(){func() { r.plan.Experts = 1 }, func() { r.plan.Experts, r.Flash = 0, nil }} {
		c()
		out := report.New("test", "")
		if r.compareSimulated(out, []string{plainName}); len(out.Tables) != 0 {
			t.Errorf("compared without a device, or with experts: %v", out.Tables)
		}
	}
}

func TestReadStreamErrors(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":       "data: [DONE]\n",
		"no text":       "data: {\"choices\": [{\"text\": \"\"}]}\n",
		"no JSON":       "data: {\n",
		"its own error": "data: {\"error\": \"out of memory\"}\n",
		"endless line":  "data: " + strings.Repeat("a", 2<<20),
	} {
		if a, err := readStream(strings.NewReader(body), time.Now()); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
