package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
)

// completion is what these tests look at of an answer, or of all parts of a stream.
type completion struct {
	texts    []string
	finish   []string
	logprobs []completionLogprobs
	usage    struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
}

type completionLogprobs struct {
	Tokens        []string
	TokenLogprobs []*float32 `json:"token_logprobs"`
	TextOffset    []int      `json:"text_offset"`
}

// complete asks for choices.
func complete(t *testing.T, url, path, body string) (all completion) {
	t.Helper()
	status, answer := post(t, url+path, "application/json", body, nil)
	if status != http.StatusOK {
		t.Fatalf("%s: %s", body, answer)
	}
	lines := bufio.NewScanner(strings.NewReader(answer))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var part struct {
			Choices []struct {
				Index          int
				Text           string
				Message, Delta struct{ Content string }
				Logprobs       *completionLogprobs
				FinishReason   *string `json:"finish_reason"`
			}
			Usage any
		}
		part.Usage = &all.usage
		if err := json.Unmarshal([]byte(line), &part); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, c := range part.Choices {
			for len(all.texts) <= c.Index {
				all.texts, all.finish, all.logprobs = append(all.texts, ""), append(all.finish, ""), append(all.logprobs, completionLogprobs{})
			}
			all.texts[c.Index] += c.Text + c.Message.Content + c.Delta.Content
			if c.FinishReason != nil {
				all.finish[c.Index] += *c.FinishReason
			}
			if l := c.Logprobs; l != nil {
				to := &all.logprobs[c.Index]
				to.Tokens, to.TokenLogprobs, to.TextOffset = append(to.Tokens, l.Tokens...), append(to.TokenLogprobs, l.TokenLogprobs...), append(to.TextOffset, l.TextOffset...)
			}
		}
	}
	return all
}

// Each choice of a request is what its prompt and its seed get alone, streamed or not, however many are generated at once. Those for one prompt
// share it.
func TestChoices(t *testing.T) {
	prompts := []string{"Once upon a time there was a small boat that went out to sea every morning and", "def add(a, b):"}
	for _, parallel := range []int{1, 3} {
		engine, err := lever.Open(t.Context(), lever.Config{Model: models.Target, Draft: models.Draft, Parallel: parallel})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		url := start(t, server.Options{Engine: engine})
		const sampled = `"temperature": 1.1, "max_tokens": 9`
		var want []string
		tokens := 0
		for _, p := range prompts {
			for seed := range 3 {
				alone := complete(t, url, "/v1/completions", fmt.Sprintf(`{"prompt": %q, "seed": %d, %s}`, p, 40+seed, sampled))
				want = append(want, alone.texts[0])
				if seed == 0 {
					tokens += alone.usage.Prompt
				}
			}
		}
		if want[0] == want[1] || want[1] == want[2] {
			t.Errorf("seeds make no difference: %q", want)
		}
		for _, stream := range []string{"", `, "stream": true, "stream_options": {"include_usage": true}`} {
			got := complete(t, url, "/v1/completions", fmt.Sprintf(`{"prompt": [%q, %q], "n": 3, "seed": 40, %s%s}`, prompts[0], prompts[1], sampled, stream))
			if !slices.Equal(got.texts, want) || got.usage.Prompt != tokens || got.usage.Completion > 6*9 || got.usage.Completion < 6 {
				t.Errorf("%d at once: %q, want %q; %+v, want %d", parallel, got.texts, want, got.usage, tokens)
			}
			for _, finish := range got.finish {
				if finish != "length" && finish != "stop" {
					t.Errorf("choices ended by %q", got.finish)
				}
			}
			chat := complete(t, url, "/v1/chat/completions", `{"messages": [{"role": "user", "content": "Why?"}], "n": 2, "seed": 7, "temperature": 1, "max_tokens": 5`+stream+`}`)
			if len(chat.texts) != 2 || chat.texts[0] == chat.texts[1] || chat.finish[1] == "" {
				t.Errorf("%d at once: in a conversation %+v", parallel, chat)
			}
		}
		again := complete(t, url, "/v1/completions", `{"prompt": "In the beginning there was a long sentence about ships, stones, the wide sea and grey birds.", "n": 4, "temperature": 1, "max_tokens": 3}`)
		reused := regexp.MustCompile(`lever_reused_tokens_total (\d+)`).FindStringSubmatch(fetch(t, url+"/metrics"))[1]
		var before int
		if fmt.Sscan(reused, &before); before < 3*(again.usage.Prompt-1) {
			t.Errorf("%d at once: %d tokens of prompts were used again", parallel, before)
		}
	}
}

