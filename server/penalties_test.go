package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

// In each API penalties and biases give the text that plain decoding with them gives, and another one than without.
func TestPenaltiesInEachAPI(t *testing.T) {
	engine := openEngine(t)
	url := start(t, server.Options{Engine: engine})
	const prompt = "The sea, the sea, the sea"
	text := func(req lever.Request) string {
		t.Helper()
		req.MaxTokens, req.Policy = 24, spec.None{}
		result, err := engine.Generate(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		return result.Text
	}
	raw, asked := lever.Request{Prompt: prompt, Raw: true}, lever.Request{Prompt: prompt}
	for _, c := range []struct {
		path, body string
		base       lever.Request
		penalties  sampling.Penalties
	}{
		{"/v1/completions", `"prompt": %q, "max_tokens": 24, "presence_penalty": 1.5, "frequency_penalty": 0.5`, raw, sampling.Penalties{Presence: 1.5, Frequency: 0.5}},
		{"/v1/completions", `"prompt": %q, "max_tokens": 24, "logit_bias": {"300": 8}`, raw, sampling.Penalties{Bias: map[int32]float32{300: 8}}},
		{"/v1/completions", `"prompt": %q, "max_tokens": 24, "repeat_penalty": 1.4, "repeat_last_n": 12`, raw, sampling.Penalties{Repetition: 1.4, Last: 12}},
		{"/v1/completions", `"prompt": %q, "max_tokens": 24, "repeat_penalty": 1.4, "repeat_last_n": 0`, raw, sampling.Penalties{}},
		{"/v1/chat/completions", `"messages": [{"role": "user", "content": %q}], "max_tokens": 24, "frequency_penalty": 2`, asked, sampling.Penalties{Frequency: 2}},
		{"/api/generate", `"prompt": %q, "stream": false, "options": {"num_predict": 24, "repeat_penalty": 1.4}`, asked, sampling.Penalties{Repetition: 1.4, Last: 64}},
	} {
		plain := c.base
		c.base.Penalties = c.penalties
		want := text(c.base)
		if changed := want != text(plain); changed == (c.penalties.Repetition+c.penalties.Frequency == 0 && c.penalties.Bias == nil) {
			t.Errorf("%s: changed %v", c.body, changed)
		}
		status, answer := post(t, url+c.path, "application/json", "{"+fmt.Sprintf(c.body, prompt)+"}", nil)
		if quoted := strings.Trim(fmt.Sprintf("%q", want), `"`); status != http.StatusOK || !strings.Contains(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(answer), quoted) {
			t.Errorf("%s %s: no %s in %s", c.path, c.body, quoted, answer)
		}
	}
}
