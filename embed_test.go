package lever_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
)

// A text's vector is made of the hidden states that the target has of it alone, whatever other texts are asked for with it, and however long it is.
func TestEmbed(t *testing.T) {
	e := open(t, lever.Config{Model: demoPair(t).Draft, Context: 512, Parallel: 2})
	single := open(t, lever.Config{Model: demoPair(t).Draft, Context: 512})
	var texts [][]int32
	for _, words := range []string{"The sea is wide.", "x", strings.Repeat("Ships come and go. ", 60), "Stones are grey.", strings.Repeat("One more. ", 20)} {
		tokens, err := e.Encode(t.Context(), lever.Request{Prompt: words, Raw: true})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, tokens)
	}
	if n := len(texts[2]); n < 150 {
		t.Fatalf("a long text has only %d tokens", n)
	}
	// What was kept of conversations is no part of a vector.
	if _, err := e.Generate(t.Context(), lever.Request{Prompt: "The sea", Raw: true, MaxTokens: 4}, nil); err != nil {
		t.Fatal(err)
	}
	decoder := single.SpecOptions().Target.(*layers.Decoder)
	for _, pooling := range []lever.Pooling{lever.PoolMean, lever.PoolLast} {
		got, err := e.Embed(t.Context(), texts, pooling)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			want := make([]float64, e.Width())
			if err := decoder.Truncate(0); err != nil {
				t.Fatal(err)
			}
			for _, token := range text {
				if _, err := decoder.Forward(t.Context(), layers.Batch{Tokens: []int32{token}}); err != nil {
					t.Fatal(err)
				}
				if pooling == lever.PoolLast {
					clear(want)
				}
				for j, x := range decoder.Hidden(0) {
					want[j] += float64(x)
				}
				if err := decoder.Commit([]int{0}); err != nil {
					t.Fatal(err)
				}
			}
			square, length := 0.0, 0.0
			for j, x := range want {
				square, length = square+x*x, length+float64(got[i][j])*float64(got[i][j])
			}
			for j, x := range want {
				if math.Abs(float64(got[i][j])-x/math.Sqrt(square)) > 1e-7 {
					t.Fatalf("%s of text %d: element %d is %v, want %v", pooling, i, j, got[i][j], x/math.Sqrt(square))
				}
			}
			if math.Abs(length-1) > 1e-5 {
				t.Errorf("%s of text %d has length %v", pooling, i, length)
			}
		}
		alone, err := single.Embed(t.Context(), texts, pooling)
		if err != nil || !slices.EqualFunc(got, alone, slices.Equal[[]float32]) {
			t.Errorf("one at a time: %v, or other vectors", err)
		}
	}
	for _, c := range []struct {
		texts [][]int32
		want  error
	}{{[][]int32{texts[0], {}}, spec.ErrEmptyPrompt}, {[][]int32{make([]int32, 513)}, spec.ErrPromptTooLong}} {
		if _, err := e.Embed(t.Context(), c.texts, lever.PoolMean); !errors.Is(err, c.want) {
			t.Errorf("%d texts: %v", len(c.texts), err)
		}
	}
	if _, err := e.Embed(t.Context(), [][]int32{{-1}}, lever.PoolMean); err == nil {
		t.Error("a token that there is not is taken")
	}
	if got, err := e.Generate(t.Context(), lever.Request{Prompt: "The sea", Raw: true, MaxTokens: 4}, nil); err != nil || got.Tokens != 4 {
		t.Errorf("after that: %v, %d tokens", err, got.Tokens)
	}
}

// Beside an answer, passes have as few rows of texts as of a prompt, so that the answer goes on.
func TestEmbedLeavesRoom(t *testing.T) {
	e := open(t, lever.Config{Model: demoPair(t).Draft, Context: 512, Parallel: 3})
	text, err := e.Encode(t.Context(), lever.Request{Prompt: "The sea is wide and the stones are grey.", Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	texts := slices.Repeat([][]int32{text}, 300)
	want, err := e.Embed(t.Context(), texts[:1], lever.PoolMean)
	if err != nil {
		t.Fatal(err)
	}
	// One that takes its time over a piece of text is there all the while, so that the texts are never alone.
	var group sync.WaitGroup
	there, over := make(chan struct{}), make(chan struct{})
	group.Go(func() {
		began := sync.OnceFunc(func() { close(there); <-over })
		if _, err := e.Generate(t.Context(), lever.Request{Prompt: "Three, four", Raw: true, MaxTokens: 4}, func(string) error { began(); return nil }); err != nil {
			t.Error(err)
		}
	})
	<-there
	group.Go(func() {
		defer close(over)
		if got, err := e.Embed(t.Context(), texts, lever.PoolMean); err != nil || !slices.Equal(got[len(got)-1], want[0]) {
			t.Errorf("beside an answer: %v, or another vector", err)
		}
	})
	shared, most := 0, 0
	for ended := false; !ended && err == nil; {
		select {
		case <-over:
			ended = true
		default:
		}
		_, err = e.Generate(t.Context(), lever.Request{Prompt: "One, two", Raw: true, MaxTokens: 200, Policy: spec.None{}, Observe: func(o spec.Observation) {
			if o.Target.Texts > 1 {
				shared, most = shared+1, max(most, o.Target.Rows-1)
			}
		}}, nil)
	}
	group.Wait()
	if err != nil || shared < 5 || most > 48 {
		t.Errorf("%v: %d passes with up to %d rows of texts", err, shared, most)
	}
}
