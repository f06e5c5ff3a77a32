package gaincost

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

func mustLookup(t rapid.TB, o LookupOptions) *Lookup {
	t.Helper()
	l, err := NewLookup(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// occurrences returns the positions in text at which s ends.
func occurrences(text, s []int32) (ends []int) {
	for end := len(s); end <= len(text); end++ {
		if slices.Equal(text[end-len(s):end], s) {
			ends = append(ends, end-1)
		}
	}
	return ends
}

// The automaton knows of every string how often it came, and what came after it, as a search does.
func TestAutomatonEqualsSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.Int32Range(0, rapid.Int32Range(0, 5).Draw(t, "vocab"))
		text := rapid.SliceOfN(token, 0, maxEnds-1).Draw(t, "text") // of which all ends are counted
		a, err := newAutomaton(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range text {
			a.append(token)
		}
		context := rapid.SliceOfN(token, 0, 40).Draw(t, "context")
		var m match
		for i, token := range context {
			m = a.after(m, token)
			longest := i + 1
			for len(occurrences(text, context[i+1-longest:i+1])) == 0 && longest > 0 {
				longest--
			}
			if int(m.length) != longest {
				t.Fatalf("after %v in %v: a match of %d tokens, want %d", context[:i+1], text, m.length, longest)
			}
			if longest == 0 {
				continue
			}
			ends := occurrences(text, context[i+1-longest:i+1])
			after := map[int32]int32{}
			for _, end := range ends {
				if end+1 < len(text) {
					after[text[end+1]]++
				}
			}
			s := a.states[m.state]
			if int(s.places) != len(ends) {
				t.Fatalf("%v: %d places, want those at %v", context[:i+1], s.places, ends)
			}
			for e := s.edges; e >= 0; e = a.edges[e].next {
				token, to := a.edges[e].token, a.edges[e].to
				if after[token] != a.states[to].places {
					t.Fatalf("%v: %d times before %d, want %d", context[:i+1], a.states[to].places, token, after[token])
				}
				delete(after, token)
			}
			if len(after) > 0 {
				t.Fatalf("%v: nothing of %v", context[:i+1], after)
			}
		}
		if end := a.end(); len(text) > 0 {
			longest := int(end.length)
			repeated := func(n int) bool { return n <= len(text) && len(occurrences(text, text[len(text)-n:])) > 1 }
			if longest > 0 && !repeated(longest) || repeated(longest+1) {
				t.Fatalf("the end of %v: a match of %d tokens", text, longest)
			}
		}
	})
}

func TestLookupPrefersTheLongestMatch(t *testing.T) {
	l := mustLookup(t, LookupOptions{})
	got := l.Next(nil, l.Follow([]int32{1, 2, 3, 4, 50, 9, 3, 4, 60, 8, 3, 4, 60, 1, 2, 3, 4}))
	if len(got) != 2 || got[0].Token != 50 || got[0].Match != 4 || got[1].Token != 60 || got[1].Match != 2 {
		t.Errorf("%+v", got)
	}
}

// Of matches of one length the token that followed more often is likelier, and of those that followed as often the later one.
func TestLookupPrefersWhatCameOftenAndLate(t *testing.T) {
	for want, text := range map[int32][]int32{
		7: {1, 2, 7, 1, 2, 7, 1, 2, 7, 1, 2, 8, 1, 2},
		8: {1, 2, 7, 1, 2, 8, 1, 2},
	} {
		l := mustLookup(t, LookupOptions{})
		got := l.Next(nil, l.Follow(text))
		if len(got) != 2 || got[0].Token != want {
			t.Errorf("%v: %+v, want %d first", text, got, want)
		}
	}
	more := func(length, places int, than float32) {
		if p := chanceOfMatch(length, places); !(p > than && p < 1) {
			t.Errorf("a match of %d tokens at %d places has a chance of %v, one of less %v", length, places, p, than)
		}
	}
	more(3, 1, chanceOfMatch(2, 1))
	more(2, 2, chanceOfMatch(2, 1))
	more(100, 9, chanceOfMatch(40, 9))
}

