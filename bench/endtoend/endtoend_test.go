package endtoend_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/endtoend"
	"github.com/lever-go/lever/internal/demo"
)

func options(t *testing.T) endtoend.Options {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return endtoend.Options{
		Model: pair.Target, Draft: pair.Draft, DRAM: 4 << 20, Sets: bench.BuiltinSets()[:2],
		Tokens: 10, PlainTokens: 4, WarmTokens: 4, Chains: []int{3}, Resident: true,
	}
}

func TestRunReportsWhatFitsTogether(t *testing.T) {
	o := options(t)
	o.Beside = []endtoend.Other{{Name: "snail", Rate: 0.5}}
	steps, total := 0, 0
	o.Progress = func(done, all int) { steps, total = done, all }
	r, err := endtoend.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const ways = 4
	answers := r.Data.([]endtoend.Answer)
	if len(answers) != 2*ways || steps != total || total != len(answers) {
		t.Fatalf("%d answers, %d of %d steps", len(answers), steps, total)
	}
	for _, a := range answers {
		streamed := a.Way != "plain, in memory"
		if (a.BytesRead > 0) != streamed || a.ReusedTokens != 0 || a.Seconds <= 0 || !(a.TimeToFirstToken > 0 && a.TimeToFirstToken <= a.PrefillSeconds) {
			t.Errorf("%s, %s: %+v", a.Prompt, a.Way, a.Stats)
		}
		want := map[bool]int{true: o.PlainTokens, false: o.Tokens}[a.Way == "plain"]
		if len(a.Tokens) != want || a.First+a.Passes > want || strings.HasPrefix(a.Way, "plain") && a.First+a.Passes != want {
			t.Errorf("%s, %s: %d tokens in %d passes", a.Prompt, a.Way, len(a.Tokens), a.Passes)
		}
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gsm8k", "humaneval", "lever ÷ plain decoding from flash", "lever ÷ best chain (chain 3)", "lever from flash ÷ snail, said to reach 0.5 tokens/s: ", "snail (not measured here)", "8 greedy answers compared: 0 differ",
		"Parts of the time of a token", "over all sets lever ÷ chain 3 is"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, text.String())
		}
	}
	if summary := strings.Join(r.Summary.Sentences, "\n"); len(r.Summary.Sentences) != 5 || !strings.Contains(summary, "times as fast as snail (0.5 tokens/s), as was measured elsewhere") {
		t.Errorf("the summary says %s", summary)
	}
	if err := r.Save(t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestRunFresh(t *testing.T) {
	o := options(t)
	o.Sets, o.Chains = o.Sets[:1], []int{2}
	r, err := endtoend.RunFresh(t.Context(), o, []int{3, 6})
	if err != nil {
		t.Fatal(err)
	}
	answers := r.Data.([]endtoend.Answer)
	for _, a := range answers {
		want := 6
		if a.Way == "plain" {
			want = o.PlainTokens
		}
		if last := a.Steps[len(a.Steps)-1]; len(a.Tokens) != want || a.First+last.Tokens != want || len(a.Steps) != a.Passes || a.ReusedTokens != 0 || a.BytesRead == 0 {
			t.Errorf("%s: %d tokens, %d reused, %d bytes read, passes %+v", a.Way, len(a.Tokens), a.ReusedTokens, a.BytesRead, a.Steps)
		}
	}
	mine := answers[len(answers)-1].Steps
	first := slices.IndexFunc(mine, func(s endtoend.Step) bool { return s.Tokens >= 3 })
	for i, want := range []float64{3 / mine[first].Seconds, float64(mine[len(mine)-1].Tokens) / mine[len(mine)-1].Seconds} {
		row := r.Tables[0].Rows[i]
		if got := row[len(row)-3].(float64); math.Abs(got-want) > 1e-6*want {
			t.Errorf("%v: lever's rate is %v, want %v", row, got, want)
		}
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := "3 greedy answers compared: 0 differ"; len(answers) != 3 || !strings.Contains(text.String(), want) {
		t.Errorf("%d answers; the text does not say %q:\n%s", len(answers), want, text.String())
	}
	for _, lengths := range [][]int{nil, {3, 0}} {
		if _, err := endtoend.RunFresh(t.Context(), o, lengths); err == nil {
			t.Errorf("answers of %v tokens: no error", lengths)
		}
	}
}

func TestRunErrors(t *testing.T) {
	good := options(t)
	for name, spoil := range map[string]func(*endtoend.Options){
		"no draft":         func(o *endtoend.Options) { o.Draft = "" },
		"no bound":         func(o *endtoend.Options) { o.DRAM = 0 },
		"nothing streamed": func(o *endtoend.Options) { o.DRAM = 1 << 30 },
		"no prompts":       func(o *endtoend.Options) { o.Sets = nil },
		"negative tokens":  func(o *endtoend.Options) { o.Tokens = -1 },
		"a negative share": func(o *endtoend.Options) { o.CPUShare = -1 },
		"a peer nowhere":   func(o *endtoend.Options) { o.Peers = []endtoend.Peer{{Name: "peer"}} },
		"another at rest":  func(o *endtoend.Options) { o.Beside = []endtoend.Other{{Name: "stone"}} },
		"chain of none":    func(o *endtoend.Options) { o.Chains = []int{0} },
	} {
		o := good
		spoil(&o)
		if _, err := endtoend.Run(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
