package server

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tokenizer"
)

// logprob is a generated token and the most probable ones in its place.
type logprob struct {
	token int32
	text  string
	value float32
	top   []alternative
	none  bool // it is the first of a prompt, for which there is none

	start, end int // of what it adds to the text, in bytes
	offset     int // of that, in characters
}

type alternative struct {
	text  string
	value float32
}

// never stands for the logarithm of 0, as JSON has no infinity; OpenAI's API does the same.
const never = -9999

// newLogprob returns the log-probability of a token, and the top most probable ones; nil logits are those of a token that was
// the only one possible.
func newLogprob(token int32, logits []float32, top int, spell func(int32) string) logprob {
	l := logprob{token: token, text: spell(token)}
	if logits == nil {
		if top > 0 {
			l.top = []alternative{{l.text, 0}}
		}
		return l
	}
	largest := float64(logits[kernels.Default().Argmax(logits)])
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - largest)
	}
	log := func(logit float32) float32 { return max(never, float32(float64(logit)-largest-math.Log(sum))) }
	l.value = log(logits[token])
	ids, values := make([]int32, top), make([]float32, top)
	for i := range kernels.Default().TopK(ids, values, logits) {
		l.top = append(l.top, alternative{spell(ids[i]), log(values[i])})
	}
	return l
}

// heldLogprobs keeps log-probabilities back until the text of their tokens is shown: that of a stop string never is.
type heldLogprobs struct {
	tok        *tokenizer.Tokenizer
	prompt     int               // tokens of it that are still to be added
	decoder    *tokenizer.Stream // of all tokens, as the engine decodes them
	text       strings.Builder
	characters int
	shownBytes int
	list       []logprob
}

func newHeldLogprobs(tok *tokenizer.Tokenizer) *heldLogprobs {
	h := &heldLogprobs{tok: tok}
	h.decode()
	return h
}

// decode begins with a text.
func (h *heldLogprobs) decode() {
	h.decoder = h.tok.NewStream()
	h.decoder.SkipSpecial = true
}

func (h *heldLogprobs) add(l logprob) {
	adds := h.decoder.Next(l.token)
	l.start, l.offset = h.text.Len(), h.characters
	h.text.WriteString(adds)
	h.characters += utf8.RuneCountInString(adds)
	l.end = h.text.Len()
	h.list = append(h.list, l)
	if h.prompt--; h.prompt == 0 {
		h.decode()
	}
}

// addPrompt begins with a prompt, of which the log-probabilities of all tokens but the first are still to be added.
func (h *heldLogprobs) addPrompt(tokens []int32) {
	h.prompt = len(tokens)
	h.add(logprob{token: tokens[0], text: h.tok.Token(tokens[0]), none: true})
}

// shown takes in that n more bytes of the text are shown, and returns the log-probabilities that this releases.
func (h *heldLogprobs) shown(n int) []logprob {
	h.shownBytes += n
	i := 0
	for i < len(h.list) && h.list[i].start < h.shownBytes && h.list[i].end <= h.shownBytes {
		i++
	}
	released := h.list[:i]
	h.list = h.list[i:]
	return released
}

// last returns, when no more text comes, that of the token of which only the beginning is shown, spelled as far as that, if there is one.
func (h *heldLogprobs) last() []logprob {
	if len(h.list) == 0 || h.list[0].start >= h.shownBytes {
		return nil
	}
	l := h.list[0]
	if shown := h.text.String()[l.start:h.shownBytes]; strings.HasPrefix(l.text, shown) {
		l.text = shown
	}
	return []logprob{l}
}

// tokenLogprob is a token in OpenAI's form; bytes are those of its text, which may be part of a character.
type tokenLogprob struct {
	Token       string         `json:"token"`
	Logprob     float32        `json:"logprob"`
	Bytes       []int          `json:"bytes"`
	TopLogprobs []tokenLogprob `json:"top_logprobs,omitzero"` // nil of one in such a list
}

func newTokenLogprob(text string, value float32) tokenLogprob {
	t := tokenLogprob{Token: valid(text), Logprob: value, Bytes: []int{}}
	for i := range len(text) {
		t.Bytes = append(t.Bytes, int(text[i]))
	}
	return t
}

// chatLogprobs returns the form of chat answers, nil if there are none.
func chatLogprobs(list []logprob) any {
	if list == nil {
		return nil
	}
	content := []tokenLogprob{}
	for _, l := range list {
		t := newTokenLogprob(l.text, l.value)
		t.TopLogprobs = []tokenLogprob{}
		for _, a := range l.top {
			t.TopLogprobs = append(t.TopLogprobs, newTokenLogprob(a.text, a.value))
		}
		content = append(content, t)
	}
	return map[string]any{"content": content, "refusal": nil}
}

// completionLogprobs returns the form of completions, nil if there are none.
func completionLogprobs(list []logprob) any {
	if list == nil {
		return nil
	}
	out := struct {
		Tokens        []string             `json:"tokens"`
		TokenLogprobs []*float32           `json:"token_logprobs"`
		TopLogprobs   []map[string]float32 `json:"top_logprobs"`
		TextOffset    []int                `json:"text_offset"`
	}{[]string{}, []*float32{}, []map[string]float32{}, []int{}}
	for _, l := range list {
		var top map[string]float32
		var value *float32
		if !l.none {
			top, value = map[string]float32{}, &l.value
		}
		for _, a := range l.top {
			top[valid(a.text)] = a.value
		}
		out.Tokens = append(out.Tokens, valid(l.text))
		out.TokenLogprobs = append(out.TokenLogprobs, value)
		out.TopLogprobs = append(out.TopLogprobs, top)
		out.TextOffset = append(out.TextOffset, l.offset)
	}
	return out
}

// valid returns text with U+FFFD for what is not UTF-8.
func valid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}