// Tokens of a tree stand where their paths lead.
func TestLookupBelowThePath(t *testing.T) {
	l := mustLookup(t, LookupOptions{})
	text := []int32{1, 2, 3, 4, 5, 6, 1, 2}
	p := l.Follow(text)
	for _, want := range []int32{3, 4, 5, 6, 1} {
		got := l.Next(nil, p)
		if len(got) == 0 || got[0].Token != want {
			t.Fatalf("%+v, want %d", got, want)
		}
		p = l.After(p, want)
	}
	if got := l.Next(nil, l.After(p, 77)); len(got) != 0 {
		t.Errorf("after a token that never came: %+v", got)
	}
}

// A window of n tokens holds the latest ones, n/2 of them at least, and memory does not grow.
func TestLookupForgets(t *testing.T) {
	const window = 100
	l := mustLookup(t, LookupOptions{Window: window})
	var sequence []int32
	for i := range 5000 {
		sequence = append(sequence, int32(spectest.Mix(uint64(i/3), 1)%7))
		got := l.Next(nil, l.Follow(sequence))
		kept := l.text.text
		if n := len(kept); n > window || n < min(len(sequence), window/2) || !slices.Equal(kept, sequence[len(sequence)-n:]) {
			t.Fatalf("after %d tokens, %d are kept", i+1, n)
		}
		if len(l.text.states) > 2*window || len(l.text.edges) > 3*window {
			t.Fatalf("%d states, %d edges", len(l.text.states), len(l.text.edges))
		}
		for _, c := range got {
			end := append(slices.Clone(sequence[len(sequence)-c.Match:]), c.Token)
			if len(occurrences(kept, end)) == 0 {
				t.Fatalf("after %d tokens: %+v", i+1, c)
			}
		}
	}
}