// Choices that wait for the prompt of another one have no turn meanwhile: those of other requests need not wait for them.
func TestChoicesWaitWithoutATurn(t *testing.T) {
	engine := &promptEngine{Engine: openParallel(t, 3), began: make(chan string), finish: make(chan struct{})} // two turns for large requests, as these are
	url := start(t, server.Options{Engine: engine})
	common := strings.Repeat("The sea is wide and the stones are grey. ", 4)
	var group sync.WaitGroup
	ask := func(prompts string) {
		group.Go(func() {
			if got := complete(t, url, "/v1/completions", `{"prompt": `+prompts+`, "n": 2, "max_tokens": 2}`); slices.Contains(got.texts, "") {
				t.Errorf("%s: %q", prompts, got.texts)
			}
		})
	}
	ask(fmt.Sprintf("[%q, %q]", common, common+"Birds sing."))
	if got := <-engine.began; got != common {
		t.Errorf("%q began", got)
	}
	ask(`"Tom has 3 apples, Janet has 4 ducks, and neither of them wants to give away what the other one has."`)
	if got := <-engine.began; !strings.HasPrefix(got, "Tom") {
		t.Errorf("%q began while its beginning was taken in", got)
	}
	close(engine.finish)
	for range 4 {
		<-engine.began
	}
	group.Wait()
}

// promptEngine tells of prompts before it takes them in, for which it waits.
type promptEngine struct {
	server.Engine
	began  chan string
	finish chan struct{}
}

func (e *promptEngine) Generate(ctx context.Context, req lever.Request, emit func(string) error) (lever.Result, error) {
	e.began <- req.Prompt
	<-e.finish
	return e.Engine.Generate(ctx, req, emit)
}

