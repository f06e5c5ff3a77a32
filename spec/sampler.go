package spec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// ErrLogits is returned when the logits of a model are not a distribution: NaN or +Inf among them, or nothing above -Inf.
var ErrLogits = errors.New("logits are not finite")

// Sampling chooses how the next token is picked from the target's logits. The zero value is greedy: the token with the
// largest logit, the lowest id among equals.
//
// With a temperature, the logits go through these steps, in Hugging Face's order; what is left is the filtered target
// distribution, from which the token is drawn:
//
//  1. logits are divided by Temperature;
//  2. TopK keeps the k largest, lower ids first among equals;
//  3. softmax over what is left;
//  4. TopP keeps the smallest set of most probable tokens whose probabilities sum to at least TopP;
//  5. MinP keeps the tokens at least MinP times as probable as the most probable one;
//  6. renormalisation.
//
// llama.cpp by default applies the temperature last, so at temperatures other than 1 its top-p and min-p keep other sets.
type Sampling struct {
	Temperature float32 // 0 is greedy; the other fields then have no effect
	TopK        int     // 0 means all tokens
	TopP        float32 // 0 or 1 = all tokens
	MinP        float32 // 0 means all tokens
	Seed        uint64  // the same seed, prompt and model give the same tokens, whatever the draft and its trees, unless these are drawn
}

func (s Sampling) check() error {
	switch {
	case !(s.Temperature >= 0) || math.IsInf(float64(s.Temperature), 0):
		return fmt.Errorf("spec: sampling: temperature %v is not a finite number from 0 up", s.Temperature)
	case s.TopK < 0:
		return fmt.Errorf("spec: sampling: top-k %d is negative", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return fmt.Errorf("spec: sampling: top-p %v is not between 0 and 1", s.TopP)
	case !(s.MinP >= 0 && s.MinP <= 1):
		return fmt.Errorf("spec: sampling: min-p %v is not between 0 and 1", s.MinP)
	}
	return nil
}

// TokenWeight is a token with its weight: a scaled logit in the first steps, later an unnormalised or final probability.
type TokenWeight struct {
	Token  int32
	Weight float32
}

// Sampler picks tokens from logits. It draws exactly one random number per sampled token, so the i-th token of a
// sequence uses the i-th number of the seed's stream whether or not it was drafted. After the first call it does not allocate
// for the same vocabulary. It is not safe for concurrent use.
type Sampler struct {
	sampling   Sampling
	random     *rand.ChaCha8
	candidates []TokenWeight
}

// NewSampler returns a sampler at the start of its seed's stream.
func NewSampler(s Sampling) (*Sampler, error) {
	sampler := &Sampler{random: rand.NewChaCha8([32]byte{})}
	return sampler, sampler.reset(s, 0)
}

// reset makes the sampler equal to a new one, keeping its buffer. A seed has many streams; new ones have stream 0.
func (s *Sampler) reset(sampling Sampling, stream byte) error {
	if err := sampling.check(); err != nil {
		return err
	}
	s.sampling = sampling
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(sampling.Seed >> (8 * i))
	}
	seed[8] = stream
	s.random.Seed(seed)
	return nil
}

// Sample picks the next token from logits, one per token of the vocabulary.
func (s *Sampler) Sample(logits []float32) (int32, error) {
	if s.sampling.Temperature == 0 {
		best, err := argmax(logits)
		return int32(best), err
	}
	candidates, err := s.filter(logits)
	if err != nil {
		return 0, err
	}
	return draw(candidates, s.random.Uint64()), nil
}

// skip draws the random number of a token that is not sampled.
func (s *Sampler) skip() {
	if s.sampling.Temperature > 0 {
		s.random.Uint64()
	}
}

// Distribution returns the filtered target distribution from which [Sampler.Sample] draws: the tokens that are left and their
// probabilities, which sum to 1. It draws nothing. The slice is valid until the next call of a method of s.
func (s *Sampler) Distribution(logits []float32) ([]TokenWeight, error) {
	if s.sampling.Temperature == 0 {
		best, err := argmax(logits)
		s.candidates = append(s.candidates[:0], TokenWeight{int32(best), 1})
		return s.candidates, err
	}
	c, err := s.filter(logits)
	if err != nil {
		return nil, err
	}
	total := sum(c)
	for i := range c {
		c[i].Weight = float32(float64(c[i].Weight) / total)
	}
	return c, nil
}

// filter runs the steps of [Sampling] up to renormalisation: weights are probabilities up to a common factor.
func (s *Sampler) filter(logits []float32) ([]TokenWeight, error) {
	best, err := argmax(logits)
	if err != nil {
		return nil, err
	}
	c := load(s.candidates, logits)
	s.candidates = c
	scale(c, logits[best], s.sampling.Temperature)
	if k := s.sampling.TopK; k > 0 && k < len(c) {
		c = topK(c, k)
	}
	exponentiate(c)
	if p := s.sampling.TopP; p > 0 && p < 1 {
		c = topP(c, p)
	}
	if s.sampling.MinP > 0 {
		c = minP(c, s.sampling.MinP)
	}
	return c, nil
}

