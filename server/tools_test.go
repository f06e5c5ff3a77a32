package server_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
)

// toolTemplate is a chat template for the demo models that knows calls.
const toolTemplate = `{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{% if loop.first and tools %}{% for t in tools %}{{ t | tojson }}
{% endfor %}{% endif %}{{ m.content }}{% for c in m.tool_calls %}{% if not loop.first or m.content %}{{ '\n' }}{% endif %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`

func openCaller(t testing.TB) *lever.Engine {
	t.Helper()
	engine, err := lever.Open(t.Context(), lever.Config{Model: models.Target, Draft: models.Draft, ChatTemplate: toolTemplate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

const weatherTools = `"tools": [{"type": "function", "function": {"name": "get_weather", "description": "Today's weather.", "strict": true, "parameters":
	{"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}, "required": ["city", "days"], "additionalProperties": false}}},
	{"type": "function", "function": {"name": "get_time"}}]`

// message is an assistant's message, or what a part adds to one.
type message struct {
	Content   *string
	ToolCalls []struct {
		Index    int
		ID, Type string
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

type answer struct {
	Choices []struct {
		Message, Delta message
		FinishReason   string `json:"finish_reason"`
	}
}

func TestTools(t *testing.T) {
	url := start(t, server.Options{Engine: openCaller(t)}) + "/v1/chat/completions"
	ask := func(body string) (a answer) {
		t.Helper()
		status, got := post(t, url, "application/json", `{"messages": [{"role": "user", "content": "How warm is it in Rome?"}`+body, nil)
		if err := json.Unmarshal([]byte(got), &a); err != nil || status != 200 {
			t.Fatalf("%s: %d %s, %v", body, status, got, err)
		}
		return a
	}
	got := ask(`], "max_tokens": 100, "tool_choice": {"type": "function", "function": {"name": "get_weather"}}, "parallel_tool_calls": false, ` + weatherTools + "}")
	said := got.Choices[0]
	if said.FinishReason != "tool_calls" || said.Message.Content != nil || len(said.Message.ToolCalls) != 1 {
		t.Fatalf("%+v", said)
	}
	call := said.Message.ToolCalls[0]
	var arguments struct {
		City string
		Days int
	}
	if err := json.Unmarshal([]byte(call.Function.Arguments), &arguments); err != nil || call.Function.Name != "get_weather" || call.Type != "function" || call.ID == "" || arguments.Days < 1 {
		t.Errorf("%+v: %v", call, err)
	}

	// The same in parts.
	_, events := post(t, url, "application/json", `{"messages": [{"role": "user", "content": "How warm is it in Rome?"}], "stream": true, "max_tokens": 100, "parallel_tool_calls": false,
		"tool_choice": {"type": "function", "function": {"name": "get_weather"}}, `+weatherTools+"}", nil)
	var streamed, finish string
	ids := 0
	for lines := bufio.NewScanner(strings.NewReader(events)); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var part answer
		if err := json.Unmarshal([]byte(data), &part); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for _, c := range part.Choices[0].Delta.ToolCalls {
			streamed += c.Function.Name + c.Function.Arguments
			if c.ID != "" {
				ids++
			}
		}
		finish += part.Choices[0].FinishReason
	}
	if streamed != "get_weather"+call.Function.Arguments || finish != "tool_calls" || ids != 1 {
		t.Errorf("streamed %q with %d ids, %s\nwant %q", streamed, ids, finish, call.Function.Arguments)
	}

	// A call and its result in a conversation.
	history := `, {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Rome\"}"}}]},
		{"role": "tool", "tool_call_id": "call_1", "content": "20 degrees"}]`
	if got := ask(history + `, "max_tokens": 8, "tool_choice": "none", ` + weatherTools + "}"); got.Choices[0].Message.Content == nil || *got.Choices[0].Message.Content == "" {
		t.Errorf("%+v", got)
	}
	ask(history + `, "max_tokens": 8, ` + weatherTools + "}")
}

func TestToolsThatAreRefused(t *testing.T) {
	plain, caller := start(t, server.Options{Engine: openEngine(t)}), start(t, server.Options{Engine: openCaller(t)})
	for _, c := range []struct{ url, fields, param, want string }{
		{plain, weatherTools, "tools", "this model can't call tools"},
		{caller, `"tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object", "properties": {"a": {"contains": {"const": 1}}}, "required": ["a"]}}}]`, "tools", "contains"},
		{caller, `"tools": [{"type": "function", "function": {"name": "a b"}}]`, "tools", "letters"},
		{caller, `"tool_choice": "required"`, "tool_choice", "no tools"},
		{caller, `"tool_choice": {"type": "function", "function": {"name": "other"}}, ` + weatherTools, "tool_choice", "other"},
	} {
		status, body := post(t, c.url+"/v1/chat/completions", "application/json", `{"messages": [{"role": "user", "content": "Hi"}], `+c.fields+"}", nil)
		if status != 400 || !strings.Contains(body, `"param":"`+c.param+`"`) || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.fields, status, body)
		}
	}
}

// Clients for Node do what they are for: LEVER_NODE_CLIENTS is a folder in which npm has installed what testdata/clients/package.json lists.
func TestClientsForNode(t *testing.T) {
	clients, node := os.Getenv("LEVER_NODE_CLIENTS"), ""
	if clients == "" {
		t.Skip("LEVER_NODE_CLIENTS names no folder with clients")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip(err)
	}
	scripts, err := filepath.Glob("testdata/clients/*.mjs")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(clients, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	url := start(t, server.Options{Engine: openCaller(t), APIKey: key})
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			source, err := os.ReadFile(script)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.Base(script))
			if err := os.WriteFile(path, source, 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), node, path, url, key).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

func TestTokens(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	ask := func(path, body string, status int) string {
		t.Helper()
		got, answer := post(t, url+path, "application/json", body, nil)
		if got != status {
			t.Errorf("%s %s: %d %s", path, body, got, answer)
		}
		return strings.TrimSpace(answer)
	}
	tokens := ask("/tokenize", `{"content": "Janet has 3 ducks.<|eot_id|>", "add_special": true}`, 200)
	if text := ask("/detokenize", tokens, 200); text != `{"content":"\u003c|begin_of_text|\u003eJanet has 3 ducks.\u003c|eot_id|\u003e"}` {
		t.Errorf("%s: %s", tokens, text)
	}
	if pieces := ask("/tokenize", `{"content": "a", "with_pieces": true}`, 200); !strings.Contains(pieces, `"piece":"a"`) {
		t.Error(pieces)
	}
	ask("/tokenize", `{"content": 3}`, 400)
	ask("/detokenize", `{"tokens": [-1]}`, 400)
	ask("/detokenize", `{"tokens": [99999999]}`, 400)
	if got := ask("/tokenize", `{"content": ""}`, 200); got != `{"tokens":[]}` {
		t.Error(got)
	}
}
