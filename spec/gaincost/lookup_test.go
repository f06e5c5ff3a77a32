package gaincost

import (
	"context"
	"fmt"
	"slices"
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

// naiveNext returns the tokens after the latest places where the last two tokens of context stand in sequence, with the
// longest match of each.
func naiveNext(sequence, context []int32) map[int32]int {
	found := map[int32]int{}
	places := 0
	for p := len(sequence) - 1; p > 0 && places < maxPlaces; p-- {
		match := 0
		for match < min(maxMatch, len(context)) && p-match >= 0 && sequence[p-match] == context[len(context)-1-match] {
			match++
		}
		if match < minMatch {
			continue
		}
		places++
		if p+1 < len(sequence) {
			found[sequence[p+1]] = max(found[sequence[p+1]], match)
		}
	}
	return found
}

func checkContinuations(t rapid.TB, got []Continuation, want map[int32]int) {
	t.Helper()
	if len(got) != min(len(want), continuations) {
		t.Fatalf("%d continuations %v, want those of %v", len(got), got, want)
	}
	total := float32(0)
	for i, c := range got {
		total += c.Prob
		if want[c.Token] != c.Match || !(c.Prob > 0) || i > 0 && c.Prob > got[i-1].Prob {
			t.Fatalf("continuations %v, want those of %v", got, want)
		}
	}
	if total >= 1 {
		t.Fatalf("probabilities of %v sum to %v", got, total)
	}
}

// Hashes of pairs of such few tokens do not collide, so look-up finds exactly what a search does.
func TestLookupEqualsSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.Int32Range(0, rapid.Int32Range(0, 5).Draw(t, "vocab"))
		sequence := rapid.SliceOfN(token, 0, 300).Draw(t, "sequence")
		l := mustLookup(t, LookupOptions{Window: 1 << 16})
		for n := 0; n < len(sequence); n += 1 + n%7 {
			l.Follow(sequence[:n])
		}
		l.Follow(sequence)
		context := slices.Concat(sequence, rapid.SliceOfN(token, 0, 5).Draw(t, "path"))
		checkContinuations(t, l.Next(nil, context), naiveNext(sequence, context))
	})
}

func TestLookupPrefersTheLongestMatch(t *testing.T) {
	l := mustLookup(t, LookupOptions{})
	sequence := []int32{1, 2, 3, 4, 50, 9, 3, 4, 60, 8, 3, 4, 60, 1, 2, 3, 4}
	l.Follow(sequence)
	got := l.Next(nil, sequence)
	if len(got) != 2 || got[0].Token != 50 || got[0].Match != 4 || got[1].Token != 60 || got[1].Match != 2 {
		t.Errorf("%+v", got)
	}
}

// A window of n tokens looks up as if there were only the latest n.
func TestLookupForgets(t *testing.T) {
	l := mustLookup(t, LookupOptions{Window: 100}) // rounded up to 128
	var sequence []int32
	for i := range 10_000 {
		sequence = append(sequence, int32(spectest.Mix(uint64(i/3), 1)%7))
		l.Follow(sequence)
		got := l.Next(nil, sequence)
		for _, c := range got {
			window := sequence[max(0, len(sequence)-128):]
			if match, ok := naiveNext(window, sequence)[c.Token]; !ok || c.Match > match {
				t.Fatalf("after %d tokens: %+v", i, c)
			}
		}
	}
}

func TestLookupHistory(t *testing.T) {
	question, answer := []int32{5, 6, 7, 8}, []int32{20, 21, 22, 23}
	other := []int32{30, 31, 32}
	for _, history := range []bool{false, true} {
		l := mustLookup(t, LookupOptions{History: history})
		l.Follow(slices.Concat(question, answer))
		l.Follow(other)
		l.Follow(question)
		got := l.Next(nil, question)
		if !history {
			if len(got) != 0 {
				t.Errorf("without history: %+v", got)
			}
			continue
		}
		if len(got) != 1 || got[0].Token != 20 || got[0].Source != spec.FromHistory || got[0].Match != 4 {
			t.Errorf("with history: %+v", got)
		}
		// Nothing leads from one sequence to the next.
		if got := l.Next(nil, []int32{22, 23}); len(got) != 0 {
			t.Errorf("over the end of a sequence: %+v", got)
		}
	}
}

func FuzzLookup(f *testing.F) {
	f.Add(uint16(64), true, []byte("to be or not to be\x00to be or not"))
	f.Add(uint16(3), false, []byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
	f.Add(uint16(0), true, []byte("\x00\x00ab\x00ab\x00abc"))
	f.Fuzz(func(t *testing.T, window uint16, history bool, text []byte) {
		l := mustLookup(t, LookupOptions{Window: int(window), History: history})
		var sequence []int32
		for _, b := range text {
			if b == 0 {
				sequence = sequence[:0]
				continue
			}
			sequence = append(sequence, int32(b%8))
			l.Follow(sequence)
			for _, c := range l.Next(nil, sequence) {
				if c.Token < 0 || c.Token > 7 || c.Match < minMatch || c.Match > maxMatch || !(c.Prob > 0 && c.Prob < 1) {
					t.Fatalf("%+v", c)
				}
			}
		}
		if l.end-l.start < len(sequence) {
			t.Fatalf("%d tokens followed, %d indexed", len(sequence), l.end-l.start)
		}
	})
}

func TestLookupErrors(t *testing.T) {
	for _, window := range []int{-1, maxWindow + 1} {
		if _, err := NewLookup(LookupOptions{Window: window}); err == nil {
			t.Errorf("window of %d tokens: no error", window)
		}
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
	policy, err := NewNGram(NGramOptions{Nodes: nodes})
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
				l.Follow(sequence)
				found = l.Next(found[:0], sequence)
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
	l.Follow(text)
	for _, c := range l.Next(nil, text) {
		fmt.Printf("%d after a match of %d, probability %.2f\n", c.Token, c.Match, c.Prob)
	}
	// Output:
	// 4 after a match of 3, probability 0.30
	// 3 after a match of 3, probability 0.30
}
