package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/toolcall"
)

// Thoughts, text and calls come in each API's words, in order, and once.
func TestReplies(t *testing.T) {
	pieces := []piece{
		{reasoning: "Hm. "}, {reasoning: "Rome?"}, {text: "One "}, {text: "moment."},
		{calls: []toolcall.Delta{{ID: "a1", Name: "get_weather"}}}, {calls: []toolcall.Delta{{Arguments: `{"city": `}}}, {calls: []toolcall.Delta{{Arguments: `"Rome"}`}}},
		{calls: []toolcall.Delta{{Index: 1, ID: "b2", Name: "get_time"}, {Index: 1, Arguments: `{}`}}},
	}
	r := lever.Result{Finish: spec.FinishStop}
	r.Tokens, r.PromptTokens = 9, 7
	for name, c := range map[string]struct {
		reply reply
		want  []string // in this order, in the stream
		whole []string
	}{
		"openai": {newOpenAI(chatForm, "demo", false), []string{
			`"role":"assistant"`, `"reasoning_content":"Hm. "`, `"content":"One "`, `"tool_calls":[{"index":0,"id":"a1","type":"function","function":{"name":"get_weather","arguments":""}}]`,
			`{"index":0,"function":{"arguments":"{\"city\": "}}`, `"index":1,"id":"b2"`, `"finish_reason":"tool_calls"`, "[DONE]",
		}, []string{`"content":"One moment."`, `"reasoning_content":"Hm. Rome?"`, `{"id":"a1","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Rome\"}"}}`}},
		"anthropic": {&anthropic{model: "demo"}, []string{
			"event: message_start", `"input_tokens":7`, `"content_block":{"type":"thinking","thinking":"","signature":""},"index":0`, `"thinking_delta"`, `"content_block_stop"`,
			`"content_block":{"type":"text","text":""},"index":1`, `"text_delta"`, `{"type":"tool_use","id":"a1","name":"get_weather","input":{}},"index":2`, `"input_json_delta"`,
			`"id":"b2","name":"get_time","input":{}},"index":3`, `"stop_reason":"tool_use"`, "event: message_stop",
		}, []string{`{"type":"thinking","thinking":"Hm. Rome?","signature":""},{"type":"text","text":"One moment."},{"type":"tool_use","id":"a1","name":"get_weather","input":{"city":"Rome"}}`, `"output_tokens":9`}},
		"responses": {&responses{model: "demo", id: "resp_1"}, []string{
			"event: response.created", `"type":"reasoning"`, "event: response.reasoning_text.delta", "event: response.output_item.done", "event: response.content_part.added", `"delta":"One "`,
			`"text":"One moment."`, `"call_id":"a1","name":"get_weather","arguments":""`, "event: response.function_call_arguments.delta", `"arguments":"{\"city\": \"Rome\"}","item_id"`,
			"event: response.completed", `"output_tokens":9`,
		}, []string{`"text":"One moment."`, `"arguments":"{\"city\": \"Rome\"}"`, `"status":"completed"`}},
		"ollama": {&ollama{model: "demo", chat: true}, []string{
			`"thinking":"Hm. "`, `"content":"One "`, `"tool_calls":[{"function":{"name":"get_weather","arguments":{"city":"Rome"}}},{"function":{"name":"get_time","arguments":{}}}]`, `"done":true`, `"done_reason":"stop"`,
		}, []string{`"content":"One moment.","thinking":"Hm. Rome?","tool_calls":[{"function":{"name":"get_weather"`, `"eval_count":9`}},
	} {
		var all piece
		out := c.reply.begin(nil, 7)
		for _, p := range pieces {
			all.add(p)
			out = c.reply.part(out, p)
		}
		rest := string(c.reply.end(out, 0, r))
		for _, want := range c.want {
			before, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("%s: no %s in %s", name, want, rest)
				continue
			}
			if strings.HasPrefix(want, `"index":1,"id":`) && strings.Contains(before+after, want) {
				t.Errorf("%s: %s comes twice", name, want)
			}
			rest = after
		}
		all.result = &r
		body, err := json.Marshal(c.reply.whole([]piece{all}))
		for _, want := range c.whole {
			if err != nil || !strings.Contains(string(body), want) {
				t.Errorf("%s: %v, no %s in %s", name, err, want, body)
			}
		}
		if failed := string(c.reply.fail(nil, invalid("", "", "so it is"))); !strings.Contains(failed, `"so it is"`) {
			t.Errorf("%s: %s", name, failed)
		}
	}
}

// An item in which an answer of the Responses API was cut is incomplete, as the answer is.
func TestCutResponses(t *testing.T) {
	r := lever.Result{Finish: spec.FinishLength}
	whole, err := json.Marshal((&responses{}).whole([]piece{{text: "One", result: &r}}))
	a := &responses{}
	streamed := a.end(a.part(nil, piece{text: "One"}), 0, r)
	for _, body := range []string{string(whole), string(streamed)} {
		if err != nil || !strings.Contains(body, `"status":"incomplete","role":"assistant"`) || strings.Contains(body, `"completed"`) || !strings.Contains(body, `"reason":"max_output_tokens"`) {
			t.Errorf("%v, %s", err, body)
		}
	}
}

// A client looks for content, which is null, where a whole answer has calls alone.
func TestContentBesideCalls(t *testing.T) {
	r := lever.Result{Finish: spec.FinishStop}
	body, err := json.Marshal(newOpenAI(chatForm, "demo", false).whole([]piece{{calls: []toolcall.Delta{{ID: "a1", Name: "f"}, {Arguments: "{}"}}, result: &r}}))
	if err != nil || !strings.Contains(string(body), `"content":null`) {
		t.Errorf("%v, %s", err, body)
	}
}
