package server

import (
	"math"
	"unicode/utf8"

	"github.com/lever-go/lever/kernels"
)

// logprob is a generated token and the most probable ones in its place.
type logprob struct {
	token int32
	text  string
	value float32
	top   []alternative
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

// tokenLogprob is a token in OpenAI's form; bytes are those of its text, which may be part of a character.
type tokenLogprob struct {
	Token       string         `json:"token"`
	Logprob     float32        `json:"logprob"`
	Bytes       []int          `json:"bytes"`
	TopLogprobs []tokenLogprob `json:"top_logprobs"`
}

func newTokenLogprob(text string, value float32) tokenLogprob {
	t := tokenLogprob{Token: valid(text), Logprob: value, Bytes: []int{}, TopLogprobs: []tokenLogprob{}}
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
		for _, a := range l.top {
			t.TopLogprobs = append(t.TopLogprobs, newTokenLogprob(a.text, a.value))
		}
		content = append(content, t)
	}
	return map[string]any{"content": content, "refusal": nil}
}

// completionLogprobs returns the form of completions, nil if there are none; the text begins at an offset, in characters.
func completionLogprobs(list []logprob, offset int) any {
	if list == nil {
		return nil
	}
	out := struct {
		Tokens        []string             `json:"tokens"`
		TokenLogprobs []float32            `json:"token_logprobs"`
		TopLogprobs   []map[string]float32 `json:"top_logprobs"`
		TextOffset    []int                `json:"text_offset"`
	}{[]string{}, []float32{}, []map[string]float32{}, []int{}}
	for _, l := range list {
		top := map[string]float32{}
		for _, a := range l.top {
			top[valid(a.text)] = a.value
		}
		out.Tokens = append(out.Tokens, valid(l.text))
		out.TokenLogprobs = append(out.TokenLogprobs, l.value)
		out.TopLogprobs = append(out.TopLogprobs, top)
		out.TextOffset = append(out.TextOffset, offset)
		offset += utf8.RuneCountInString(l.text)
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
