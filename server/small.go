package server

import (
	"context"
	"net/http"

	"github.com/lever-go/lever/tokenizer"
)

// small serves requests that need no generation: f makes the answer to a body. Long ones take turns.
func (s *Server) small(refusal func(*apiError) any, f func(r *http.Request, body []byte) (any, error)) http.Handler {
	return s.keyed(func(w http.ResponseWriter, r *http.Request) {
		body, err := s.bodies.read(w, r)
		var answer any
		run := func(ctx context.Context) { answer, err = f(r.WithContext(ctx), body) }
		switch {
		case err != nil:
		case len(body) <= lightBytes:
			run(r.Context())
		default:
			if busy := s.inTurn(r.Context(), len(body), run); busy != nil {
				err = busy
			}
		}
		s.deadline(w)
		if err != nil {
			if e := s.fault(r.Context(), err); e == errGone {
				gone(w)
			} else {
				writeJSON(w, e.status, refusal(e))
			}
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// tokenize answers POST /tokenize, as llama.cpp's server does.
func (s *Server) tokenize(r *http.Request, body []byte) (any, error) {
	var words string
	var special, pieces bool
	parse := true
	err := fields{
		"content": text(&words), "add_special": boolean(&special), "parse_special": boolean(&parse), "with_pieces": boolean(&pieces), "model": harmless,
	}.decode(body)
	if err != nil {
		return nil, err
	}
	tok := s.options.Engine.Tokenizer()
	ids, err := tok.EncodeContext(r.Context(), words, tokenizer.EncodeOptions{AddBOS: special && tok.AddBOS(), ParseSpecial: parse})
	if err != nil {
		return nil, err
	}
	if !pieces {
		return map[string]any{"tokens": ids}, nil
	}
	list := make([]map[string]any, len(ids))
	for i, id := range ids {
		list[i] = map[string]any{"id": id, "piece": valid(tok.Token(id))}
	}
	return map[string]any{"tokens": list}, nil
}

// detokenize answers POST /detokenize, as llama.cpp's server does.
func (s *Server) detokenize(_ *http.Request, body []byte) (any, error) {
	var ids []int32
	tok := s.options.Engine.Tokenizer()
	err := fields{"tokens": elements(tokenID(&ids, tok.Size())), "model": harmless}.decode(body)
	if err != nil {
		return nil, err
	}
	return map[string]any{"content": tok.Decode(ids)}, nil
}
