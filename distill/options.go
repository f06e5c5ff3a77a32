package distill

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/plural"
)

// Options say what [Run] trains, and on what. Model, Draft and Work must be set; Model must be a store, which the predictor is written to.
type Options struct {
	Model, Draft string
	// Architectures are those of the models, if they are none of package arch.
	Architectures []*arch.Architecture
	// Work is a folder for samples and checkpoints. A run that was interrupted goes on from what it finds there.
	Work string
	// Prompts are answered by the target. The default is 640 of this project's own, see [OwnPrompts].
	Prompts []Prompt
	Answer  int // most tokens of an answer; the default is 120
	// Text are files and folders of text that the target runs over, and TextTokens bounds the tokens taken from them; the default is 20 000.
	Text       []string
	TextTokens int
	// Exits are the layers after which a predictor is tried, counted from 0. The default is those after one to four eighths of all.
	Exits       []int
	Rank        int     // of the predictors, a multiple of 32; the default is 64
	Temperature float64 // of the distillation loss; the default is 1.5
	Epochs      int     // at most, of each of two stages; the default is 9
	Recall      float64 // part of the accepted nodes that must go on where exits are compared; the default is 0.97
	Seed        uint64
	Threads     int // of the models; the default is one per performance core
	// Progress, if not nil, is called with what is done. Calls do not overlap.
	Progress func(task string, done, total int)
}

// Prompt is a question that the target answers.
type Prompt struct {
	Text string
	// Raw text is continued; otherwise it is a user's message.
	Raw bool
}

func (p Prompt) request() lever.Request { return lever.Request{Prompt: p.Text, Raw: p.Raw} }

const ownPrompts = 640

// withDefaults fills in the zero fields and checks the others.
func (o Options) withDefaults(layers int) (Options, error) {
	if o.Prompts == nil {
		o.Prompts = OwnPrompts(ownPrompts, o.Seed)
	}
	if o.Exits == nil {
		for _, eighths := range []int{1, 2, 3, 4} {
			if exit := layers*eighths/8 - 1; exit >= 0 && (len(o.Exits) == 0 || exit > o.Exits[len(o.Exits)-1]) {
				o.Exits = append(o.Exits, exit)
			}
		}
	}
	o.Answer, o.TextTokens = cmp.Or(o.Answer, 120), cmp.Or(o.TextTokens, 20_000)
	o.Rank, o.Temperature = cmp.Or(o.Rank, 64), cmp.Or(o.Temperature, 1.5)
	o.Epochs, o.Recall = cmp.Or(o.Epochs, 9), cmp.Or(o.Recall, 0.97)
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	last := -1
	for _, exit := range o.Exits {
		if exit <= last || exit >= layers-1 {
			return o, fmt.Errorf("exits %v are not ascending layers of the first %d", o.Exits, layers-1)
		}
		last = exit
	}
	switch {
	case len(o.Exits) == 0:
		return o, fmt.Errorf("a model of %s has no place for an exit", plural.Of(layers, "layer"))
	case o.Rank < 0 || o.Rank%32 != 0:
		return o, fmt.Errorf("rank %d is not a multiple of 32", o.Rank)
	case !(o.Temperature > 0) || !(o.Recall > 0 && o.Recall <= 1):
		return o, fmt.Errorf("temperature %v, recall %v", o.Temperature, o.Recall)
	case min(o.Answer, o.TextTokens, o.Epochs, o.Threads) < 0:
		return o, errors.New("a negative option")
	}
	return o, nil
}

func (o *Options) check() error {
	if o.Model == "" || o.Draft == "" || o.Work == "" {
		return errors.New("a model, its draft and a folder to work in are needed")
	}
	return nil
}
