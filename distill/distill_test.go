package distill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec/earlyexit"
	"github.com/lever-go/lever/weights"
	gg "gorgonia.org/gorgonia"
)

// learn trains a small network on a made-up target for some steps, and returns the losses and what was learned.
func learn(t *testing.T, steps int) (losses []float64, down []float32) {
	t.Helper()
	const batch, width, rank, vocab = 16, 8, 4, 12
	n, err := newNetwork(batch, width, rank, vocab, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()
	random := rand.New(rand.NewPCG(1, 1))
	fill := func(x []float32) {
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
	}
	fill(n.hidden)
	fill(n.head)
	fill(n.down)
	fill(n.up)
	for i := range batch { // the token follows from the hidden state
		h := n.hidden[i*width : (i+1)*width]
		n.target[i*vocab+slices.Index(h[:4], slices.Max(h[:4]))] = 1
	}
	solver := gg.NewAdamSolver(gg.WithLearnRate(0.02))
	for range steps {
		loss, err := n.run(solver)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	return losses, slices.Clone(n.down)
}

// The loss is what its definition says, falls, and all is the same the second time.
func TestNetworkLearns(t *testing.T) {
	losses, down := learn(t, 150)
	again, downAgain := learn(t, 150)
	if !slices.Equal(losses, again) || !slices.Equal(down, downAgain) {
		t.Error("two trainings of the same data differ")
	}
	if first, last := losses[0], losses[len(losses)-1]; !(last < first/4) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
}

func TestNetworkLoss(t *testing.T) {
	n, err := newNetwork(2, 2, 1, 3, false)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	copy(n.hidden, []float32{1, 2, -1, 0.5})
	copy(n.head, []float32{1, 0, 0, 1, -1, 1})
	copy(n.down, []float32{0.5, -1})
	copy(n.up, []float32{2, 1})
	target := []float32{0.25, 0.75, 0, 0, 0.5, 0.5}
	copy(n.target, target)
	got, err := n.run(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i, h := range [][2]float64{{1, 2}, {-1, 0.5}} {
		low := 0.5*h[0] - h[1]
		z := []float64{2 * low, low, (-2 + 1) * low}
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v)
		}
		for k, v := range z {
			want += float64(target[3*i+k]) * (math.Log(sum) - v) / 2
		}
	}
	if math.Abs(got-want) > 1e-5 {
		t.Errorf("loss %v, want %v", got, want)
	}
}

func TestSamplesRoundTripAndResume(t *testing.T) {
	dir := t.TempDir()
	state := sampleState{Version: sampleForm, Model: "m", Text: "t", Exits: []int{1, 4}, Width: 3, Top: 2}
	write := func(sequences ...uint32) *sampleWriter {
		w, err := resume(dir, state)
		if err != nil {
			t.Fatal(err)
		}
		s := w.state.newSample(2)
		for _, number := range sequences {
			s.sequence, s.tokens, s.logits = number, []int32{int32(number), 9}, []float32{2.5, -1}
			copy(s.hidden, []float32{1, 2, 3, 4, 5, float32(number)})
			if err := errors.Join(w.add(&s), w.add(&s), w.finish()); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	w := write(0, 1)
	s := w.state.newSample(2)
	if err := errors.Join(w.add(&s), w.close()); err != nil { // a sequence that is cut off
		t.Fatal(err)
	}
	if err := write(2).close(); err != nil {
		t.Fatal(err)
	}
	r, err := openSamples(dir)
	if err != nil || r.state.Samples != 6 || r.state.Sequences != 3 {
		t.Fatal(r, err)
	}
	defer r.close()
	got := r.state.newSample(1)
	if err := r.read(4, 1, &got); err != nil || got.sequence != 2 || got.tokens[0] != 2 || got.logits[1] != -1 || !slices.Equal(got.hidden, []float32{4, 5, 2}) {
		t.Errorf("sample %+v, %v", got, err)
	}
	state.Text = "another"
	if w, err := resume(dir, state); err != nil || w.state.Samples != 0 {
		t.Errorf("samples of another text are gone on with: %+v, %v", w.state, err)
	} else if err := w.close(); err != nil {
		t.Error(err)
	}
}

// None of our prompts is one that predictors are judged by.
func TestOwnPrompts(t *testing.T) {
	prompts := OwnPrompts(300, 1)
	known := map[string]bool{}
	for _, p := range prompts {
		if known[p.Text] || p.Text == "" || strings.Contains(p.Text, "%!") {
			t.Errorf("prompt %q is empty, malformed or comes twice", p.Text)
		}
		known[p.Text] = true
	}
	sets := bench.BuiltinSets()
	if shared, err := bench.LoadSets("../../shared/data/prompts"); err == nil {
		sets = append(sets, shared...)
	}
	for _, set := range sets {
		for _, p := range set.Prompts {
			if known[p.Text] {
				t.Errorf("%s is trained on", p.ID)
			}
		}
	}
	if again := OwnPrompts(300, 1); !slices.Equal(prompts, again) {
		t.Error("the same seed gives other prompts")
	}
}

func TestChooseExits(t *testing.T) {
	saves := func(layers []int) float64 {
		return map[string]float64{
			"[0]": 0.2, "[1]": 0.25, "[2]": 0.1, "[0 1]": 0.26, "[1 2]": 0.28, "[0 1 2]": 0.285,
		}[fmt.Sprint(layers)]
	}
	if chosen, saved := choose([]int{0, 1, 2}, saves); !slices.Equal(chosen, []int{1, 2}) || saved != 0.28 {
		t.Errorf("exits %v save %v", chosen, saved)
	}
	if chosen, _ := choose([]int{2}, func([]int) float64 { return 0 }); !slices.Equal(chosen, []int{2}) {
		t.Errorf("an exit alone: %v", chosen)
	}
}

// A short training, cut off and gone on with, writes a predictor that belongs to the store, the same as one in a single run.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: takes many seconds")
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	corpus := t.TempDir()
	for i := range 10 { // more than enough, of which a part of each file is taken
		var text strings.Builder
		for _, p := range OwnPrompts(80, uint64(2+i)) {
			fmt.Fprintln(&text, p.Text)
		}
		if err := os.WriteFile(filepath.Join(corpus, fmt.Sprintf("%d.txt", i)), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	train := func(ctx context.Context, work string) (*Report, error) {
		return Run(ctx, Options{
			Model: pair.Target, Draft: pair.Draft, Work: work, Prompts: OwnPrompts(18, 1), Answer: 24, Text: []string{corpus},
			TextTokens: 1500, Exits: []int{2}, Rank: 32, Epochs: 1, Seed: 1, Progress: func(task string, done, _ int) {
				if strings.HasSuffix(work, "cut") && strings.HasPrefix(task, "batches") && done == 3 && ctx.Value(cutOff{}) != nil {
					ctx.Value(cutOff{}).(context.CancelFunc)()
				}
			},
		})
	}
	work := filepath.Join(t.TempDir(), "whole")
	report, err := train(t.Context(), work)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Exits) != 1 || !slices.Equal(report.Chosen, []int{2}) || report.Samples < 1400 || !(report.Exits[0].Loss > 0) {
		t.Errorf("report %+v", report)
	}
	store, err := weights.Open(t.Context(), pair.Target, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(pair.Target, "predictor-02.bin")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := store.Predictors(); err != nil || len(p) != 1 {
		t.Fatal(p, err)
	}
	cut := filepath.Join(t.TempDir(), "cut")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := train(context.WithValue(ctx, cutOff{}, cancel), cut); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut off: %v", err)
	}
	if _, err := train(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !slices.Equal(got, want) {
		t.Errorf("a training that was cut off ends otherwise: %v", err)
	}
}

// cutOff is the key of a function that cancels.
type cutOff struct{}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Options{
		"nothing":  {},
		"no store": {Model: t.TempDir(), Draft: "draft", Work: t.TempDir()},
	} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The loss of choices is what its definition says, over the candidates that are there and another token.
func TestChooseNetworkLoss(t *testing.T) {
	n, err := newChooseNetwork(2, 2, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	c := &chooser{}
	hidden := [][]float32{{1, -1}, {1, 1}} // of root mean square 1
	batch := []choice{
		{priors: []float32{-0.1}, picked: 0, hidden: hidden[0]},
		{priors: []float32{-2.3}, picked: 0, hidden: hidden[1]},
	}
	c.fill(n, batch, []int{0, 1}, 0)
	// Two candidates after the first, which the head would give these rows.
	rows := []float32{1, 0.5, -1, 2}
	copy(n.head, rows)
	n.priors[0], n.priors[2] = -0.7, -1.2
	n.picked[mostCandidates], n.picked[1] = 0, 1
	copy(n.down, []float32{0.5, -1})
	copy(n.up, []float32{2, 1})
	copy(n.other, []float32{0.3})
	copy(n.blend, []float32{0.9, -0.4})
	got, err := n.run(nil)
	if err != nil {
		t.Fatal(err)
	}
	low := 0.5 + 1.0
	z := []float64{low*2.5 + 0.9*-0.7, low*0 + 0.9*-1.2, low*0.3 + 0.9*-0.1 - 0.4}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v)
	}
	if want := (math.Log(sum) - z[1]) / 2; math.Abs(got-want) > 1e-5 { // there is nothing to pick but another token after the second
		t.Errorf("loss %v, want %v", got, want)
	}
}

func TestChoicesRoundTrip(t *testing.T) {
	dir := t.TempDir()
	w, err := resume(dir, sampleState{Version: sampleForm, Exits: []int{1, 2}, Width: 3, Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newChoiceRecorder(w, 4, 10)
	if err != nil {
		t.Fatal(err)
	}
	r.begin(7, true)
	for layer := 1; layer <= 2; layer++ {
		at := float32(layer)
		if _, err := r.Prune(layer, []int{0, 1}, []float32{0, 0, 0, at, 2, 3}); err != nil {
			t.Fatal(err)
		}
	}
	written := earlyexit.Choice{Node: 1, Tokens: []int32{4, 9}, Priors: []float64{-1, -2, -0.5}, Picked: 2}
	if err := errors.Join(r.write(written), w.finish(), w.close()); err != nil {
		t.Fatal(err)
	}
	got, err := readChoices(dir, 1)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if c := got[0]; c.sequence != 7 || c.picked != 2 || !slices.Equal(c.tokens, written.Tokens) || !slices.Equal(c.priors, []float32{-1, -2, -0.5}) || !slices.Equal(c.hidden, []float32{2, 2, 3}) {
		t.Errorf("came back as %+v", c)
	}
}
