package server

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
)

// form is one of the two kinds of answers.
type form struct {
	prefix, object, chunk string
	chat                  bool
}

var (
	chatForm       = form{"chatcmpl-", "chat.completion", "chat.completion.chunk", true}
	completionForm = form{"cmpl-", "text_completion", "text_completion", false}
)

// response is an answer, or a part of one in a stream.
type response struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage"`
	Tree    *tree    `json:"lever_tree,omitempty"`
}

type choice struct {
	Index        int     `json:"index"`
	Message      *said   `json:"message,omitempty"`
	Delta        *said   `json:"delta,omitempty"`
	Text         *string `json:"text,omitempty"` // of a completion
	Logprobs     any     `json:"logprobs"`
	FinishReason *string `json:"finish_reason"`
}

// said is a message, or what a part adds to it.
type said struct {
	Role      string  `json:"role,omitempty"`
	Content   *string `json:"content,omitempty"`
	Reasoning string  `json:"reasoning_content,omitempty"`
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	PromptDetails    struct {
		CachedTokens int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	Speculation spec.Stats `json:"speculation"`
}

func newUsage(r lever.Result) *usage {
	u := &usage{PromptTokens: r.PromptTokens, CompletionTokens: r.Tokens, TotalTokens: r.PromptTokens + r.Tokens, Speculation: r.Stats}
	u.PromptDetails.CachedTokens = r.ReusedTokens
	return u
}

// newResponse returns an answer of a form, with no choice yet.
func newResponse(f form, object, model string) response {
	var id [12]byte
	rand.Read(id[:]) // never fails
	return response{ID: f.prefix + hex.EncodeToString(id[:]), Object: object, Created: time.Now().Unix(), Model: model, Choices: []choice{}}
}

// part returns the choice of a part of a streamed answer.
func (f form) part(p piece) choice {
	if !f.chat {
		return choice{Text: &p.text, Logprobs: completionLogprobs(p.logprobs)}
	}
	c := choice{Delta: &said{Reasoning: p.reasoning}, Logprobs: chatLogprobs(p.logprobs)}
	if p.text != "" || p.reasoning == "" {
		c.Delta.Content = &p.text
	}
	return c
}

// whole returns the choice of a whole answer.
func (f form) whole(p piece, finish string) choice {
	if !f.chat {
		return choice{Text: &p.text, Logprobs: completionLogprobs(p.logprobs), FinishReason: &finish}
	}
	return choice{Message: &said{Role: "assistant", Content: &p.text, Reasoning: p.reasoning}, Logprobs: chatLogprobs(p.logprobs), FinishReason: &finish}
}

// finishReason returns OpenAI's word for the end of a text.
func finishReason(f spec.Finish) string {
	if f == spec.FinishStop {
		return "stop"
	}
	return "length"
}

// tree is the tree of one pass, as the page draws it.
type tree struct {
	Tokens   []string  `json:"tokens"`
	Parents  []int32   `json:"parents"`
	Probs    []float32 `json:"probs"`
	Accepted []int     `json:"accepted"` // nodes, the root first
	Next     string    `json:"next"`     // the target's own token after the last of them
	Seconds  float64   `json:"seconds"`
}
