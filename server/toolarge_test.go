package server_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/server"
)

// tooLargeLater is a schema of which it shows only in the middle of the text that it is too large to follow.
func tooLargeLater() string {
	var all []string
	for i := range 800 {
		all = append(all, fmt.Sprintf(`{"type": "string", "pattern": "^[^%c]*[^b]*%d$"}`, 'c'+i%20, i))
	}
	return `{"type": "object", "required": ["greeting", "b"], "properties": {"greeting": {"const": "hello, this is a long text"}, "b": {"anyOf": [` + strings.Join(all, ", ") + `]}}}`
}

// An answer that can't go on as its schema wants ends with an error that names the field, and a stream with that and without [DONE].
func TestSchemaIsTooLargeInTheMiddle(t *testing.T) {
	engine := openEngine(t)
	url := start(t, server.Options{Engine: engine})
	for field, at := range map[string]string{
		`"response_format": {"type": "json_schema", "json_schema": {"schema": %s}}`: "response_format", `"guided_json": %s`: "guided_json",
	} {
		for _, streamed := range []bool{false, true} {
			body := fmt.Sprintf(`{"stream": %v, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}], `+field+`}`, streamed, tooLargeLater())
			status, got := post(t, url+"/v1/chat/completions", "application/json", body, nil)
			said := fmt.Sprintf(`"message":"%s: schema is too large, which showed after `, at)
			if !strings.Contains(got, said) || !strings.Contains(got, fmt.Sprintf(`"param":%q,"code":"unsupported_value"`, at)) {
				t.Errorf("%s: %.2000s", at, got)
			}
			switch {
			case !streamed && status != http.StatusBadRequest:
				t.Errorf("%s: status %d", at, status)
			case streamed && (status != http.StatusOK || !strings.Contains(got, "hello, this is") || strings.Contains(got, "[DONE]") || strings.Contains(got, `"finish_reason":"`)):
				t.Errorf("%s: %d %.2000s", at, status, got)
			}
		}
	}
	if _, got := post(t, url+"/v1/chat/completions", "application/json", `{"max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]}`, nil); !strings.Contains(got, `"finish_reason":"`) {
		t.Errorf("the next request: %s", got)
	}
}

// The engine tells the same by an error that programs can test, and keeps the text so far.
func TestGenerateSchemaTooLargeInTheMiddle(t *testing.T) {
	engine := openEngine(t)
	v, err := engine.Vocabulary()
	if err != nil {
		t.Fatal(err)
	}
	g, err := v.JSONSchema(t.Context(), []byte(tooLargeLater()))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	result, err := engine.Generate(t.Context(), lever.Request{Prompt: "hi", Grammar: g, MaxTokens: 200}, func(piece string) error {
		text.WriteString(piece)
		return nil
	})
	if !errors.Is(err, grammar.ErrTooLarge) || !strings.HasPrefix(text.String(), `{"greeting": "hello, this is a long text"`) || result.Tokens == 0 {
		t.Errorf("%v after %q, %d tokens", err, text.String(), result.Tokens)
	}
}