// The longest texts that there are, of one token and of none twice, keep to the bounds that sizes are computed from.
func TestAutomatonBounds(t *testing.T) {
	for name, next := range map[string]func(i int) int32{
		"one token": func(int) int32 { return 1 }, "all new": func(i int) int32 { return int32(i) },
		"abbb": func(i int) int32 { return int32(min(i, 1)) }, "two by turns": func(i int) int32 { return int32(i % 2) },
	} {
		a, err := newAutomaton(1000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3000 {
			a.append(next(i))
		}
		if len(a.text) > 1000 || len(a.states) > 2000 || len(a.edges) > 3000 {
			t.Errorf("%s: %d tokens, %d states, %d edges", name, len(a.text), len(a.states), len(a.edges))
		}
	}
}

func mustAnswers(t rapid.TB, answers ...[]int32) *Answers {
	t.Helper()
	a, err := NewAnswers(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, tokens := range answers {
		a.Add(tokens)
	}
	return a
}

func TestLookupInAnswers(t *testing.T) {
	question, answer := []int32{5, 6, 7, 8}, []int32{7, 8, 20, 21, 22, 23}
	l := mustLookup(t, LookupOptions{})
	l.Follow(slices.Concat(question, answer))
	l.Follow([]int32{30, 31, 32})
	if got := l.Next(nil, l.Follow(question)); len(got) != 0 {
		t.Errorf("without answers: %+v", got)
	}
	answers := mustAnswers(t)
	l = mustLookup(t, LookupOptions{Answers: answers})
	if got := l.Next(nil, l.Follow(question)); len(got) != 0 {
		t.Errorf("with none: %+v", got)
	}
	answers.Add(answer)
	answers.Add([]int32{40, 41, 42})
	got := l.Next(nil, l.Follow(question)) // which has not changed
	if len(got) != 1 || got[0].Token != 20 || got[0].Source != spec.FromHistory || got[0].Match != 2 {
		t.Errorf("with answers: %+v", got)
	}
	if got := l.Next(nil, l.Follow([]int32{1, 22, 23})); len(got) != 0 {
		t.Errorf("over the end of an answer: %+v", got)
	}
	// What both have is proposed once, by the one that is surer of it.
	got = l.Next(nil, l.Follow([]int32{7, 8, 20, 21, 9, 8, 20}))
	if len(got) != 1 || got[0].Token != 21 || got[0].Source != spec.FromNGram {
		t.Errorf("what both have: %+v", got)
	}
	got = l.Next(nil, l.Follow([]int32{8, 20, 5, 7, 8, 20, 21, 22, 5, 20, 21}))
	if len(got) != 1 || got[0].Token != 22 {
		t.Errorf("what both have: %+v", got)
	}
}

// Answers are added while others look something up.
func TestAnswersAtOnce(t *testing.T) {
	answers := mustAnswers(t)
	answers.Add([]int32{7, 8, 20, 21})
	var all sync.WaitGroup
	for i := range int32(4) {
		l := mustLookup(t, LookupOptions{Answers: answers})
		all.Go(func() {
			for range 50 {
				answers.Add([]int32{100 + i, 101 + i, 102 + i, 103 + i})
				if got := l.Next(nil, l.Follow([]int32{5, 7, 8})); len(got) != 1 || got[0].Token != 20 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
	all.Wait()
	if n := answers.Len(); n != 4+4*5 { // equal ones are kept once
		t.Errorf("%d tokens", n)
	}
}

// An answer is kept once, however often it comes, in a file too; those that only begin or end like it are others.
func TestEqualAnswers(t *testing.T) {
	a := mustAnswers(t, []int32{1, 2, 3, 4}, []int32{2, 3, 4}, []int32{1, 2, 3, 4}, []int32{1, 2, 3}, []int32{2, 3, 4}, []int32{1, 2, 3, 4})
	want := []int32{1, 2, 3, 4, endOfText, 2, 3, 4, endOfText, 1, 2, 3}
	data, err := a.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := mustAnswers(t, []int32{1, 2, 3, 4})
	for range 2 {
		if err := b.UnmarshalBinary(slices.Concat(data, []byte{0}, data)); err != nil { // as earlier versions wrote them
			t.Fatal(err)
		}
	}
	for _, got := range []*Answers{a, b} {
		if text := got.text.Load().text; !slices.Equal(text, want) {
			t.Errorf("%v, want %v", text, want)
		}
	}
}

func TestAnswersBinary(t *testing.T) {
	a := mustAnswers(t, []int32{1, 2, 3, 1<<31 - 1}, []int32{4}, []int32{0, 300, 70_000})
	data, err := a.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := mustAnswers(t, []int32{9, 9, 9})
	if err := b.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	want := []int32{9, 9, 9, endOfText, 1, 2, 3, 1<<31 - 1, endOfText, 0, 300, 70_000}
	if !slices.Equal(b.text.Load().text, want) || b.Len() != len(want) {
		t.Errorf("%v, want %v", b.text.Load().text, want)
	}
	for _, bad := range [][]byte{{0x80}, {1, 0x80}, {0xff, 0xff, 0xff, 0xff, 0x7f}} {
		if err := b.UnmarshalBinary(bad); err == nil || b.Len() != len(want) {
			t.Errorf("%x: error %v, %d tokens", bad, err, b.Len())
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add(uint16(64), true, []byte("to be or not to be\x00to be or not"))
	f.Add(uint16(3), false, []byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	f.Add(uint16(0), true, []byte("\x00\x00ab\x00ab\x00abc"))
	f.Fuzz(func(t *testing.T, window uint16, remember bool, text []byte) {
		o := LookupOptions{Window: int(window)}
		if remember {
			o.Answers = mustAnswers(t)
		}
		l := mustLookup(t, o)
		var sequence []int32
		for _, b := range text {
			if b == 0 {
				if remember {
					o.Answers.Add(sequence)
				}
				sequence = sequence[:0]
				continue
			}
			sequence = append(sequence, int32(b%8))
			for _, c := range l.Next(nil, l.After(l.Follow(sequence), int32(b/8%8))) {
				if c.Token < 0 || c.Token > 7 || c.Match < minMatch || !(c.Prob > 0 && c.Prob <= 1) {
					t.Fatalf("%+v", c)
				}
			}
		}
		if l.followed < len(sequence) {
			t.Fatalf("%d tokens followed, of %d", l.followed, len(sequence))
		}
	})
}

func TestLookupErrors(t *testing.T) {
	for _, window := range []int{-1, maxWindow + 1} {
		if _, err := NewLookup(LookupOptions{Window: window}); err == nil {
			t.Errorf("window of %d tokens: no error", window)
		}
	}
	if _, err := NewAnswers(-1); err == nil {
		t.Error("answers of less than no tokens")
	}
	if _, err := NewNGram(NGramOptions{}); err == nil {
		t.Error("n-gram policy without nodes")
	}
}

// copyModel is a target that repeats what it said period tokens before.
type copyModel struct {
	*spectest.HashModel
	period int
}

func (m *copyModel) Project(_ context.Context, dst []float32, rows []int) error {
	for i, row := range rows {
		path := m.Tokens()
		depth := len(path)
		for r := row; r >= 0; r = m.Pending[r].Parent {
			path = slices.Insert(path, depth, m.Pending[r].Token)
		}
		clear(dst[i*m.VocabSize : (i+1)*m.VocabSize])
		dst[i*m.VocabSize+int(path[len(path)-m.period])] = 1
	}
	return nil
}

// Text that repeats itself takes few passes, and no more nodes than it needs.
func mustNGram(t testing.TB, nodes int) *NGram {
	t.Helper()
	policy, err := NewNGram(NGramOptions{Budget: nodes})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestNGramOnRepeatingText(t *testing.T) {
	target := spectest.NewHashModel(1, 20, 1000)
	prompt := []int32{1, 2}
	for i := range 40 {
		prompt = append(prompt, int32(spectest.Mix(uint64(i), 3)%20))
	}
	prompt = append(prompt, prompt[:20]...)
	copying := &copyModel{HashModel: target, period: 42}
	s := spectest.Generate(t, spec.Options{Target: copying, Policy: mustNGram(t, 16)}, spec.Request{Prompt: prompt, MaxTokens: 300}, nil).Stats
	if s.AcceptedPerPass < 10 {
		t.Errorf("%.1f tokens per pass", s.AcceptedPerPass)
	}
	t.Logf("%.1f tokens per pass, %.1f nodes", s.AcceptedPerPass, float64(s.Drafted)/float64(s.Passes))

	s = spectest.Generate(t, spec.Options{Target: spectest.NewHashModel(1, 500, 1000), Policy: mustNGram(t, 16)}, spec.Request{Prompt: prompt, MaxTokens: 300}, nil).Stats
	if s.Drafted > s.Passes/4 {
		t.Errorf("%d nodes in %d passes over text that never repeats", s.Drafted, s.Passes)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, vocab := range []uint64{3, 1000, 100_000} {
		b.Run(fmt.Sprintf("vocab=%d", vocab), func(b *testing.B) {
			l := mustLookup(b, LookupOptions{})
			sequence := make([]int32, 0, 1<<20)
			var found []Continuation
			i := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				if len(sequence) == cap(sequence) {
					sequence = sequence[:0]
				}
				sequence = append(sequence, int32(spectest.Mix(i%5000, 1)%vocab))
				found = l.Next(found[:0], l.Follow(sequence))
				i++
			}
		})
	}
}

func ExampleLookup() {
	l, err := NewLookup(LookupOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := []int32{7, 8, 9, 3, 7, 8, 9, 4, 7, 8, 9}
	for _, c := range l.Next(nil, l.Follow(text)) {
		fmt.Printf("%d after a match of %d, probability %.2f\n", c.Token, c.Match, c.Prob)
	}
	// Output:
	// 4 after a match of 3, probability 0.32
	// 3 after a match of 3, probability 0.32
}
