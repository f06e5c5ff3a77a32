package main

import (
	"strconv"
	"strings"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/spf13/pflag"
)

// penaltyFlags are the flags that change how likely a token is.
type penaltyFlags struct {
	sampling.Penalties
	bias []string
}

func (f *penaltyFlags) register(flags *pflag.FlagSet) {
	flags.Float32Var(&f.Presence, "presence-penalty", 0, "make tokens that the answer has less likely; below 0: likelier")
	flags.Float32Var(&f.Frequency, "frequency-penalty", 0, "the same, for each time that the answer has them")
	flags.Float32Var(&f.Repetition, "repeat-penalty", 1, "make tokens that prompt or answer have less likely by this factor, from 0.01 to 100; 1: no change, below 1: likelier")
	flags.IntVar(&f.Last, "repeat-last-n", 0, "let the last n tokens alone count for penalties; 0: all")
	flags.StringArrayVar(&f.bias, "logit-bias", nil, "TOKEN=BIAS: add to the logit of a token, given by its id (can be repeated)")
}

func (f *penaltyFlags) check() error {
	switch {
	case !(f.Presence >= -2 && f.Presence <= 2):
		return cli.UsageErrorf("--presence-penalty %v is not between -2 and 2", f.Presence)
	case !(f.Frequency >= -2 && f.Frequency <= 2):
		return cli.UsageErrorf("--frequency-penalty %v is not between -2 and 2", f.Frequency)
	case !(f.Repetition >= 0.01 && f.Repetition <= 100):
		return cli.UsageErrorf("--repeat-penalty %v is not between 0.01 and 100; 1 changes nothing", f.Repetition)
	case f.Last < 0:
		return cli.UsageErrorf("--repeat-last-n %d is negative", f.Last)
	}
	for _, text := range f.bias {
		id, number, _ := strings.Cut(text, "=")
		token, err := strconv.ParseInt(id, 10, 32)
		bias, wrong := strconv.ParseFloat(number, 32)
		if err != nil || token < 0 || wrong != nil || !(bias >= -100 && bias <= 100) {
			return cli.UsageErrorf("--logit-bias %s is not TOKEN=BIAS: the id of a token, and a number from -100 to 100", text)
		}
		if f.Bias == nil {
			f.Bias = map[int32]float32{}
		}
		f.Bias[int32(token)] = float32(bias)
	}
	return nil
}

// checkFor reports biases of tokens that a vocabulary of so many does not have.
func (f *penaltyFlags) checkFor(vocab int) error {
	for _, text := range f.bias {
		id, _, _ := strings.Cut(text, "=")
		if token, err := strconv.Atoi(id); err == nil && token >= vocab {
			return cli.UsageErrorf("--logit-bias %s: the model's tokens have the ids from 0 to %d", text, vocab-1)
		}
	}
	return nil
}
