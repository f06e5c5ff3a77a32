// The tests of this file use OpenAI's own client, which alone takes longer to compile than all else: they are run with
// go test -tags openai ./server.

//go:build openai

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/server"
	"github.com/lever-go/lever/tokenizer"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const ducks = "Janet has 3 ducks. Each duck lays 4 eggs a day. How many eggs does she get in a week?"

func client(url string) openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/v1/"), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func user(text string) []openai.ChatCompletionMessageParamUnion {
	return []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}
}

func TestChat(t *testing.T) {
	engine := openEngine(t)
	c := client(start(t, server.Options{Engine: engine, APIKey: key}))
	params := openai.ChatCompletionNewParams{Model: "demo", Messages: user(ducks), MaxCompletionTokens: openai.Int(30)}
	got, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	choice := got.Choices[0]
	if got.Object != "chat.completion" || got.Model != "demo" || choice.Message.Role != "assistant" || choice.FinishReason != "length" && choice.FinishReason != "stop" {
		t.Errorf("%s", got.RawJSON())
	}
	if u := got.Usage; u.CompletionTokens < 1 || u.CompletionTokens > 30 || u.TotalTokens != u.PromptTokens+u.CompletionTokens || u.PromptTokensDetails.CachedTokens != 0 {
		t.Errorf("usage %s", u.RawJSON())
	}
	var more struct{ Speculation lever.Result }
	if err := json.Unmarshal([]byte(got.Usage.RawJSON()), &more); err != nil || more.Speculation.Passes == 0 || more.Speculation.AcceptedPerPass <= 1 {
		t.Errorf("no statistics of speculation in %s", got.Usage.RawJSON())
	}

	// The same in parts, and the prompt is still there.
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := c.Chat.Completions.NewStreaming(t.Context(), params)
	var all openai.ChatCompletionAccumulator
	parts := 0
	for ; stream.Next(); parts++ {
		if !all.AddChunk(stream.Current()) {
			t.Fatalf("part %d does not fit: %s", parts, stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if all.Choices[0].Message.Content != choice.Message.Content || all.Choices[0].FinishReason != choice.FinishReason || parts < 4 {
		t.Errorf("%d parts: %q, %s\nwant %q, %s", parts, all.Choices[0].Message.Content, all.Choices[0].FinishReason, choice.Message.Content, choice.FinishReason)
	}
	if all.Usage.CompletionTokens != got.Usage.CompletionTokens || all.Usage.PromptTokensDetails.CachedTokens != got.Usage.PromptTokens-1 {
		t.Errorf("usage %+v, want that of %s", all.Usage, got.Usage.RawJSON())
	}
}

func TestCompletions(t *testing.T) {
	engine := openEngine(t)
	c := client(start(t, server.Options{Engine: engine}))
	params := openai.CompletionNewParams{
		Model: "demo", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("def add(a, b):")}, MaxTokens: openai.Int(24),
		Logprobs: openai.Int(2),
	}
	got, err := c.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	want, err := engine.Generate(t.Context(), lever.Request{Prompt: "def add(a, b):", Raw: true, MaxTokens: 24}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := got.Choices[0].Logprobs
	if got.Choices[0].Text != want.Text || strings.Join(l.Tokens, "") != want.Text || len(l.TopLogprobs[0]) != 2 || l.TextOffset[0] != 0 {
		t.Errorf("got %s, want %q", got.RawJSON(), want.Text)
	}
	stream := c.Completions.NewStreaming(t.Context(), params)
	var text strings.Builder
	var offsets []int64
	for stream.Next() {
		text.WriteString(stream.Current().Choices[0].Text)
		offsets = append(offsets, stream.Current().Choices[0].Logprobs.TextOffset...)
	}
	if err := stream.Err(); err != nil || text.String() != want.Text || !slices.Equal(offsets, l.TextOffset) {
		t.Errorf("%v: %q at %v, want %q at %v", err, text.String(), offsets, want.Text, l.TextOffset)
	}
}

func TestSamplingStopAndSeed(t *testing.T) {
	c := client(start(t, server.Options{Engine: openEngine(t)}))
	params := openai.ChatCompletionNewParams{
		Model: "demo", Messages: user(ducks), MaxTokens: openai.Int(30), Temperature: openai.Float(1.2), TopP: openai.Float(0.95), Seed: openai.Int(7),
	}
	answer := func() string {
		t.Helper()
		got, err := c.Chat.Completions.New(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		return got.Choices[0].Message.Content
	}
	first := answer()
	if again := answer(); again != first {
		t.Errorf("with one seed %q and %q", first, again)
	}
	stop := strings.Fields(first)[2]
	params.Stop = openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{stop}}
	before, _, _ := strings.Cut(first, stop)
	if got := answer(); got != before {
		t.Errorf("stopped by %q: %q, want %q", stop, got, before)
	}
	params.Stop = openai.ChatCompletionNewParamsStopUnion{OfString: openai.String(stop)}
	if got := answer(); got != before {
		t.Errorf("stopped by %q: %q, want %q", stop, got, before)
	}
	params.Stop, params.Seed, params.Temperature = openai.ChatCompletionNewParamsStopUnion{}, openai.ChatCompletionNewParams{}.Seed, openai.Float(2)
	if answer() == answer() && answer() == first {
		t.Error("without a seed all answers are the same")
	}
}

// The log-probabilities are those of the model: a reference from its logits, summed in another way.
func TestLogprobs(t *testing.T) {
	engine := openEngine(t)
	c := client(start(t, server.Options{Engine: engine}))
	got, err := c.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
		Model: "demo", Messages: user(ducks), MaxTokens: openai.Int(12), Logprobs: openai.Bool(true), TopLogprobs: openai.Int(3),
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []float64
	var tokens []string
	_, err = engine.Generate(t.Context(), lever.Request{
		Messages: []tokenizer.Message{{Role: "user", Content: ducks}}, MaxTokens: 12,
		Logits: func(token int32, logits []float32) {
			sum := 0.0
			for _, x := range logits {
				sum += math.Exp(float64(x - logits[token]))
			}
			want, tokens = append(want, -math.Log(sum)), append(tokens, engine.Tokenizer().Token(token))
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	content := got.Choices[0].Logprobs.Content
	var text strings.Builder
	for i, token := range content {
		text.WriteString(token.Token)
		if token.Token != tokens[i] || math.Abs(token.Logprob-want[i]) > 1e-4 {
			t.Errorf("token %d: %q with %v, want %q with %v", i, token.Token, token.Logprob, tokens[i], want[i])
		}
		if len(token.TopLogprobs) != 3 || token.TopLogprobs[0].Logprob < token.Logprob || token.TopLogprobs[1].Logprob > token.TopLogprobs[0].Logprob {
			t.Errorf("token %d: %s", i, token.RawJSON())
		}
	}
	if text.String() != got.Choices[0].Message.Content {
		t.Errorf("tokens spell %q, the text is %q", text.String(), got.Choices[0].Message.Content)
	}
}

func TestResponseFormats(t *testing.T) {
	c := client(start(t, server.Options{Engine: openEngine(t)}))
	params := openai.ChatCompletionNewParams{Model: "demo", Messages: user(ducks), MaxTokens: openai.Int(300)}
	params.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "answer", Strict: openai.Bool(true), Schema: json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["eggs", "unit"],
			"properties": {"eggs": {"type": "integer"}, "unit": {"enum": ["day", "week"]}}}`),
	}}
	got, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Eggs *int64
		Unit string
	}
	if err := json.Unmarshal([]byte(got.Choices[0].Message.Content), &answer); err != nil || answer.Eggs == nil || answer.Unit != "day" && answer.Unit != "week" {
		t.Errorf("%q: %v", got.Choices[0].Message.Content, err)
	}
	params.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &openai.ResponseFormatJSONObjectParam{}}
	if got, err = c.Chat.Completions.New(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(got.Choices[0].Message.Content), &object); err != nil && got.Choices[0].FinishReason != "length" {
		t.Errorf("%q, %s: %v", got.Choices[0].Message.Content, got.Choices[0].FinishReason, err)
	}
}

// What can't be done is an error that names the field.
func TestErrors(t *testing.T) {
	url := start(t, server.Options{Engine: openEngine(t), APIKey: key, MaxBody: 10000})
	c := client(url)
	base := openai.ChatCompletionNewParams{Model: "demo", Messages: user("Hi"), MaxTokens: openai.Int(2)}
	for _, test := range []struct {
		name        string
		change      func(p *openai.ChatCompletionNewParams)
		status      int
		param, code string
	}{
		{"model", func(p *openai.ChatCompletionNewParams) { p.Model = "gpt" }, 404, "model", "model_not_found"},
		{"n", func(p *openai.ChatCompletionNewParams) { p.N = openai.Int(100) }, 400, "n", ""},
		{"no messages", func(p *openai.ChatCompletionNewParams) { p.Messages = nil }, 400, "messages", ""},
		{"temperature", func(p *openai.ChatCompletionNewParams) { p.Temperature = openai.Float(3) }, 400, "temperature", ""},
		{"penalty", func(p *openai.ChatCompletionNewParams) { p.PresencePenalty = openai.Float(3) }, 400, "presence_penalty", ""},
		{"tokens", func(p *openai.ChatCompletionNewParams) { p.MaxTokens = openai.Int(0) }, 400, "max_tokens", ""},
		{"top logprobs", func(p *openai.ChatCompletionNewParams) { p.TopLogprobs = openai.Int(2) }, 400, "top_logprobs", ""},
		{"stop", func(p *openai.ChatCompletionNewParams) {
			p.Stop = openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{""}}
		}, 400, "stop", ""},
		{"tools", func(p *openai.ChatCompletionNewParams) {
			p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: "f"})}
		}, 400, "tools", "unsupported_parameter"},
		{"image", func(p *openai.ChatCompletionNewParams) {
			p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
				openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:"})})}
		}, 400, "messages[0].content[0].type", "unsupported_value"},
		{"schema", func(p *openai.ChatCompletionNewParams) {
			p.ResponseFormat.OfJSONSchema = &openai.ResponseFormatJSONSchemaParam{JSONSchema: openai.ResponseFormatJSONSchemaJSONSchemaParam{
				Name: "x", Schema: json.RawMessage(`{"type": "array", "contains": {"const": 3}}`)}}
		}, 400, "response_format", "unsupported_value"},
		{"long prompt", func(p *openai.ChatCompletionNewParams) { p.Messages = user(strings.Repeat("word 1 ", 1200)) }, 400, "messages", "context_length_exceeded"},
		{"long body", func(p *openai.ChatCompletionNewParams) { p.Messages = user(strings.Repeat("word 1 ", 2000)) }, 413, "", "request_too_large"},
	} {
		params := base
		test.change(&params)
		_, err := c.Chat.Completions.New(t.Context(), params)
		var got *openai.Error
		if !errors.As(err, &got) || got.StatusCode != test.status || got.Param != test.param || got.Code != test.code || got.Message == "" {
			t.Errorf("%s: %v", test.name, err)
		}
		stream := c.Chat.Completions.NewStreaming(t.Context(), params)
		if stream.Next() || !errors.As(stream.Err(), &got) || got.StatusCode != test.status {
			t.Errorf("%s, streamed: %v", test.name, stream.Err())
		}
	}
	wrong := openai.NewClient(option.WithBaseURL(url+"/v1/"), option.WithAPIKey("sk-guess"), option.WithMaxRetries(0))
	var got *openai.Error
	if _, err := wrong.Models.List(t.Context()); !errors.As(err, &got) || got.StatusCode != 401 || got.Code != "invalid_api_key" {
		t.Errorf("wrong key: %v", err)
	}
	page, err := c.Models.List(t.Context())
	if err != nil || len(page.Data) != 1 || page.Data[0].ID != "demo" {
		t.Errorf("models: %v, %v", page, err)
	}
	if m, err := c.Models.Get(t.Context(), "demo"); err != nil || m.ID != "demo" {
		t.Errorf("model: %v, %v", m, err)
	}
}

// The next turn of a conversation costs only what is new in it.
func TestConversationReusesItsPrefix(t *testing.T) {
	c := client(start(t, server.Options{Engine: openEngine(t)}))
	params := openai.ChatCompletionNewParams{Model: "demo", Messages: user(ducks), MaxTokens: openai.Int(20)}
	first, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	params.Messages = append(params.Messages, openai.AssistantMessage(first.Choices[0].Message.Content), openai.UserMessage("And in a year?"))
	second, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if cached := second.Usage.PromptTokensDetails.CachedTokens; cached < first.Usage.PromptTokens-1 {
		t.Errorf("%d tokens were used again of %d in the first turn", cached, first.Usage.PromptTokens)
	}
}

// What comes when the queue is full is sent away with the time to come back; what waits is answered in the order of arrival; and a
// client that leaves ends its work.
func TestQueue(t *testing.T) {
	engine := &slowEngine{Engine: openEngine(t), started: make(chan string, 8), finish: make(chan struct{})}
	url := start(t, server.Options{Engine: engine, Waiting: 1})
	c := client(url)
	ask := func(ctx context.Context, text string) error {
		_, err := c.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "demo", Messages: user(text), MaxTokens: openai.Int(2)})
		return err
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	leaving, leave := context.WithCancel(t.Context())
	wait.Go(func() {
		if err := ask(leaving, "first"); !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
	})
	<-engine.started
	wait.Go(func() {
		if err := ask(t.Context(), "second"); err != nil {
			t.Errorf("second: %v", err)
		}
	})
	until(t, "the second request waits", func() bool { return strings.Contains(fetch(t, url+"/metrics"), "\nlever_requests_waiting 1\n") })
	var full *openai.Error
	if err := ask(t.Context(), "third"); !errors.As(err, &full) || full.StatusCode != 429 || full.Code != "queue_full" || full.Response.Header.Get("Retry-After") == "" {
		t.Errorf("third: %v", err)
	}
	leave()
	if got := <-engine.started; got != "second" {
		t.Errorf("after the first came %q", got)
	}
	close(engine.finish)
	until(t, "all are answered", func() bool { return strings.Contains(fetch(t, url+"/metrics"), "\nlever_requests_open 0\n") })
}
