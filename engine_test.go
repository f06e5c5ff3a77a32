package lever_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
)

// referenceCase is one entry of a model's reference.json, which an independent implementation wrote.
type referenceCase struct {
	Kind       string
	Prompt     string
	IDs        []int32
	MeanNLL    float64      `json:"mean_nll"`
	TopLogits  [][2]float64 `json:"top_logits"`
	Greedy     []int32
	GreedyGap  []float64 `json:"greedy_gap"`
	GreedyText string    `json:"greedy_text"`
}

func references(t *testing.T, model string) []referenceCase {
	t.Helper()
	var file struct{ Cases []referenceCase }
	readJSON(t, filepath.Join(model, "reference.json"), &file)
	if len(file.Cases) == 0 {
		t.Fatalf("%s has no cases", model)
	}
	return file.Cases
}

// benchmarkPrompts returns the first n prompts of each of the four benchmark sets.
func benchmarkPrompts(t testing.TB, n int) (prompts []string) {
	t.Helper()
	for _, p := range promptsIn(t, testdata.Shared(t, "data/prompts"), n) {
		prompts = append(prompts, p.Text)
	}
	return prompts
}

// promptsIn returns the first n prompts of each of the benchmark sets in a folder.
func promptsIn(t testing.TB, dir string, n int) (prompts []bench.Prompt) {
	t.Helper()
	sets, err := bench.LoadSets(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range sets {
		prompts = append(prompts, set.Prompts[:min(n, len(set.Prompts))]...)
	}
	return prompts
}

// makeStore makes a store of a shared model.
func makeStore(t *testing.T, src string, dtype tensor.DType) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "model.lever")
	if err := convert.Convert(t.Context(), src, store, weights.WriteOptions{Type: dtype}); err != nil {
		t.Fatal(err)
	}
	return store
}

