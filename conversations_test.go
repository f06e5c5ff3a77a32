package lever_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// conversationRequests are requests of every kind.
func conversationRequests(t *testing.T, e *lever.Engine) (requests []lever.Request) {
	t.Helper()
	vocabulary, err := e.Vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		r := lever.Request{Prompt: "Tell me about " + strings.Repeat("the sea and ", i) + "stones.", MaxTokens: 12 + 3*i}
		switch i % 4 {
		case 1:
			r.Sampling = sampling.Options{Temperature: 0.9, TopP: 0.95, Seed: uint64(i)}
		case 2:
			r.Grammar = vocabulary.JSON()
		case 3:
			if r.Policy, err = lever.NewPolicy("specinfer", 8); err != nil {
				t.Fatal(err)
			}
		}
		requests = append(requests, r)
	}
	return requests
}

// TestConversationsAtOnce: each gets the text that it gets alone, and one more than there may be is told that the engine is busy.
func TestConversationsAtOnce(t *testing.T) {
	pair := demoPair(t)
	config := lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 4 << 20, Context: 512, Remember: t.TempDir() + "/answers"}
	alone := open(t, config)
	var want []lever.Result
	for _, r := range conversationRequests(t, alone) {
		result, err := alone.Generate(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, result)
	}
	config.Parallel, config.Remember = 3, t.TempDir()+"/answers"
	e := open(t, config)
	if e.Parallel() != 3 || alone.Parallel() != 1 {
		t.Errorf("%d and %d at once", e.Parallel(), alone.Parallel())
	}
	requests := conversationRequests(t, e)
	turns := make(chan struct{}, 3)
	var group sync.WaitGroup
	for i, r := range slices.Concat(requests, requests) {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i == 5 {
				cancel()
			}
			r.Observe = func(o spec.Observation) {
				if s, own := o.Target, o.Lead+o.Tree.Len(); s.Forwards != 1 || s.Texts < 1 || s.Texts > 3 || s.Rows < own+s.Texts-1 || s.Texts == 1 && s.Rows != own {
					t.Errorf("a pass with %d rows of this text: %+v", own, s)
				}
			}
			got, err := e.Generate(ctx, r, nil)
			if i == 5 {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("a cancelled request: %v", err)
				}
				return
			}
			if w := want[i%len(want)]; err != nil || !slices.Equal(got.TokenIDs, w.TokenIDs) || got.Text != w.Text || got.Finish != w.Finish {
				t.Errorf("request %d: %v, %q, alone %q", i, err, got.Text, w.Text)
			}
		})
	}
	group.Wait()
}

// TestOneConversationTooMany: it is refused, as is what needs the engine alone.
func TestOneConversationTooMany(t *testing.T) {
	e := open(t, lever.Config{Model: demoPair(t).Draft, Context: 128, Parallel: 2})
	request := lever.Request{Prompt: "one two", Raw: true, MaxTokens: 4}
	asked := 0
	_, err := e.Generate(t.Context(), request, func(string) error {
		if asked++; asked > 1 {
			return nil
		}
		if err := e.SaveSession(t.TempDir()+"/session", nil); !errors.Is(err, lever.ErrBusy) {
			t.Errorf("a session is saved: %v", err)
		}
		_, err := e.Generate(t.Context(), request, func(string) error {
			if _, err := e.Generate(t.Context(), request, nil); !errors.Is(err, lever.ErrBusy) {
				t.Errorf("a third generation: %v", err)
			}
			return nil
		})
		return err
	})
	if err != nil || asked == 0 {
		t.Errorf("%v; %d pieces", err, asked)
	}
	if err := e.SaveSession(t.TempDir()+"/session", nil); err != nil {
		t.Error(err)
	}
	if _, err := lever.Open(t.Context(), lever.Config{Model: demoPair(t).Draft, Parallel: lever.MaxParallel + 1}); err == nil {
		t.Error("more at once than there may be")
	}
}

