package sampling

import (
	"encoding/binary"
	"math/rand/v2"
)

// TokenWeight is a token with its weight: a scaled logit in the first steps, later an unnormalised or final probability.
type TokenWeight struct {
	Token  int32
	Weight float32
}

// Sampler picks tokens from logits. It draws exactly one random number per sampled token, so the i-th token of a
// sequence uses the i-th number of the seed's stream, whether it was sampled, skipped, or decided otherwise. After the first call it
// does not allocate for the same vocabulary. The zero value is greedy. It is not safe for concurrent use.
type Sampler struct {
	options    Options
	random     rand.ChaCha8
	candidates []TokenWeight
}

// New returns a sampler at the start of stream 0 of its seed.
func New(o Options) (*Sampler, error) {
	s := new(Sampler)
	return s, s.Reset(o, 0)
}

// Reset makes the sampler equal to a new one at the start of one of the seed's streams, which are independent of each other. It keeps
// its memory.
func (s *Sampler) Reset(o Options, stream byte) error {
	if err := o.check(); err != nil {
		return err
	}
	s.options = o
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], o.Seed)
	seed[8] = stream
	s.random.Seed(seed)
	return nil
}

// Sample picks the next token from logits, one per token of the vocabulary.
func (s *Sampler) Sample(logits []float32) (int32, error) {
	if s.options.Temperature == 0 {
		best, err := argmax(logits)
		return int32(best), err
	}
	candidates, err := s.filter(logits)
	if err != nil {
		return 0, err
	}
	return draw(candidates, s.random.Uint64()), nil
}

// Skip draws the random number of a token that is not sampled.
func (s *Sampler) Skip() {
	if s.options.Temperature > 0 {
		s.random.Uint64()
	}
}

// Distribution returns the distribution from which [Sampler.Sample] draws: the tokens that are left and their
// probabilities, which sum to 1. It draws nothing. The slice is valid until the next call of a method of s.
func (s *Sampler) Distribution(logits []float32) ([]TokenWeight, error) {
	if s.options.Temperature == 0 {
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

// Draw picks a token with a probability proportional to its weight. It returns -1, and draws no random number, if no weight is above 0.
func (s *Sampler) Draw(c []TokenWeight) int32 {
	if sum(c) == 0 {
		return -1
	}
	return draw(c, s.random.Uint64())
}

// Uniform draws a number from 0 up to, but not including, 1.
func (s *Sampler) Uniform() float64 { return fraction(s.random.Uint64()) }

// filter runs the steps of [Options] up to renormalisation: weights are probabilities up to a common factor.
func (s *Sampler) filter(logits []float32) ([]TokenWeight, error) {
	best, err := argmax(logits)
	if err != nil {
		return nil, err
	}
	c := load(s.candidates, logits)
	s.candidates = c
	scale(c, logits[best], s.options.Temperature)
	if k := s.options.TopK; k > 0 && k < len(c) {
		c = topK(c, k)
	}
	exponentiate(c)
	if p := s.options.TopP; p > 0 && p < 1 {
		c = topP(c, p)
	}
	if s.options.MinP > 0 {
		c = minP(c, s.options.MinP)
	}
	return c, nil
}
