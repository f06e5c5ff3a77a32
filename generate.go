package lever

import (
	"context"
	"fmt"
	"time"

	"github.com/lever-go/lever/grammar"
	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/toolcall"
	"github.com/lever-go/lever/weights"
)

// Request is one generation.
type Request struct {
	// Prompt is a user's message; the model's chat template is put around it. With Raw it is text that the model continues, after its
	// beginning-of-text token where its files ask for one.
	Prompt string
	Raw    bool
	// Messages is a conversation; it is used instead of Prompt when it is not empty.
	Messages []tokenizer.Message
	// Continue lets the answer go on from the last of Messages, which is the assistant's.
	Continue bool
	// Tokens is a prompt that is encoded already, by [Engine.Prepare] for instance. Unless it is empty, it is used instead of Prompt and Messages.
	Tokens []int32
	// NoThinking asks a model that can think before it answers not to.
	NoThinking bool

	MaxTokens int // of the answer; if it is 0, the answer ends when the model stops or the context is full
	Sampling  sampling.Options
	// Penalties make tokens likelier, or less so, by the text so far.
	Penalties sampling.Penalties
	// StopStrings end the text before them. One that is the text of a control token, which the text leaves out, means that token.
	StopStrings []string
	// Grammar restricts the text, to JSON for instance; [Engine.Vocabulary] makes one. Without it any text may come. A thinking model does not
	// think then: the grammar begins with the answer.
	Grammar *grammar.Grammar
	// Tools are functions that the model may ask for, as ToolChoice says: calls are in the Result, with arguments that satisfy the tools' schemas, and not
	// in the text. They can't stand beside Grammar. The results go into Messages with the next request; [Engine.Converse] does all that. With a model whose
	// chat template knows no calls the error wraps [toolcall.ErrUnsupported].
	Tools      []toolcall.Tool
	ToolChoice toolcall.Choice
	// Calls is what [Engine.ToolGrammar] made of Tools and ToolChoice, for those who ask for the same tools again and again. If it is nil, Generate makes it.
	Calls *toolcall.Grammar

	// Policy decides what is drafted. While another generation that was given the same one is under way, the error wraps [spec.ErrInUse]. The default is
	// the engine's own [gaincost.Lever], which has learned from earlier requests, or [spec.None] when the engine has neither a draft nor earlier answers.
	Policy spec.Policy
	// Budget is the most tokens drafted for one pass, at most [MaxBudget]. If it is 0, it is 64. Generations that share passes share what these hold,
	// and so draft fewer.
	Budget int
	// Prefill, if not nil, is called with how many tokens of the prompt are done, of all.
	Prefill func(done, total int)
	// Logits, if not nil, is called with each generated token and the logits it was picked from, before the text that the token completes is
	// emitted. See [spec.Request].
	Logits func(token int32, logits []float32)
	// PromptLogits, if not nil, is called with each token of the prompt but the first, and the logits that the target has in its place. See
	// [spec.Request].
	PromptLogits func(token int32, logits []float32)
	// Thought, if not nil, is called with what the model thinks before it answers, which is then in the Result's Thought and neither emitted nor in its Text. An
	// error ends the generation.
	Thought func(text string) error
	// ToolCall, if not nil, is called with what each pass adds to calls, after emit gets its text. An error ends the generation.
	ToolCall func(toolcall.Delta) error
	// Piece, if not nil, is called with what each pass adds, before emit gets its text.
	Piece func(spec.Piece)
	// Observe, if not nil, is called after each pass with its tree; see [spec.Observation].
	Observe func(spec.Observation)
}

// MaxBudget is the largest number of tokens drafted for one pass: with the token before them, a decoder can still project all.
const MaxBudget = residentBatch - 1

const defaultBudget = 64

// Result is what was generated and what it took. Text leaves out control tokens, such as one that begins another turn; TokenIDs has them.
type Result struct {
	Text string `json:"text"`
	// Thought is what the model thought before it answered, if the request has a function for it. Otherwise that is in Text, as the model writes it.
	Thought string `json:"thought,omitempty"`
	// ToolCalls are the calls that the model asks for, those whose arguments are complete.
	ToolCalls []tokenizer.ToolCall `json:"tool_calls,omitempty"`

	TokenIDs []int32     `json:"token_ids"`
	Finish   spec.Finish `json:"finish_reason"`
	// StopString is the one that ended the text; empty if none did.
	StopString string `json:"-"`
	spec.Stats
	*NPUStats                // nil without a device
	IOMode    weights.IOMode `json:"io_mode,omitempty"` // how the target was read while it generated; empty if it is in memory
	// NoPruning is why trees were not pruned on the way through the target: see [Engine.NoPruning].
	NoPruning string `json:"no_pruning,omitempty"`
	PeakRSS   int64  `json:"peak_rss_bytes"` // of the whole process, since it began; 0 where the system does not tell
	Kernels   string `json:"kernels"`        // the kernel set in use
	prompt    string // its end
	// TemplateFault is why a built-in chat template took the place of the model's own; nil if it did not, or if there is none.
	TemplateFault error `json:"-"`
}

