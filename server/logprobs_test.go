package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lever-go/lever/server"
)

// Log-probabilities are those of the text's tokens, whatever stop string ends it where, streamed or not: together the tokens spell the text.
func TestLogprobsEndWhereTheTextEnds(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	whole := answerWithLogprobs(t, url, "", false)
	if len(whole.text) < 40 || whole.tokens != whole.text {
		t.Fatalf("without a stop string: tokens spell %q, the text is %q", whole.tokens, whole.text)
	}
	stops := map[string]bool{"\n": true}
	for i := 2; i < 40; i += 12 {
		stops[whole.text[i:i+1]], stops[whole.text[i:i+3]], stops[whole.text[i:i+2]+"#"] = true, true, true
	}
	cut := 0
	for stop := range stops {
		before, _, found := strings.Cut(whole.text, stop)
		if found {
			cut++
		}
		for _, stream := range []bool{false, true} {
			if got := answerWithLogprobs(t, url, stop, stream); got.text != before || got.tokens != before {
				t.Errorf("stop %q, stream %v: tokens spell %q, the text is %q, want %q", stop, stream, got.tokens, got.text, before)
			}
		}
	}
	if cut < 6 {
		t.Errorf("only %d stop strings were met", cut)
	}
}

type spelled struct{ text, tokens string }

func answerWithLogprobs(t *testing.T, url, stop string, stream bool) (all spelled) {
	t.Helper()
	body := fmt.Sprintf(`{"prompt": "Janet has 3 ducks.", "max_tokens": 24, "logprobs": 0, "stream": %v`, stream)
	if stop != "" {
		body += fmt.Sprintf(`, "stop": %q`, stop)
	}
	status, answer := post(t, url+"/v1/completions", "application/json", body+"}", nil)
	if status != http.StatusOK {
		t.Fatal(answer)
	}
	lines := bufio.NewScanner(strings.NewReader(answer))
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var part struct {
			Choices []struct {
				Text     string
				Logprobs *struct {
					Tokens     []string
					TextOffset []int `json:"text_offset"`
				}
			}
		}
		if err := json.Unmarshal([]byte(line), &part); err != nil {
			t.Fatal(err)
		}
		for _, c := range part.Choices {
			all.text += c.Text
			if c.Logprobs == nil {
				continue
			}
			for i, token := range c.Logprobs.Tokens {
				if offset := c.Logprobs.TextOffset[i]; offset != len([]rune(all.tokens)) {
					t.Errorf("stop %q: %q is at %d, want %d", stop, token, offset, len([]rune(all.tokens)))
				}
				all.tokens += token
			}
		}
	}
	return all
}