// argmax returns the index of the largest logit, the lowest among equals.
func argmax(logits []float32) (int, error) {
	best, largest := -1, float32(math.Inf(-1))
	for i, x := range logits {
		if x > largest {
			best, largest = i, x
		} else if x != x {
			return 0, fmt.Errorf("spec: sample: logit of token %d is NaN: %w", i, ErrLogits)
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("spec: sample: none of %d logits is above -Inf: %w", len(logits), ErrLogits)
	}
	if math.IsInf(float64(largest), 1) {
		return 0, fmt.Errorf("spec: sample: logit of token %d is +Inf: %w", best, ErrLogits)
	}
	return best, nil
}

// load fills c with all tokens, weighted by their logits.
func load(c []TokenWeight, logits []float32) []TokenWeight {
	c = slices.Grow(c[:0], len(logits))[:len(logits)]
	for i, x := range logits {
		c[i] = TokenWeight{int32(i), x}
	}
	return c
}

// scale divides by the temperature, after moving the largest logit to 0 so that nothing overflows later.
func scale(c []TokenWeight, largest, temperature float32) {
	for i := range c {
		c[i].Weight = (c[i].Weight - largest) / temperature
	}
}

// topK keeps the k heaviest candidates, heaviest first.
func topK(c []TokenWeight, k int) []TokenWeight {
	// Each of k blocks has a candidate at least as heavy as the lightest of their heaviest, so lighter ones are out.
	bound := float32(math.Inf(1))
	for i, size := 0, len(c)/k; i < k; i++ {
		bound = min(bound, heaviest(c[i*size:(i+1)*size]))
	}
	return first(atLeast(c, bound), func(taken int, _ float64) bool { return taken == k })
}

// exponentiate turns scaled logits into probabilities up to a common factor; the heaviest gets 1.
func exponentiate(c []TokenWeight) {
	for i := range c {
		c[i].Weight = float32(math.Exp(float64(c[i].Weight)))
	}
}

// topP keeps the heaviest candidates, heaviest first, until they hold the fraction p of the total weight.
func topP(c []TokenWeight, p float32) []TokenWeight {
	total := sum(c)
	// All candidates below this bound together weigh less than what may be missing.
	c = atLeast(c, float32((1-float64(p))*total/float64(len(c))))
	return first(c, func(_ int, weight float64) bool { return weight >= float64(p)*total })
}

// minP keeps the candidates that weigh at least p times the heaviest.
func minP(c []TokenWeight, p float32) []TokenWeight { return atLeast(c, p*heaviest(c)) }

// atLeast keeps the candidates of at least the given weight, in their order.
func atLeast(c []TokenWeight, weight float32) []TokenWeight {
	n := 0
	for _, x := range c {
		if x.Weight >= weight {
			c[n] = x
			n++
		}
	}
	return c[:n]
}

func heaviest(c []TokenWeight) float32 {
	weight := float32(math.Inf(-1))
	for _, x := range c {
		weight = max(weight, x.Weight)
	}
	return weight
}

// fraction turns the top 53 bits of random into a number from 0 up to, but not including, 1.
func fraction(random uint64) float64 { return float64(random>>11) * 0x1p-53 }

// draw picks a candidate with probability proportional to its weight.
func draw(c []TokenWeight, random uint64) int32 {
	goal := fraction(random) * sum(c)
	last, passed := 0, 0.0
	for i, x := range c {
		if x.Weight == 0 {
			continue
		}
		last, passed = i, passed+float64(x.Weight)
		if passed > goal {
			break
		}
	}
	return c[last].Token
}

func sum(c []TokenWeight) float64 {
	total := 0.0
	for _, x := range c {
		total += float64(x.Weight)
	}
	return total
}

// first keeps the heaviest candidates, heaviest first and lower tokens first among equals, up to the one with which enough
// is true of their number and weight. It takes them from a heap: one linear pass, and a short path for each, where sorting
// would order all the others too.
func first(c []TokenWeight, enough func(taken int, weight float64) bool) []TokenWeight {
	for i := len(c)/2 - 1; i >= 0; i-- {
		siftDown(c, i)
	}
	n, weight := len(c), 0.0
	for n > 0 && !enough(len(c)-n, weight) {
		weight += float64(c[0].Weight)
		n--
		c[0], c[n] = c[n], c[0]
		siftDown(c[:n], 0)
	}
	c = c[n:]
	slices.Reverse(c)
	return c
}

// siftDown restores the heap, whose root is the heaviest candidate, where c[i] may be lighter than its children.
func siftDown(c []TokenWeight, i int) {
	for {
		child := 2*i + 1
		if child >= len(c) {
			return
		}
		if right := child + 1; right < len(c) && before(c[right], c[child]) {
			child = right
		}
		if !before(c[child], c[i]) {
			return
		}
		c[i], c[child] = c[child], c[i]
		i = child
	}
}

// before is the order in which candidates are kept: heaviest first, lower tokens first among equals.
func before(a, b TokenWeight) bool {
	return a.Weight > b.Weight || a.Weight == b.Weight && a.Token < b.Token
}
