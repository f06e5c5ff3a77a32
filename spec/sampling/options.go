// Package sampling picks tokens from the logits of a model: the likeliest, or one drawn at random from what [Options] leave of the
// distribution.
//
//	sampler, err := sampling.New(sampling.Options{Temperature: 0.7, TopP: 0.9, Seed: 1})
//	token, err := sampler.Sample(logits)
//
// # Errors
//
//   - [ErrLogits]: the logits are not finite; the weights of the model are damaged or do not fit its configuration.
package sampling

import (
	"errors"
	"fmt"
	"math"
)

// ErrLogits is returned when the logits of a model are not a distribution: NaN or +Inf among them, or nothing above -Inf.
var ErrLogits = errors.New("logits are not finite")

// Options say how the next token is picked from the logits of a model. The zero value is greedy: the token with the
// largest logit, the lowest id among equals.
//
// With a temperature, the logits go through these steps, in Hugging Face's order; what is left is the filtered
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
type Options struct {
	Temperature float32 // 0 is greedy; the other fields then have no effect
	TopK        int     // 0 means all tokens
	TopP        float32 // 0 and 1 mean all tokens
	MinP        float32 // 0 means all tokens
	Seed        uint64  // of the stream of random numbers
}

func (o Options) check() error {
	switch {
	case !(o.Temperature >= 0) || math.IsInf(float64(o.Temperature), 0):
		return fmt.Errorf("sampling: temperature %v is not a finite number from 0 up", o.Temperature)
	case o.TopK < 0:
		return fmt.Errorf("sampling: top-k %d is negative", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("sampling: top-p %v is not between 0 and 1", o.TopP)
	case !(o.MinP >= 0 && o.MinP <= 1):
		return fmt.Errorf("sampling: min-p %v is not between 0 and 1", o.MinP)
	}
	return nil
}