// Tokens can be a prompt, and an echo has the prompt's text and log-probabilities, which are those that the model gave when it wrote the same tokens.
func TestEcho(t *testing.T) {
	engine := openEngine(t)
	url := start(t, server.Options{Engine: engine})
	const prompt = "Janet has 3 ducks."
	ids, err := engine.Encode(t.Context(), lever.Request{Prompt: prompt, Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	result, err := engine.Generate(t.Context(), lever.Request{Tokens: ids, MaxTokens: 7}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := complete(t, url, "/v1/completions", `{"prompt": "`+prompt+`", "max_tokens": 7, "logprobs": 1}`)
	list, _ := json.Marshal(ids)
	for _, stream := range []string{"", `, "stream": true`} {
		if got := complete(t, url, "/v1/completions", fmt.Sprintf(`{"prompt": %s, "max_tokens": 7, "echo": true%s}`, list, stream)); got.texts[0] != prompt+result.Text || text.texts[0] != result.Text {
			t.Errorf("%q and %q, want %q", got.texts[0], text.texts[0], result.Text)
		}
		// With no text to follow, it is the prompt alone.
		scoredAlone := complete(t, url, "/v1/completions", fmt.Sprintf(`{"prompt": %s, "max_tokens": 0, "echo": true, "logprobs": 1%s}`, list, stream))
		if scoredAlone.texts[0] != prompt || len(scoredAlone.logprobs[0].Tokens) != len(ids) || scoredAlone.finish[0] != "length" || stream == "" && (scoredAlone.usage.Completion != 0 || scoredAlone.usage.Prompt != len(ids)) {
			t.Errorf("%+v", scoredAlone)
		}
		if _, answer := post(t, url+"/v1/completions", "application/json", fmt.Sprintf(`{"prompt": %s, "max_tokens": 0, "echo": true}`, list), nil); !strings.Contains(answer, `"tokens_per_second":0,`) {
			t.Errorf("no tokens at a rate: %s", answer)
		}
		written, _ := json.Marshal(slices.Concat(ids, result.TokenIDs))
		scored := complete(t, url, "/v1/completions", fmt.Sprintf(`{"prompt": [%s], "max_tokens": 1, "echo": true, "logprobs": 1%s}`, written, stream)).logprobs[0]
		if n := len(ids) + len(result.TokenIDs); len(scored.Tokens) < n || scored.TokenLogprobs[0] != nil {
			t.Fatalf("%d tokens of %d, the first with %v", len(scored.Tokens), n, scored.TokenLogprobs)
		}
		alone := text.logprobs[0]
		for i := range alone.Tokens {
			at := len(ids) + i
			if scored.Tokens[at] != alone.Tokens[i] || *scored.TokenLogprobs[at] != *alone.TokenLogprobs[i] || scored.TextOffset[at] != len(prompt)+alone.TextOffset[i] {
				t.Errorf("token %d: %q has %v at %d, and %q %v at %d when it was written", i, scored.Tokens[at], *scored.TokenLogprobs[at], scored.TextOffset[at], alone.Tokens[i], *alone.TokenLogprobs[i], alone.TextOffset[i])
			}
		}
	}
}

// A stream tells how much of its prompt is read, if it is asked to, and ends with all of it.
func TestProgressOfThePrompt(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	body := `{"prompt": "` + strings.Repeat("One more word. ", 60) + `", "max_tokens": 1, "stream": true, "stream_options": {"include_usage": true}, "return_progress": true}`
	status, answer := post(t, url+"/v1/completions", "application/json", body, nil)
	found := regexp.MustCompile(`"choices":\[\],"usage":null,"prompt_progress":\{"processed":(\d+),"total":(\d+)\}`).FindAllStringSubmatch(answer, -1)
	if status != http.StatusOK || len(found) == 0 {
		t.Fatalf("%d: %s", status, answer)
	}
	if last := found[len(found)-1]; last[1] != last[2] || !strings.Contains(answer, `"prompt_tokens":`+last[2]+`,`) {
		t.Errorf("of %s tokens, %s are read at last: %s", last[2], last[1], answer)
	}
	if status, answer := post(t, url+"/v1/completions", "application/json", `{"prompt": "a", "return_progress": true}`, nil); status != http.StatusBadRequest {
		t.Errorf("without a stream: %d: %s", status, answer)
	}
}

// A last message of the assistant is gone on with, as if it had been generated just now.
func TestContinuing(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t)})
	const question = `{"role": "user", "content": "Tom has 3 apples."}`
	for _, c := range []struct{ path, more, tokens, begin, end string }{
		{"/v1/chat/completions", `, "continue_final_message": true, "add_generation_prompt": false`, `"max_tokens": %d`, `"content":"`, `"},"logprobs"`},
		{"/v1/messages", "", `"max_tokens": %d`, `"text":"`, `"}]`},
		{"/api/chat", "", `"stream": false, "options": {"num_predict": %d}`, `"content":"`, `"},"done"`},
	} {
		ask := func(tokens int, messages, more string) string {
			t.Helper()
			status, body := post(t, url+c.path, "application/json", `{"messages": [`+messages+`], `+fmt.Sprintf(c.tokens, tokens)+more+`}`, nil)
			_, text, begins := strings.Cut(body, c.begin)
			text, _, ends := strings.Cut(text, c.end)
			if status != 200 || !begins || !ends {
				t.Fatalf("%s: %d %s", c.path, status, body)
			}
			return text
		}
		whole, begun := ask(12, question, ""), ask(6, question, "")
		if rest := ask(6, question+`, {"role": "assistant", "content": "`+begun+`"}`, c.more); begun+rest != whole || rest == "" {
			t.Errorf("%s: %q goes on with %q, want %q", c.path, begun, rest, whole)
		}
	}
	for fields, param := range map[string]string{
		`"continue_final_message": true, "messages": [` + question + `]`:                                                                       "continue_final_message",
		`"continue_final_message": true, "add_generation_prompt": true, "messages": [` + question + `, {"role": "assistant", "content": "A"}]`: "add_generation_prompt",
		`"add_generation_prompt": false, "messages": [` + question + `]`:                                                                       "add_generation_prompt",
	} {
		if status, body := post(t, url+"/v1/chat/completions", "application/json", "{"+fields+"}", nil); status != 400 || !strings.Contains(body, `"param":"`+param+`"`) {
			t.Errorf("%s: %d %s", fields, status, body)
		}
	}
}
