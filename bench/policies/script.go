package policies

import (
	"context"
	"slices"

	"github.com/lever-go/lever/spec"
)

// scripted is a target that answers what it is told to, at the cost of its own answer: the logits of every row on the way are its own but
// for that of the next token of the script, which is the largest.
type scripted struct {
	spec.Decoder
	prompt int     // tokens before the script
	script []int32 // what is still to be said, and what was, of the prompt at hand; if empty, the target says what it will

	tokens  []int32 // pending
	parents []int32
	path    []int32
}

// Forward notes the pending rows.
func (s *scripted) Forward(ctx context.Context, b spec.Batch) (int, error) {
	first, err := s.Decoder.Forward(ctx, b)
	if err != nil {
		return first, err
	}
	for i, token := range b.Tokens {
		parent := int32(first+i) - 1
		if b.Parents != nil {
			parent = b.Parents[i]
		}
		s.tokens, s.parents = append(s.tokens[:first+i], token), append(s.parents[:first+i], parent)
	}
	return first, nil
}

// Project computes the target's logits, and then prefers the script.
func (s *scripted) Project(ctx context.Context, dst []float32, rows []int) error {
	if err := s.Decoder.Project(ctx, dst, rows); err != nil || len(s.script) == 0 {
		return err
	}
	for i, row := range rows {
		if token, ok := s.next(row); ok {
			logits := dst[i*s.Vocab() : (i+1)*s.Vocab()]
			logits[token] = slices.Max(logits) + 1
		}
	}
	return nil
}

// next returns the token of the script after a pending row, if its path is the script's.
func (s *scripted) next(row int) (int32, bool) {
	s.path = s.path[:0]
	for r := int32(row); r >= 0; r = s.parents[r] {
		s.path = append(s.path, s.tokens[r])
	}
	slices.Reverse(s.path)
	committed := s.Tokens()
	said := len(committed) + len(s.path) - s.prompt // tokens of the script
	if said < 0 || said >= len(s.script) {
		return 0, false
	}
	for i := range said {
		at := s.prompt + i
		token := int32(-1)
		if at < len(committed) {
			token = committed[at]
		} else {
			token = s.path[at-len(committed)]
		}
		if token != s.script[i] {
			return 0, false
		}
	}
	return s.script[said], true
}