// Generate answers req. emit, which may be nil, gets the text piece by piece, whole characters at a time; an error of emit ends
// the generation. When ctx is cancelled, the Result holds what was generated until then, beside the error. While as many generations as
// [Config].Parallel says are under way, those that call emit included, the error is [ErrBusy]. Up to so many may be called from any goroutines.
func (e *Engine) Generate(ctx context.Context, req Request, emit func(text string) error) (Result, error) {
	if ctx == nil {
		return Result{}, errNoContext
	}
	if err := e.beginOne(); err != nil {
		return Result{}, fmt.Errorf("lever: generate: %w", err)
	}
	defer e.endOne()
	var templateFault error
	if len(req.Tokens) == 0 {
		prompt, err := e.Prepare(ctx, &req)
		if err != nil {
			return Result{}, err
		}
		templateFault = prompt.Fallback
	}
	constraint, decoder, err := e.follow(ctx, &req)
	if err != nil {
		return Result{}, err
	}
	if req.Budget < 0 || req.Budget > MaxBudget {
		return Result{}, fmt.Errorf("lever: a budget of %d tokens is outside 0..%d", req.Budget, MaxBudget)
	}
	began := time.Now()
	text, err := e.take(ctx, req.Tokens, req.PromptLogits == nil)
	if err != nil {
		return Result{}, err
	}
	waited := time.Since(began).Seconds()
	defer e.conversations.release(text)
	options, leave := e.options(text)
	defer leave()
	options.Policy, options.Budget = req.Policy, e.budget(req.Budget)
	if options.Policy == nil {
		options.Policy = text.policy
	}
	generator, err := spec.NewGenerator(options)
	if err != nil {
		return Result{}, err
	}
	var before offload.Stats
	if e.npu.scheduler != nil {
		before = e.npu.scheduler.Stats()
	}
	rest, promptText := e.rests(ctx), e.promptEnd(req.Tokens)
	var thinks *thinking
	if req.Thought != nil {
		thinks = newThinking(promptText)
		thinks.tellThought, thinks.tellAnswer = req.Thought, emit
		emit = thinks.take
	}
	generated, err := generator.Generate(ctx, spec.Request{
		Prompt:      req.Tokens,
		MaxTokens:   req.MaxTokens,
		Sampling:    req.Sampling,
		Penalties:   req.Penalties,
		StopTokens:  e.stopTokens(req),
		StopStrings: req.StopStrings,
		TextDecoder: decoder,
		Progress: func(done, total int) {
			held := done
			if text.draft != nil {
				held = min(held, text.draft.Len())
			}
			e.conversations.tookIn(text, held)
			if req.Prefill != nil {
				req.Prefill(done, total)
			}
		},
		Constraint: constraint,
		Logits:     req.Logits,
		Observe:    req.Observe,

		PromptLogits: req.PromptLogits,
	}, func(p spec.Piece) error {
		if n := len(req.Tokens); int(text.intake.done.Load()) < n && !text.drafts(n) {
			e.conversations.tookIn(text, n)
		}
		if req.Piece != nil {
			req.Piece(p)
		}
		if emit != nil && p.Text != "" {
			if err := emit(p.Text); err != nil {
				return err
			}
		}
		if err := decoder.tell(req.ToolCall); err != nil {
			return err
		}
		return rest(p)
	})
	leave()
	generated.Stats.PrefillSeconds += waited
	if generated.Stats.TimeToFirstToken > 0 {
		generated.Stats.TimeToFirstToken += waited
	}
	e.remembered.add(generated.Tokens)
	e.learned.used(options.Policy)
	thought, answer := "", generated.Text
	if thinks != nil {
		if err != nil { // what is held back is for the Result alone
			thinks.tellThought, thinks.tellAnswer = nil, nil
		}
		if ended := thinks.end(); err == nil {
			err = ended
		}
		thought, answer = thinks.thought.String(), thinks.answer.String()
	}
	return Result{
		Text:      answer,
		Thought:   thought,
		prompt:    promptText,
		ToolCalls: decoder.calls(),

		TokenIDs:   generated.Tokens,
		Finish:     generated.Finish,
		StopString: generated.StopString,
		Stats:      generated.Stats,
		NPUStats:   e.npuStats(before),
		IOMode:     e.target.ioMode(),
		PeakRSS:    host.PeakMemory(),
		Kernels:    e.pool.Set().Name(),

		NoPruning:     e.NoPruning(options.Policy),
		TemplateFault: templateFault,
	}, err
}