func open(t *testing.T, cfg lever.Config) *lever.Engine {
	t.Helper()
	engine, err := lever.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// An F16 store with F32 keys and values computes what the reference computed in float32 from the BF16 weights, whether they came
// in a Hugging Face folder or in a GGUF file.
func TestStoreAgreesWithReference(t *testing.T) {
	folder := func(t *testing.T, model string) string { return model }
	file := func(d tensor.DType) func(*testing.T, string) string {
		return func(t *testing.T, model string) string { return writeGGUF(t, model, d) }
	}
	for _, test := range []struct {
		model, form string
		source      func(t *testing.T, model string) string
	}{
		{"lever-tiny-llama/target", "folder", folder},
		{"lever-tiny-llama/target", "GGUF F32", file(tensor.F32)},
		{"lever-tiny-llama/target", "GGUF F16", file(tensor.F16)},
		{"lever-tiny-llama/draft", "folder", folder},
		{"qwen3-random", "folder", folder},
		{"qwen3-random", "GGUF F32", file(tensor.F32)},
		{"qwen3-random", "GGUF BF16", file(tensor.BF16)},
	} {
		t.Run(test.model+" "+test.form, func(t *testing.T) {
			if testing.Short() && test.form != "folder" {
				t.Skip("skipped: converts seven models")
			}
			model := testdata.Shared(t, "models/"+test.model)
			engine := open(t, lever.Config{Model: makeStore(t, test.source(t, model), tensor.F16), KV: tensor.F32})
			cases := references(t, model) // of which the tests of layers take all, without a store
			cases = cases[len(cases)-2:]
			for i, ref := range cases {
				t.Run(fmt.Sprintf("%s %d", ref.Kind, i), func(t *testing.T) { checkReference(t, engine, ref) })
			}
		})
	}
}

func checkReference(t *testing.T, engine *lever.Engine, ref referenceCase) {
	result, err := engine.Generate(t.Context(), lever.Request{
		Prompt: ref.Prompt, Raw: ref.Kind == "text", MaxTokens: len(ref.Greedy), Policy: spec.None{},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.PromptTokens != len(ref.IDs) {
		t.Fatalf("the prompt has %d tokens, want %d", result.PromptTokens, len(ref.IDs))
	}
	for i, token := range ref.Greedy {
		if ref.GreedyGap[i] < 0.01 {
			break
		}
		if i >= len(result.TokenIDs) || result.TokenIDs[i] != token {
			t.Fatalf("token %d differs: got %v, want %v", i, result.TokenIDs, ref.Greedy)
		}
	}

	logits := promptLogits(t, engine, ref.IDs)
	last := logits[len(logits)-1]
	for _, top := range ref.TopLogits {
		if got := float64(last[int(top[0])]); math.Abs(got-top[1]) > 2e-3 {
			t.Errorf("logit of token %v is %v, want %v", top[0], got, top[1])
		}
	}
	nll := 0.0
	for i, token := range ref.IDs[1:] {
		nll += logSumExp(logits[i]) - float64(logits[i][token])
	}
	if nll /= float64(len(ref.IDs) - 1); math.Abs(nll-ref.MeanNLL) > 1e-4 {
		t.Errorf("mean negative log-likelihood is %v, want %v", nll, ref.MeanNLL)
	}
}

// promptLogits returns the logits after each token.
func promptLogits(t *testing.T, engine *lever.Engine, ids []int32) [][]float32 {
	t.Helper()
	decoder := engine.Target()
	if err := decoder.Truncate(0); err != nil {
		t.Fatal(err)
	}
	var logits [][]float32
	for _, id := range ids {
		row := make([]float32, decoder.Vocab())
		logits = append(logits, row)
		_, err := decoder.Forward(t.Context(), layers.Batch{Tokens: []int32{id}})
		if err == nil {
			err = decoder.Project(t.Context(), row, []int{0})
		}
		if err == nil {
			err = decoder.Commit([]int{0})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return logits
}

func logSumExp(x []float32) float64 {
	largest, sum := float64(slices.Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum)
}

// Whatever is drafted and wherever the weights are, greedy text is that of the target alone.
func TestSpeculationLeavesGreedyTextAlone(t *testing.T) {
	pair := testdata.Shared(t, "models/lever-tiny-llama")
	type prompt struct {
		text string
		raw  bool
	}
	var prompts []prompt
	for _, ref := range references(t, filepath.Join(pair, "target")) {
		prompts = append(prompts, prompt{ref.Prompt, ref.Kind == "text"})
	}
	for i, text := range benchmarkPrompts(t, 2) {
		prompts = append(prompts, prompt{text, i%2 == 1})
	}
	if testing.Short() {
		prompts = prompts[:3]
	}
	for _, dtype := range []tensor.DType{tensor.Q8_0, tensor.Q4_0} {
		t.Run(dtype.String(), func(t *testing.T) {
			target, draft := makeStore(t, filepath.Join(pair, "target"), dtype), makeStore(t, filepath.Join(pair, "draft"), dtype)
			engines := map[string]*lever.Engine{
				"resident": open(t, lever.Config{Model: target, Draft: draft}),
				"streamed": open(t, lever.Config{Model: target, Draft: draft, DRAM: 6 << 20}),
			}
			var accepted, passes int
			for i, p := range prompts {
				req := lever.Request{Prompt: p.text, Raw: p.raw, MaxTokens: 28, Policy: spec.None{}}
				want := generate(t, engines["resident"], req)
				for name, engine := range engines {
					length := 4
					if name == "resident" {
						length = []int{1, 4, 9}[i%3]
					}
					chain, err := baseline.NewChain(length, 0)
					if err != nil {
						t.Fatal(err)
					}
					req.Policy = chain
					got := generate(t, engine, req)
					if !slices.Equal(got.TokenIDs, want.TokenIDs) || got.Text != want.Text {
						t.Errorf("prompt %d, %s, chain of %d:\n got %q\nwant %q", i, name, length, got.Text, want.Text)
					}
					accepted, passes = accepted+got.Tokens, passes+got.Passes
				}
			}
			if accepted <= passes {
				t.Errorf("%d tokens in %d passes: the draft model was of no use", accepted, passes)
			}
		})
	}
}

// The turns of a conversation take in only what is new, and are answered as by an engine that has nothing of them yet.
func TestConversationIsTakenInOnce(t *testing.T) {
	pair := testdata.Shared(t, "models/lever-tiny-llama")
	cfg := lever.Config{Model: makeStore(t, filepath.Join(pair, "target"), tensor.Q8_0), Draft: makeStore(t, filepath.Join(pair, "draft"), tensor.Q8_0)}
	engine, fresh := open(t, cfg), open(t, cfg)
	for _, sampling := range []sampling.Options{{}, {Temperature: 0.8, TopP: 0.9, Seed: 3}} {
		var req lever.Request
		req.MaxTokens, req.Sampling = 24, sampling
		known := 0
		for _, question := range []string{"Tom has 3 apples and buys 4. How many has he?", "And if he eats two?", "Why?"} {
			req.Messages = append(req.Messages, tokenizer.Message{Role: "user", Content: question})
			got := generate(t, engine, req)
			if err := fresh.Target().Truncate(0); err != nil {
				t.Fatal(err)
			}
			want := generate(t, fresh, req)
			if !slices.Equal(got.TokenIDs, want.TokenIDs) {
				t.Errorf("got %q, want %q", got.Text, want.Text)
			}
			if got.ReusedTokens < known || want.ReusedTokens != 0 {
				t.Errorf("%d tokens used again, at least %d were known; %d of nothing", got.ReusedTokens, known, want.ReusedTokens)
			}
			known = got.PromptTokens - 1
			req.Messages = append(req.Messages, tokenizer.Message{Role: "assistant", Content: got.Text})
		}
	}
}

func generate(t *testing.T, engine *lever.Engine, req lever.Request) lever.Result {
	t.Helper()
	result, err := engine.Generate(t.Context(), req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// A prompt that Prepare has encoded is answered as it is; one that can't fit is refused, and so are more messages than the context has tokens
// before they are rendered.
func TestPreparedPrompt(t *testing.T) {
	engine := open(t, lever.Config{Model: demoPair(t).Draft})
	for _, request := range []lever.Request{
		{Prompt: "How many apples has Tom?", MaxTokens: 8},
		{Prompt: "def add(a, b):", Raw: true, MaxTokens: 8},
		{Messages: []tokenizer.Message{{Role: "user", Content: "2 + 2"}}, NoThinking: true, MaxTokens: 8},
	} {
		want := generate(t, engine, request)
		prepared := request
		if _, err := engine.Prepare(t.Context(), &prepared); err != nil {
			t.Fatal(err)
		}
		got := generate(t, engine, lever.Request{Tokens: prepared.Tokens, MaxTokens: 8})
		if got.PromptTokens != want.PromptTokens || !slices.Equal(got.TokenIDs, want.TokenIDs) {
			t.Errorf("%q: got %q, want %q", request.Prompt, got.Text, want.Text)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx     context.Context
		request lever.Request
		want    error
	}{
		{t.Context(), lever.Request{}, spec.ErrEmptyPrompt},
		{t.Context(), lever.Request{Raw: true}, spec.ErrEmptyPrompt},
		{t.Context(), lever.Request{Prompt: strings.Repeat("word 1 ", engine.Context())}, spec.ErrPromptTooLong},
		{t.Context(), lever.Request{Prompt: strings.Repeat("word 1 ", engine.Context()), Raw: true}, spec.ErrPromptTooLong},
		{cancelled, lever.Request{Messages: make([]tokenizer.Message, engine.Context()+1)}, spec.ErrPromptTooLong},
		{cancelled, lever.Request{Prompt: "Hi"}, context.Canceled},
	} {
		if _, err := engine.Prepare(c.ctx, &c.request); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
		if _, err := engine.Generate(c.ctx, c.request, nil); c.want != spec.ErrPromptTooLong && !errors.Is(err, c.want) {
			t.Errorf("Generate: %v, want %v", err, c.want)
		}
	}
}

func TestCancelledGenerationKeepsItsText(t *testing.T) {
	engine := open(t, lever.Config{Model: makeStore(t, testdata.Shared(t, "models/lever-tiny-llama/target"), tensor.Q8_0)})
	ctx, cancel := context.WithCancel(t.Context())
	var streamed string
	result, err := engine.Generate(ctx, lever.Request{Prompt: "def add(a, b):", Raw: true}, func(text string) error {
		if streamed += text; len(streamed) > 20 {
			cancel()
		}
		return nil
	})
	if err == nil || result.Finish != spec.FinishCancelled {
		t.Errorf("finished by %q with error %v", result.Finish, err)
	}
	if result.Text != streamed || len(streamed) == 0 || result.Passes == 0 {
		t.Errorf("streamed %q, result %q after %d passes", streamed, result.Text, result.Passes)
	}
	again := generate(t, engine, lever.Request{Prompt: "def add(a, b):", Raw: true, MaxTokens: result.Tokens})
	if !slices.Equal(again.TokenIDs, result.TokenIDs) {
		t.Errorf("the engine gave %v after being cancelled, %v before", again.TokenIDs, result.TokenIDs)
	}
}

// What would use the models during a generation fails with ErrBusy and leaves that generation alone; after Close it fails, too.
func TestEngineDoesOneThingAtATime(t *testing.T) {
	engine, err := lever.Open(t.Context(), lever.Config{Model: demoPair(t).Target})
	if err != nil {
		t.Fatal(err)
	}
	request := lever.Request{Prompt: "def add(a, b):", Raw: true, MaxTokens: 8}
	want := generate(t, engine, request)
	session := filepath.Join(t.TempDir(), "a.session")
	calls := map[string]func() error{
		"Generate":    func() error { _, err := engine.Generate(t.Context(), request, nil); return err },
		"SaveSession": func() error { return engine.SaveSession(session, nil) },
		"LoadSession": func() error { _, err := engine.LoadSession(session); return err },
		"Close":       engine.Close,
	}
	fail := func(want error) {
		t.Helper()
		for name, call := range calls {
			if err := call(); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	asked := false
	got, err := engine.Generate(t.Context(), request, func(string) error {
		if !asked {
			asked = true
			fail(lever.ErrBusy)
			var others sync.WaitGroup
			others.Go(func() { fail(lever.ErrBusy) })
			others.Wait()
		}
		return nil
	})
	if err != nil || !asked || !slices.Equal(got.TokenIDs, want.TokenIDs) {
		t.Errorf("%v: %q, undisturbed %q", err, got.Text, want.Text)
	}
	for range 2 { // the second time there is nothing to do
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
	delete(calls, "Close")
	fail(os.ErrClosed)
}

// What a schema allows is what comes out, with trees as without, and forced tokens take no passes.
func TestGrammarWithTrees(t *testing.T) {
	pair := testdata.Shared(t, "models/lever-tiny-llama")
	engine := open(t, lever.Config{Model: makeStore(t, filepath.Join(pair, "target"), tensor.Q8_0), Draft: makeStore(t, filepath.Join(pair, "draft"), tensor.Q8_0)})
	vocabulary, err := engine.Vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	schema := `{"type": "object", "required": ["question", "answer", "unit"], "properties": {
		"question": {"type": "string", "maxLength": 30}, "answer": {"type": "integer"}, "unit": {"enum": ["apples", "pears"]}}}`
	restricted, err := vocabulary.JSONSchema(context.Background(), []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	for _, sampling := range []sampling.Options{{}, {Temperature: 0.9, Seed: 4}} {
		req := lever.Request{Prompt: "Tom has 3 apples and buys 4. How many has he?", Grammar: restricted, Sampling: sampling, MaxTokens: 200, Policy: spec.None{}}
		want := generate(t, engine, req)
		if want.Forced < 5 {
			t.Errorf("without trees %d forced tokens", want.Forced)
		}
		var answer struct {
			Question, Unit string
			Answer         *int64
		}
		if err := json.Unmarshal([]byte(want.Text), &answer); err != nil || want.Finish != spec.FinishStop || answer.Answer == nil ||
			len([]rune(answer.Question)) > 30 || answer.Unit != "apples" && answer.Unit != "pears" {
			t.Errorf("%q, %s: %v", want.Text, want.Finish, err)
		}
		req.Policy = nil
		got := generate(t, engine, req)
		if got.Text != want.Text || !slices.Equal(got.TokenIDs, want.TokenIDs) || got.Forced == 0 { // trees hold the others
			t.Errorf("with trees %q with %d forced tokens, without %q", got.Text, got.Forced, want.Text)
		}
	}
}

func TestNewPredictorOfNone(t *testing.T) {
	engine := open(t, lever.Config{Model: demoPair(t).Draft})
	if _, err := engine.NewPredictor(nil); !errors.Is(err, weights.ErrArgument) {
		t.Errorf("a predictor of nothing: %v", err)
	}
}