// TestOnePolicyForSeveral: while a generation has a policy, others that were given the same one are refused, and it goes on as if there were none.
func TestOnePolicyForSeveral(t *testing.T) {
	e := open(t, lever.Config{Model: demoPair(t).Draft, Context: 128, Parallel: 3})
	request := lever.Request{Prompt: "one two", Raw: true, MaxTokens: 4}
	want, err := e.Generate(t.Context(), request, nil)
	if err != nil {
		t.Fatal(err)
	}
	if request.Policy, err = lever.NewPolicy("lever", 8); err != nil {
		t.Fatal(err)
	}
	got, err := e.Generate(t.Context(), request, func(string) error {
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if _, err := e.Generate(t.Context(), request, nil); !errors.Is(err, spec.ErrInUse) {
					t.Errorf("the same policy: %v", err)
				}
			})
		}
		group.Wait()
		return nil
	})
	if err != nil || got.Text != want.Text {
		t.Errorf("%v, %q, want %q", err, got.Text, want.Text)
	}
	if got, err = e.Generate(t.Context(), request, nil); err != nil || got.Text != want.Text {
		t.Errorf("given back: %v, %q, want %q", err, got.Text, want.Text)
	}
}

// TestKeptConversations: a prompt uses the longest of the texts that are kept, which stays as it is where another goes on from its middle.
func TestKeptConversations(t *testing.T) {
	e := open(t, lever.Config{Model: demoPair(t).Draft, Context: 512, Parallel: 3})
	say := func(prompt string, least int) {
		t.Helper()
		got, err := e.Generate(t.Context(), lever.Request{Prompt: prompt, Raw: true, MaxTokens: 4, Policy: spec.None{}}, nil)
		if err != nil || got.ReusedTokens < least || least == 0 && got.ReusedTokens > 1 {
			t.Errorf("%v; %d tokens of %d are used again, want %d", err, got.ReusedTokens, got.PromptTokens, least)
		}
	}
	count := func(prompt string) int {
		tokens, err := e.Encode(t.Context(), lever.Request{Prompt: prompt, Raw: true})
		if err != nil {
			t.Fatal(err)
		}
		return len(tokens)
	}
	common := strings.Repeat("The sea is wide and the stones are grey. ", 6)
	a, b, other := common+strings.Repeat("Ships come and go. ", 10), common+"Birds sing.", strings.Repeat("A list of numbers: one, two, three. ", 8)
	say(a, 0)
	say(other, 0)
	say(b, count(common)-2) // copied from a
	say(a, count(a)-1)      // which is still there
	say(other, count(other)-1)
	say(b+" They sing.", count(b)-2)
	say("Something else. "+a, 0) // in place of a, which was not used for longest
	say(other, count(other)-1)
}

