package sampling_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec/sampling"
)

func mustSampler(t rapid.TB, s sampling.Options) *sampling.Sampler {
	t.Helper()
	sampler, err := sampling.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return sampler
}

// naiveDistribution is the definition in the comment of Sampling, with a full sort and float64. It also tells whether a
// rounding error could change which tokens are left.
func naiveDistribution(logits []float32, s sampling.Options) (tokens []int32, probs []float64, close bool) {
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(logits[b], logits[a]) })
	if s.TopK > 0 && s.TopK < len(order) {
		order = order[:s.TopK]
	}
	softmax := func() []float64 {
		p, total := make([]float64, len(order)), 0.0
		for i, token := range order {
			p[i] = math.Exp((float64(logits[token]) - float64(logits[order[0]])) / float64(s.Temperature))
			total += p[i]
		}
		for i := range p {
			p[i] /= total
		}
		return p
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-5 }
	p := softmax()
	if s.TopP > 0 && s.TopP < 1 {
		held, n := 0.0, 0
		for n < len(p) && held < float64(s.TopP) {
			held += p[n]
			n++
			close = close || near(held, float64(s.TopP))
		}
		order, p = order[:n], p[:n]
	}
	n := 0
	for n < len(p) && p[n] >= float64(s.MinP)*p[0] {
		n++
	}
	for i := range p {
		close = close || logits[order[i]] != logits[order[0]] && near(p[i]/p[0], float64(s.MinP))
	}
	order = order[:n]
	return order, softmax(), close
}

func TestDistributionAgainstNaive(t *testing.T) {
	// Logits that differ do so by more than rounding hides; many are equal.
	logit := rapid.Map(rapid.OneOf(rapid.IntRange(-1280, 1280), rapid.IntRange(-3, 3)), func(i int) float32 { return float32(i) / 64 })
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(logit, 1, 40).Draw(t, "logits")
		s := spectest.DrawSampling(t)
		s.Temperature = max(s.Temperature, 0.1)
		tokens, probs, close := naiveDistribution(logits, s)
		if close {
			t.Skip()
		}
		got, err := mustSampler(t, s).Distribution(logits)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int32]float64{}
		for i, token := range tokens {
			want[token] = probs[i]
		}
		total := 0.0
		for _, c := range got {
			p, ok := want[c.Token]
			if !ok || math.Abs(p-float64(c.Weight)) > 1e-5*p+1e-9 {
				t.Fatalf("token %d has probability %v, want %v, of %v", c.Token, c.Weight, p, want)
			}
			total += float64(c.Weight)
		}
		if len(got) != len(tokens) || math.Abs(total-1) > 1e-5 {
			t.Fatalf("%d tokens that sum to %v, want %d", len(got), total, len(tokens))
		}
	})
}

func TestTopKOfMany(t *testing.T) {
	order := rand.New(rand.NewPCG(5, 6)).Perm(1000)
	logits := make([]float32, len(order))
	for rank, token := range order {
		logits[token] = -float32(rank) / 8
	}
	for k := 1; k < 1000; k += 1 + k/9 {
		d, err := mustSampler(t, sampling.Options{Temperature: 1, TopK: k}).Distribution(logits)
		if err != nil || len(d) != k {
			t.Fatalf("k=%d: %d tokens, %v", k, len(d), err)
		}
		for rank, c := range d {
			if int(c.Token) != order[rank] {
				t.Fatalf("k=%d: token %d has rank %d", k, c.Token, rank)
			}
		}
	}
}

func TestGreedyTakesLowestOfEquals(t *testing.T) {
	s := mustSampler(t, sampling.Options{})
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		logits []float32
		want   int32
	}{
		{[]float32{1}, 0},
		{[]float32{1, 3, 2, 3}, 1},
		{[]float32{-inf, -5, -inf, -5}, 1},
		{[]float32{-math.MaxFloat32, 0, 0}, 1},
	} {
		got, err := s.Sample(c.logits)
		if err != nil || got != c.want {
			t.Errorf("%v: %d, %v", c.logits, got, err)
		}
		d, err := s.Distribution(c.logits)
		if err != nil || len(d) != 1 || d[0] != (sampling.TokenWeight{c.want, 1}) {
			t.Errorf("%v: %v, %v", c.logits, d, err)
		}
	}
}

func TestSamplerRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, s := range []sampling.Options{{}, {Temperature: 1}, {Temperature: 1, TopK: 1}, {Temperature: 1, TopP: 0.5}} {
		for _, logits := range [][]float32{{}, {nan}, {1, nan}, {nan, 1}, {inf, 1}, {-inf, -inf}, {1, inf, nan}} {
			sampler := mustSampler(t, s)
			if token, err := sampler.Sample(logits); !errors.Is(err, sampling.ErrLogits) {
				t.Errorf("%+v: %v gave %d, %v", s, logits, token, err)
			}
			if d, err := sampler.Distribution(logits); !errors.Is(err, sampling.ErrLogits) {
				t.Errorf("%+v: %v gave %v, %v", s, logits, d, err)
			}
		}
	}
	for _, s := range []sampling.Options{
		{Temperature: -1}, {Temperature: nan}, {Temperature: inf}, {TopK: -1}, {TopP: -0.1}, {TopP: 1.1}, {TopP: nan}, {MinP: -1}, {MinP: 2}, {MinP: nan},
	} {
		if _, err := sampling.New(s); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}

func TestSamplerExtremes(t *testing.T) {
	inf := float32(math.Inf(1))
	logits := []float32{-inf, 3, -1000, math.MaxFloat32, math.MaxFloat32, -math.MaxFloat32}
	for _, s := range []sampling.Options{
		{Temperature: math.SmallestNonzeroFloat32}, {Temperature: math.MaxFloat32, TopK: 2}, {Temperature: 1, TopP: 1e-30},
		{Temperature: 1, MinP: 1}, {Temperature: 1e-3, TopK: 100, TopP: 0.999},
	} {
		sampler := mustSampler(t, s)
		for range 20 {
			token, err := sampler.Sample(logits)
			if err != nil || token != 3 && token != 4 {
				t.Errorf("%+v: %d, %v", s, token, err)
			}
		}
	}
}

func TestDraw(t *testing.T) {
	c := []sampling.TokenWeight{{5, 0}, {6, 1}, {7, 0}, {8, 3}, {9, 0}}
	for random, want := range map[uint64]int32{
		0: 6, 1<<62 - 1: 6, 1 << 62: 8, 1 << 63: 8, math.MaxUint64: 8,
	} {
		if got := sampling.DrawCandidate(c, random); got != want {
			t.Errorf("draw(%#x) = %d, want %d", random, got, want)
		}
	}
}

func TestSeed(t *testing.T) {
	logits := make([]float32, 1000)
	stream := func(seed uint64) (tokens []int32) {
		s := mustSampler(t, sampling.Options{Temperature: 1, Seed: seed})
		for range 20 {
			token, err := s.Sample(logits)
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, token)
		}
		return tokens
	}
	if !slices.Equal(stream(3), stream(3)) || slices.Equal(stream(3), stream(4)) || slices.Equal(stream(0), stream(1<<60)) {
		t.Error("the seed does not decide the stream")
	}
}

// largeLogits looks like the output of a real model: a few tokens stand out of 150,000.
func largeLogits() []float32 {
	random := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 150_000)
	for i := range logits {
		logits[i] = float32(random.NormFloat64())*2.5 - 2
	}
	for i := range 60 {
		logits[random.IntN(len(logits))] = 14 - float32(i)/6
	}
	return logits
}

var largeSamplings = []sampling.Options{
	{}, {Temperature: 0.8}, {Temperature: 0.8, TopK: 40}, {Temperature: 0.8, TopP: 0.95}, {Temperature: 0.8, MinP: 0.05},
	{Temperature: 0.6, TopK: 20, TopP: 0.95, MinP: 0.05},
}

func TestSamplerDoesNotAllocate(t *testing.T) {
	logits := largeLogits()
	for _, s := range largeSamplings {
		sampler := mustSampler(t, s)
		sample := func() {
			if _, err := sampler.Sample(logits); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(3, sample); n != 0 {
			t.Errorf("%+v: %v allocations", s, n)
		}
	}
}

func BenchmarkSampler(b *testing.B) {
	logits := largeLogits()
	for _, s := range largeSamplings {
		b.Run(fmt.Sprintf("vocab=150000/t=%v/k=%d/p=%v/min=%v", s.Temperature, s.TopK, s.TopP, s.MinP), func(b *testing.B) {
			sampler, err := sampling.New(s)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sampler.Sample(logits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleSampler_Distribution() {
	s, err := sampling.New(sampling.Options{Temperature: 1, TopK: 3, TopP: 0.9})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := s.Distribution([]float32{1, 0, 2, 3, 1})
	for _, c := range d {
		fmt.Printf("token %d: %.3f\n", c.Token, c.Weight)
	}
	fmt.Println(err)
	// Output:
	// token 3: 0.731
	// token 2: 0.269
	// <nil>
}
