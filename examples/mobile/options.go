package mobile

import (
	"context"
	"errors"

	"github.com/lever-go/lever"
)

// Options say what an answer shall be like.
type Options struct {
	MaxTokens   int     // of the answer; if it is 0, until the model stops
	Temperature float64 // 0 always takes the likeliest token; more is more varied
	TopP        float64 // share of the probability that is drawn from; 0 is no limit
	MinP        float64 // least probability, as a share of the likeliest's; 0 is no limit
	TopK        int     // tokens that are drawn from; 0 is no limit
	Seed        int64   // draws with the same one are the same
	NoThinking  bool    // ask a model that can think before it answers not to
	MustCall    bool    // the answer begins with a call of one of SetTools' functions
	JSON        bool    // the answer is a JSON object
	JSONSchema  string  // the answer is JSON that satisfies this schema, if it is not ""; such options go without tools

	stops []string
}

// NewOptions returns the options that Generate takes for null.
func NewOptions() *Options { return &Options{} }

// AddStop adds a string that ends the answer before it.
func (o *Options) AddStop(text string) { o.stops = append(o.stops, text) }

var errFormatAndTools = errors.New("JSON and tools both say what the answer must look like: give one of them, or SetTools with none")

// apply takes the options over into a request.
func (o *Options) apply(ctx context.Context, engine *lever.Engine, req *lever.Request, tools bool) error {
	if o == nil {
		return nil
	}
	req.MaxTokens, req.NoThinking, req.StopStrings = o.MaxTokens, o.NoThinking, o.stops
	req.ToolChoice.Required = o.MustCall
	s := &req.Sampling
	s.Temperature, s.TopP, s.MinP, s.TopK, s.Seed = float32(o.Temperature), float32(o.TopP), float32(o.MinP), o.TopK, uint64(o.Seed)
	if !o.JSON && o.JSONSchema == "" {
		return nil
	}
	if tools {
		return errFormatAndTools
	}
	vocabulary, err := engine.Vocabulary()
	if err != nil {
		return err
	}
	if o.JSONSchema == "" {
		req.Grammar = vocabulary.JSON()
		return nil
	}
	req.Grammar, err = vocabulary.JSONSchema(ctx, []byte(o.JSONSchema))
	return err
}