// stopTokens returns the tokens that end the answer to req.
func (e *Engine) stopTokens(req Request) []int32 {
	tok := e.target.tokenizer
	ids := tok.EOS()
	for _, text := range req.StopStrings {
		if id, ok := tok.Special(text); ok && tok.IsSpecial(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// empty reports whether a request has nothing to answer.
func (r *Request) empty() bool { return len(r.Messages) == 0 && r.Prompt == "" }

// Prepare encodes the prompt of a request, in Tokens, and returns it as text; where there are Tokens already, it checks them. [Engine.Generate] does so itself where it was not done before.
// An error wraps [spec.ErrEmptyPrompt] or [spec.ErrPromptTooLong] (and [ErrContextLimit] where no larger context would do), with the tokens in place where they were counted, or is that of [Engine.Chat]. It may be called during a generation.
func (e *Engine) Prepare(ctx context.Context, req *Request) (prompt tokenizer.Prompt, err error) {
	if err := e.check(ctx); err != nil {
		return prompt, err
	}
	tok := e.target.tokenizer
	if len(req.Tokens) > 0 {
		for i, token := range req.Tokens {
			if token < 0 || int(token) >= e.target.decoder.Vocab() {
				return prompt, fmt.Errorf("lever: prompt token %d is %d, outside the vocabulary of %d", i, token, e.target.decoder.Vocab())
			}
		}
	} else if req.Raw && !req.empty() {
		prompt.Text = req.Prompt
		req.Tokens, err = tok.EncodeContext(ctx, req.Prompt, tokenizer.EncodeOptions{AddBOS: tok.AddBOS()})
	} else {
		if prompt, err = e.Chat(ctx, *req); err != nil {
			return prompt, err
		}
		req.Tokens, err = tok.EncodePrompt(ctx, prompt)
	}
	if err != nil {
		return prompt, err
	}
	if n := len(req.Tokens); n > e.Context() {
		return prompt, e.tooLong(plural.Of(n, "token"))
	}
	return prompt, nil
}

// Chat renders the conversation of a request with the model's chat template, as Generate does. One of more messages than the context has
// tokens is refused with [spec.ErrPromptTooLong]. It may be called during a generation, and ends with ctx.
func (e *Engine) Chat(ctx context.Context, req Request) (tokenizer.Prompt, error) {
	if err := e.check(ctx); err != nil {
		return tokenizer.Prompt{}, err
	}
	if req.empty() {
		return tokenizer.Prompt{}, fmt.Errorf("lever: %w", spec.ErrEmptyPrompt)
	}
	messages := req.Messages
	if len(messages) == 0 {
		messages = []tokenizer.Message{{Role: "user", Content: req.Prompt}}
	}
	if len(messages) > e.Context() {
		return tokenizer.Prompt{}, e.tooLong(plural.Of(len(messages), "message"))
	}
	if len(req.Tools) > 0 {
		if _, err := e.syntax(); err != nil {
			return tokenizer.Prompt{}, fmt.Errorf("lever: %w", err)
		}
	}
	options := tokenizer.ChatOptions{AddGenerationPrompt: true, Continue: req.Continue, NoThinking: req.NoThinking || req.Grammar != nil}
	for _, t := range req.Tools {
		options.Tools = append(options.Tools, t.JSON())
	}
	return e.target.tokenizer.Chat(ctx, messages, options)
}

// tooLong returns the error of a prompt, so long, that the context has no room for.
func (e *Engine) tooLong(prompt string) error {
	err := fmt.Errorf("lever: %w: %s, room for %s", spec.ErrPromptTooLong, prompt, plural.Of(e.Context(), "token"))
	if limit := e.target.described.MaxPositions; e.Context() < limit {
		return fmt.Errorf("%w of the %d that the model allows", err, limit)
	}
	return fmt.Errorf("%w, and %w", err, ErrContextLimit)
}

// Encode returns the tokens that Generate would begin with. It may be called during a generation.
func (e *Engine) Encode(ctx context.Context, req Request) ([]int32, error) {
	_, err := e.Prepare(ctx, &req)
	return req.Tokens, err
}

// rests returns a function that rests after a pass for as long as the engine's Pause says.
func (e *Engine) rests(ctx context.Context) func(spec.Piece) error {
	if e.pause == nil {
		return func(spec.Piece) error { return nil }
	}
	began := time.Now()
	return func(p spec.Piece) error {
		if len(p.Tokens) == 0 {
			return nil // the end of the text
		}
		if pause := e.pause(time.Since(began)); pause > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
		}
		began = time.Now()
		return nil
	}
}
