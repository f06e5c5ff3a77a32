package server

import (
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
	// Progress is what llama.cpp's server tells while it reads a prompt.
	Progress *progress `json:"prompt_progress,omitempty"`
}

type choice struct {
	Index        int      `json:"index"`
	Message      *message `json:"message,omitempty"`
	Delta        *said    `json:"delta,omitempty"`
	Text         *string  `json:"text,omitempty"` // of a completion
	Logprobs     any      `json:"logprobs"`
	FinishReason *string  `json:"finish_reason"`
}

// message is a whole message, whose content is null where there are calls alone.
type message struct {
	said
	Content *string `json:"content"`
}

// said is what a message has, or what a part adds to it.
type said struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	ToolCalls []saidCall `json:"tool_calls,omitempty"`
	Drafted   bool       `json:"lever_drafted,omitempty"` // and accepted, in a stream with trees
}

// saidCall is a call, or what a part adds to one.
type saidCall struct {
	Index    *int         `json:"index,omitempty"` // of a part only
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function saidFunction `json:"function"`
}

type saidFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
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
	return response{ID: newID(f.prefix), Object: object, Created: time.Now().Unix(), Model: model, Choices: []choice{}}
}

// openAI writes an answer in the words of OpenAI's API: one of its two forms.
type openAI struct {
	form
	response
	usage  bool         // the stream ends with it
	each   int          // choices for a prompt
	called map[int]bool // choices that call tools
	left   int          // choices that have not ended
	total  lever.Result
}

// newOpenAI returns a reply with one choice, until sizes says otherwise.
func newOpenAI(f form, model string, usage bool) *openAI {
	return &openAI{form: f, response: newResponse(f, f.object, model), usage: usage, each: 1, called: map[int]bool{}, left: 1}
}

// sizes sets the number of choices for each prompt, and of all.
func (o *openAI) sizes(each, all int) { o.each, o.left = each, all }

// ended adds the result of a choice to the total. A prompt counts once.
func (o *openAI) ended(choice int, r lever.Result) {
	o.left--
	if choice%o.each > 0 {
		r.PromptTokens, r.ReusedTokens = 0, 0
	}
	if o.total.Tokens == 0 && o.total.PromptTokens == 0 {
		o.total = r
	} else {
		addCounts(&o.total.Stats, r.Stats)
	}
}

func (o *openAI) kind() string { return "text/event-stream" }

func (o *openAI) event(out []byte) []byte { return appendEvent(out, "", o.response) }

func (o *openAI) whole(choices []piece) any {
	for i, p := range choices {
		o.Choices = append(o.Choices, o.choice(i, p))
		o.ended(i, *p.result)
	}
	o.Usage = newUsage(o.total)
	return o.response
}

// choice returns a whole choice.
func (o *openAI) choice(i int, p piece) choice {
	finish := finishReason(p.result.Finish, len(p.calls) > 0)
	c := choice{Index: i, FinishReason: &finish}
	if o.chat {
		c.Message, c.Logprobs = &message{said{Role: "assistant", Reasoning: p.reasoning}, &p.text}, chatLogprobs(p.logprobs)
		for _, call := range p.whole() {
			c.Message.ToolCalls = append(c.Message.ToolCalls, saidCall{ID: call.ID, Type: "function", Function: saidFunction{call.Name, string(call.Arguments)}})
		}
		if len(p.calls) > 0 && p.text == "" {
			c.Message.Content = nil
		}
	} else {
		c.Text, c.Logprobs = &p.text, completionLogprobs(p.logprobs)
	}
	return c
}

func (o *openAI) begin(out []byte, _ int) []byte {
	o.Object = o.chunk
	if !o.chat {
		return out
	}
	empty := ""
	for i := range o.left {
		o.Choices = []choice{{Index: i, Delta: &said{Role: "assistant", Content: &empty}}}
		out = o.event(out)
	}
	return out
}

func (o *openAI) part(out []byte, p piece) []byte {
	if len(p.calls) > 0 {
		o.called[p.choice] = true
	}
	o.Choices, o.Tree, o.Progress = []choice{}, p.tree, p.progress
	if p.tree == nil && p.progress == nil {
		o.Choices = append(o.Choices, o.delta(p))
	}
	out = o.event(out)
	o.Tree, o.Progress = nil, nil
	return out
}

// delta returns the choice of a part.
func (o *openAI) delta(p piece) choice {
	if !o.chat {
		return choice{Index: p.choice, Text: &p.text, Logprobs: completionLogprobs(p.logprobs)}
	}
	c := choice{Index: p.choice, Delta: &said{Reasoning: p.reasoning, Drafted: p.drafted}, Logprobs: chatLogprobs(p.logprobs)}
	if p.text != "" || p.reasoning == "" && p.calls == nil {
		c.Delta.Content = &p.text
	}
	for _, d := range p.calls {
		call := saidCall{Index: &d.Index, ID: d.ID, Function: saidFunction{d.Name, d.Arguments}}
		if d.ID != "" {
			call.Type = "function"
		}
		c.Delta.ToolCalls = append(c.Delta.ToolCalls, call)
	}
	return c
}

func (o *openAI) end(out []byte, choice int, r lever.Result) []byte {
	out = o.endChoice(out, choice, r)
	if o.ended(choice, r); o.left > 0 {
		return out
	}
	if o.usage {
		o.Choices, o.Usage = o.Choices[:0], newUsage(o.total)
		out = o.event(out)
	}
	return append(out, "data: [DONE]\n\n"...)
}

// endChoice says why a choice ended.
func (o *openAI) endChoice(out []byte, i int, r lever.Result) []byte {
	last, finish := o.delta(piece{choice: i}), finishReason(r.Finish, o.called[i])
	last.FinishReason = &finish
	if last.Delta != nil {
		last.Delta = &said{}
	}
	o.Choices = []choice{last}
	return o.event(out)
}

func (o *openAI) fail(out []byte, e *apiError) []byte { return appendEvent(out, "", openAIRefusal(e)) }

func (o *openAI) busy(out []byte) []byte { return append(out, stillAtWork...) }

// openAIRefusal returns the body that tells of an error.
func openAIRefusal(e *apiError) any { return map[string]any{"error": e} }

// finishReason returns OpenAI's word for the end of a text.
func finishReason(f spec.Finish, called bool) string {
	switch {
	case f != spec.FinishStop:
		return "length"
	case called:
		return "tool_calls"
	}
	return "stop"
}

// progress is how much of a prompt is read, in tokens, what was still held included.
type progress struct {
	Processed int `json:"processed"`
	Total     int `json:"total"`
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
