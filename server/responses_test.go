package server_test

import (
	"strings"
	"testing"

	"github.com/lever-go/lever/server"
)

// An answer of the Responses API repeats what was asked for, unless that is long.
func TestResponsesRepeatTheRequest(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)}) + "/v1/responses"
	long := strings.Repeat("a", 9000)
	status, body := post(t, url, "application/json", `{"input": "2 + 2 is", "max_output_tokens": 3, "temperature": 0, "tool_choice": "none", "metadata": {"of": "mine"}, "reasoning": {"summary": "`+long+`"}}`, nil)
	for _, want := range []string{`"max_output_tokens":3`, `"temperature":0`, `"tool_choice":"none"`, `"metadata":{"of": "mine"}`} {
		if status != 200 || !strings.Contains(strings.ReplaceAll(body, `"of":"mine"`, `"of": "mine"`), want) {
			t.Errorf("%d, no %s in %s", status, want, body)
		}
	}
	if strings.Contains(body, long) {
		t.Error("a long field is repeated")
	}
}