// TestSharedBeginning: of prompts that begin alike and come at once, most of the beginning is computed once, whoever is cancelled meanwhile.
func TestSharedBeginning(t *testing.T) {
	pair := demoPair(t)
	config := lever.Config{Model: pair.Target, Draft: pair.Draft, Context: 512}
	alone := open(t, config)
	config.Parallel = 4
	e := open(t, config)
	common := strings.Repeat("The sea is wide and the stones are grey. ", 12)
	held, err := e.Encode(t.Context(), lever.Request{Prompt: common, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(e *lever.Engine, ctx context.Context, i int, prefill func(done, total int)) (lever.Result, error) {
		return e.Generate(ctx, lever.Request{Prompt: common + strings.Repeat("Birds sing. ", i), Raw: true, MaxTokens: 6, Prefill: prefill}, nil)
	}
	var want [4]string
	for i := range want {
		result, err := ask(alone, t.Context(), i, nil)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = result.Text
	}
	for _, cancelled := range []bool{true, false} {
		if err := e.Trim(weights.TrimLow); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Generate(t.Context(), lever.Request{Prompt: "something else", Raw: true, MaxTokens: 1}, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var first sync.Once
		var group sync.WaitGroup
		var computed atomic.Int64
		for i := range want {
			group.Go(func() {
				mine, told := t.Context(), func(int, int) {}
				if cancelled && i == 0 {
					mine, told = ctx, func(int, int) { first.Do(cancel) }
				}
				got, err := ask(e, mine, i, told)
				if cancelled && i == 0 {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("the cancelled one: %v", err)
					}
					return
				}
				computed.Add(int64(got.PromptTokens - got.ReusedTokens))
				if err != nil || got.Text != want[i] {
					t.Errorf("request %d: %v, %q, alone %q", i, err, got.Text, want[i])
				}
			})
		}
		group.Wait()
		if n := int(computed.Load()); n >= 2*len(held) {
			t.Errorf("%d tokens of prompts were computed, of which %d are common", n, len(held))
		}
	}
}

// TestTrimForgetsIdleConversations: under pressure the keys and values of the latest conversation alone are kept.
func TestTrimForgetsIdleConversations(t *testing.T) {
	e := open(t, lever.Config{Model: demoPair(t).Target, Draft: demoPair(t).Draft, Context: 512, Parallel: 3})
	prompts := []string{"One, two, three. ", "The sea is wide. ", "Birds sing. "}
	say := func(i int) lever.Result {
		t.Helper()
		got, err := e.Generate(t.Context(), lever.Request{Prompt: strings.Repeat(prompts[i], 9), Raw: true, MaxTokens: 4}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	var want []lever.Result
	for i := range prompts {
		want = append(want, say(i))
	}
	all, _ := e.CacheMemory()
	if err := e.Trim(weights.TrimModerate); err != nil {
		t.Fatal(err)
	}
	if now, _ := e.CacheMemory(); now != all {
		t.Errorf("%d bytes after moderate trimming, want %d", now, all)
	}
	if err := e.Trim(weights.TrimLow); err != nil {
		t.Fatal(err)
	}
	if now, _ := e.CacheMemory(); now != all/3 {
		t.Errorf("%d bytes after trimming, want a third of %d", now, all)
	}
	for _, i := range []int{2, 0, 1} {
		got := say(i)
		if got.Text != want[i].Text || (got.ReusedTokens > 1) != (i == 2) {
			t.Errorf("conversation %d: %q with %d tokens used again, want %q", i, got.Text, got.ReusedTokens, want[i].Text)
		}
	}
}

var randomRequests = flag.Int("requests", 6, "requests of the test of random requests")

// TestRandomRequests: whatever is asked, cancelled and trimmed at once, each request gets the text that it gets alone, as far as it goes.
func TestRandomRequests(t *testing.T) {
	pair := demoPair(t)
	config := lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 4 << 20, Context: 512, KV: tensor.Q8_0}
	alone := open(t, config)
	var want []string
	for _, r := range conversationRequests(t, alone)[:5] {
		result, err := alone.Generate(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, result.Text)
	}
	config.Parallel = 3
	e := open(t, config)
	steps := make(chan uint64)
	var group sync.WaitGroup
	for range config.Parallel {
		requests := conversationRequests(t, e) // with policies of their own, which serve one generation at a time
		group.Go(func() {
			for step := range steps {
				rng := rand.New(rand.NewPCG(step, 1))
				if rng.IntN(6) == 0 {
					if err := e.Trim(weights.TrimLevel(rng.IntN(4))); err != nil {
						t.Error(err)
					}
				}
				i, left := rng.IntN(len(want)), 1000
				if rng.IntN(3) == 0 {
					left = rng.IntN(6)
				}
				stop := errors.New("enough")
				got, err := e.Generate(t.Context(), requests[i], func(string) error {
					if left--; left < 0 {
						return stop
					}
					return nil
				})
				if err == nil && got.Text != want[i] || err != nil && !(errors.Is(err, stop) && strings.HasPrefix(want[i], got.Text)) {
					t.Errorf("step %d, request %d: %v, %q, alone %q", step, i, err, got.Text, want[i])
				}
			}
		})
	}
	for step := range uint64(*randomRequests) {
		steps <- step
	}
	close(steps)
	group.Wait()
}

// TestPromptIsLongerThanTheDraftsContext: a prompt that the draft has no room for is waited for until the target has it, and no longer.
func TestPromptIsLongerThanTheDraftsContext(t *testing.T) {
	short := strings.Replace(sparseConfig, `"max_position_embeddings": 512`, `"max_position_embeddings": 64`, 1)
	e := open(t, lever.Config{
		Model: randomFolder(t, fmt.Sprintf(sparseConfig, 2)), Draft: randomFolder(t, fmt.Sprintf(short, 1)), Parallel: 2, CacheDir: t.TempDir(),
	})
	common := strings.Repeat("The sea is wide and the stones are grey. ", 12)
	pieces := 0
	_, err := e.Generate(t.Context(), lever.Request{Prompt: common, Raw: true, MaxTokens: 4, Piece: func(spec.Piece) {
		if pieces++; pieces > 1 {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := e.Generate(ctx, lever.Request{Prompt: common + "Birds sing.", Raw: true, MaxTokens: 1}, nil); err != nil {
			t.Errorf("after the first token of the other one: %v", err)
		}
	}}, nil)
	if err != nil || pieces == 0 {
		t.Errorf("%v; %d pieces", err, pieces)
	}
}
