package server

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tokenizer"
)

const (
	// maxTexts bounds the texts of a request for vectors.
	maxTexts = 512
	// turnTokens are those of the texts that one turn computes, unless one text has more.
	turnTokens = 512
)

// embedRequest is a request for vectors, of any API.
type embedRequest struct {
	s          *Server
	model      string
	input      []prompt
	pooling    lever.Pooling
	dimensions *int64
	truncate   bool // texts that are longer than the context; else they are refused
	base64     bool

	texts [][]int32
}

// read takes a request's fields and encodes its texts.
func (r *embedRequest) read(ctx context.Context, body []byte, all fields) error {
	if err := all.decode(body); err != nil {
		return err
	}
	if e := r.s.checkModel(strings.TrimSuffix(r.model, ":latest")); e != nil {
		return e
	}
	engine := r.s.options.Engine
	if len(r.input) == 0 {
		return invalid("input", "", "there is no input")
	}
	if d := r.dimensions; d != nil && int(*d) != engine.Width() {
		return invalid("dimensions", "unsupported_value", "dimensions %d is not supported: this model's vectors have %d", *d, engine.Width())
	}
	tok := engine.Tokenizer()
	for i, p := range r.input {
		if p.tokens == nil {
			var err error
			if p.tokens, err = tok.EncodeContext(ctx, p.text, tokenizer.EncodeOptions{AddBOS: tok.AddBOS()}); err != nil {
				return err
			}
		}
		if n := len(p.tokens); n > engine.Context() {
			if !r.truncate {
				return invalid("input", "context_length_exceeded", "text %d has %d tokens; the model's context has %d", i, n, engine.Context())
			}
			p.tokens = p.tokens[:engine.Context()]
		}
		r.texts = append(r.texts, p.tokens)
	}
	return nil
}

// inputs takes a text, tokens, or a list of either.
func (r *embedRequest) inputs(at string, raw json.RawMessage) error {
	return prompts(&r.input, r.s.options.Engine.Tokenizer().Size(), maxTexts)(at, raw)
}

// takePooling takes the way in which hidden states become a vector.
func (r *embedRequest) takePooling(at string, raw json.RawMessage) error {
	var name string
	if err := text(&name)(at, raw); err != nil {
		return err
	}
	if r.pooling = lever.Pooling(name); r.pooling != lever.PoolMean && r.pooling != lever.PoolLast {
		return invalid(at, "unsupported_value", "%s %.100q is neither %s nor %s", at, name, lever.PoolMean, lever.PoolLast)
	}
	return nil
}

// takeFormat takes the form of vectors.
func (r *embedRequest) takeFormat(at string, raw json.RawMessage) error {
	var name string
	if err := text(&name)(at, raw); err != nil {
		return err
	}
	if r.base64 = name == "base64"; !r.base64 && name != "float" {
		return invalid(at, "unsupported_value", "%s %.100q is neither float nor base64", at, name)
	}
	return nil
}

// tokens returns the number of tokens of all texts.
func (r *embedRequest) tokens() (n int) {
	for _, text := range r.texts {
		n += len(text)
	}
	return n
}

// vectors has the engine compute the vectors, some in each turn.
func (r *embedRequest) vectors(ctx context.Context) (all [][]float32, err error) {
	s := r.s
	if s.ending.Load() {
		return nil, errEnding
	}
	if !s.queue.enter(true) {
		return nil, refused(http.StatusTooManyRequests, "rate_limit_error", "queue_full", "no more than %s may wait; try again later", plural.Of(s.options.Waiting, "request"))
	}
	defer s.queue.leave()
	for left := r.texts; len(left) > 0 && err == nil; {
		n, tokens := 1, len(left[0])
		for n < len(left) && tokens+len(left[n]) <= turnTokens {
			tokens += len(left[n])
			n++
		}
		var some [][]float32
		failed := s.queue.run(ctx, s.queue.line(true, time.Now(), nil), func() { some, err = s.options.Engine.Embed(ctx, left[:n], r.pooling) })
		if failed != nil {
			return nil, failed
		}
		all, left = append(all, some...), left[n:]
	}
	return all, err
}

// embeddings serves requests for vectors: fields are those of an API, and tell writes an answer in its words.
func (s *Server) embeddings(refusal func(*apiError) any, fields func(*embedRequest) fields, tell func(*embedRequest, [][]float32, time.Duration) any) http.Handler {
	return s.answering(refusal, func(x *exchange, r *http.Request) error {
		body, leave, err := s.admit(x, r)
		if err != nil {
			return err
		}
		defer leave()
		q := &embedRequest{s: s, pooling: lever.PoolMean}
		read := func(ctx context.Context) { err = q.read(ctx, body, fields(q)) }
		if len(body) <= lightBytes {
			read(r.Context())
		} else if busy := s.inTurn(r.Context(), len(body), read); busy != nil {
			return busy
		}
		if err != nil {
			return err
		}
		vectors, err := q.vectors(r.Context())
		if err != nil {
			return err
		}
		s.deadline(x)
		writeJSON(x, http.StatusOK, tell(q, vectors, time.Since(x.began)))
		return nil
	})
}

// openAIEmbedFields are those of POST /v1/embeddings.
func openAIEmbedFields(r *embedRequest) fields {
	return fields{
		"model": text(&r.model), "input": r.inputs, "dimensions": integer(&r.dimensions, 1, math.MaxInt32), "encoding_format": r.takeFormat, "pooling": r.takePooling,
		"user": harmless,
	}
}

func openAIEmbeddings(r *embedRequest, vectors [][]float32, _ time.Duration) any {
	data := []any{}
	for i, v := range vectors {
		var vector any = v
		if r.base64 {
			raw := make([]byte, 0, 4*len(v))
			for _, x := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			vector = base64.StdEncoding.EncodeToString(raw)
		}
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": vector})
	}
	return map[string]any{
		"object": "list", "data": data, "model": r.s.options.Model, "usage": map[string]int{"prompt_tokens": r.tokens(), "total_tokens": r.tokens()},
	}
}

// ollamaEmbedFields are those of POST /api/embed.
func ollamaEmbedFields(r *embedRequest) fields {
	r.truncate = true
	return fields{
		"model": text(&r.model), "input": r.inputs, "dimensions": integer(&r.dimensions, 1, math.MaxInt32), "truncate": boolean(&r.truncate), "pooling": r.takePooling,
		"keep_alive": harmless, "options": object((&ollamaRequest{}).options()),
	}
}

func ollamaEmbeddings(r *embedRequest, vectors [][]float32, took time.Duration) any {
	return map[string]any{
		"model": r.s.options.Model, "embeddings": vectors, "total_duration": took.Nanoseconds(), "load_duration": 0, "prompt_eval_count": r.tokens(),
	}
}

// ollamaEmbedOneFields are those of POST /api/embeddings, which is older than /api/embed.
func ollamaEmbedOneFields(r *embedRequest) fields {
	all := ollamaEmbedFields(r)
	all["prompt"] = func(at string, raw json.RawMessage) error {
		r.input = []prompt{{}}
		return text(&r.input[0].text)(at, raw)
	}
	delete(all, "input")
	return all
}

func ollamaEmbedding(_ *embedRequest, vectors [][]float32, _ time.Duration) any {
	return map[string]any{"embedding": vectors[0]}
}
