package spec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec/sampling"
)

// Errors that a caller can act on.
var (
	ErrEmptyPrompt   = errors.New("prompt is empty")
	ErrPromptTooLong = errors.New("prompt is longer than the context")
	ErrVocabulary    = errors.New("draft and target have different vocabularies")
)

// Options describe a [Generator].
type Options struct {
	Target Decoder
	Draft  Decoder // may be nil
	// Parallel says whether the draft model predicts several tokens in one forward.
	Parallel Parallel
	Policy   Policy // the default is None
	// Budget is the most nodes that a tree has besides its root; the default is 64. Target and
	// Draft must be able to project Budget + 1 rows of a forward; a layers.Decoder is, if its MaxBatch is no smaller.
	Budget int
	// MaxBatch is the largest number of prompt tokens in a forward. The default is 128.
	MaxBatch int
	// FirstInPrefill lets the last forward over a prompt take in its last token too, and pick the first token of the text, which then comes a forward
	// sooner. Where the target still holds all of the prompt but its last token, that begins the first pass in any case.
	FirstInPrefill bool
	// ProjectTree computes the logits of all nodes at once instead of one by one along the accepted path: better where each
	// projection reads the output head from flash. It takes memory for Budget + 1 rows of logits.
	ProjectTree bool
	// ProjectAhead is, without ProjectTree, the number of nodes whose logits are computed at once: of one on the accepted path, and of
	// those below it that are likeliest to come next. A few take hardly longer than one where the weights of the output head come from
	// memory and not from a cache. The default is 1.
	ProjectAhead int
	// Pruner drops nodes half-way through verification. If it is nil, all go through the whole target. Trees whose candidates were drawn at
	// random are never pruned.
	Pruner Pruner
	// Enter, if not nil, is called when a generation begins, and what it returns when it ends, on the same goroutine.
	Enter func() (leave func())
	// IO returns running totals of the target's reads, for Stats. If it is nil, Stats have none.
	IO func() IOStats
	// Shared, if not nil, returns running totals of the forwards of both models that had rows of this text. If it is nil, texts share no forwards.
	Shared func() (target, draft Shared)
	// Cold, if not nil, returns, of a row of the target's latest forward, how many experts had to be read for it that no row before it had chosen, by
	// quarter of the layers.
	Cold func(row int) [4]int
}

// TextDecoder turns a sequence of tokens into text, piece by piece.
type TextDecoder interface {
	// Next returns the text that token completes: whole UTF-8 characters, perhaps none.
	Next(token int32) string
	// Flush returns the text of what is left incomplete at the end.
	Flush() string
}

// Request is one generation.
type Request struct {
	Prompt    []int32
	MaxTokens int // if it is 0, something else must end the text
	Sampling  sampling.Options
	// Penalties change the target's logits by the text so far, after Constraint. The draft's change in the same way, along each path of a tree.
	Penalties sampling.Penalties
	// StopTokens end the text; the one that does is among the tokens and not in the text.
	StopTokens []int32
	// StopStrings end the text before their first occurrence, wherever the borders of tokens are. They need TextDecoder.
	StopStrings []string
	// TextDecoder makes the text, from the first generated token on. If it is nil, there are tokens only.
	TextDecoder TextDecoder
	// Constraint restricts the tokens. If it is nil, all may be generated. It must allow StopTokens where the text may end.
	Constraint Constraint
	// Logits, if it is not nil, is called with each generated token and the logits it was picked from: those of the target, changed by
	// Penalties, -Inf where Constraint allows no token; they are borrowed until it returns. They are nil for a token that was the only one allowed and so was not
	// picked.
	Logits func(token int32, logits []float32)
	// PromptLogits, if it is not nil, is called during prefill with each token of the prompt but the first, and the logits that the target has in its
	// place, before Constraint and Penalties; they are borrowed until it returns. Nothing that the target still holds of the prompt is used again then.
	PromptLogits func(token int32, logits []float32)
	// Observe, if it is not nil, is called after each pass; see [Observer].
	Observe func(Observation)
	// Progress, if it is not nil, is called during prefill with the prompt tokens done, those still there included, of total. The last one, which the first
	// pass takes in unless prefill does, is done when all others are. With a draft model it is called once more when that has them too.
	Progress func(done, total int)
}

// Finish is why a generation ended.
type Finish string

const (
	FinishStop      Finish = "stop"      // a stop token or a stop string
	FinishLength    Finish = "length"    // MaxTokens
	FinishContext   Finish = "context"   // the target's context is full
	FinishCancelled Finish = "cancelled" // the context.Context was done
	FinishError     Finish = "error"     // any other error
)

// Piece is what one pass adds, or the first token of [Options].FirstInPrefill. All of its tokens but the last were drafted and accepted, or forced; the last is
// the target's own, drafted or not. Text may lag behind the tokens while it could be the start of a stop string or of a character.
type Piece struct {
	Tokens  []int32 // borrowed, until the callback returns
	Text    string
	Drafted int // bytes of Text, from its start, that were there before the last token
}

// Result is what was generated, complete or, beside an error, up to that.
type Result struct {
	Tokens     []int32
	Text       string
	Finish     Finish
	StopString string // that ended the text, if one did
	Stats      Stats
}

// Generator runs the decode loop: grow a tree, verify it in one pass of the target, keep the accepted path. Its output is
// exactly the target's own: with greedy sampling token for token, otherwise in distribution and, given the seed, token for
// token as well. It can be used for one prompt after the other; it is not safe for concurrent use. The models stay the
// caller's, and are used by nobody else in the meantime.
//
// What the models still hold from before is used again: a prompt that begins with the tokens that a model has committed, as
// the next turn of a conversation does, is taken in from the first other token on. The models compute the same bits for it.
type Generator struct {
	options Options
	target  Decoder
	draft   *Draft // nil without a draft model

	sampler  sampling.Sampler
	history  sampling.History // of the sequence
	rule     acceptance
	tree     Tree
	sequence []int32 // the prompt and what was generated; all but the last token are committed in the target
	logits   []float32
	pruning  pruning
	ahead    ahead
	path     []int    // accepted nodes
	cold     [][4]int // by node; see Observation
	output   output
	stats    Stats
	told     time.Duration // what the caller took over a token that prefill brought

	constraint Constraint
	state      int // of the constraint after the sequence
	guesses    guesses
	onLogits   func(token int32, logits []float32)
	observe    func(Observation)

	forecast forecast
}

// NewGenerator checks the options and returns a Generator. It fails with [ErrVocabulary] when the models do not match.
func NewGenerator(o Options) (*Generator, error) {
	if o.Target == nil {
		return nil, errors.New("spec: no target model")
	}
	if o.Budget < 0 || o.MaxBatch < 0 || o.ProjectAhead < 0 {
		return nil, fmt.Errorf("spec: negative option: Budget %d, MaxBatch %d, ProjectAhead %d", o.Budget, o.MaxBatch, o.ProjectAhead)
	}
	if o.Policy == nil {
		o.Policy = None{}
	}
	if o.Budget == 0 {
		o.Budget = 64
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = 128
	}
	g := &Generator{options: o, target: o.Target, pruning: pruning{pruner: o.Pruner}}
	rows := min(max(1, o.ProjectAhead), 1+o.Budget)
	if o.ProjectTree {
		rows = 1 + o.Budget
	}
	g.logits = make([]float32, rows*o.Target.Vocab())
	if o.Draft != nil {
		if d, t := o.Draft.Vocab(), o.Target.Vocab(); d != t {
			return nil, fmt.Errorf("spec: draft of %d tokens, target of %d: %w", d, t, ErrVocabulary)
		}
		g.draft = NewDraft(o.Draft, o.MaxBatch)
		g.draft.SetParallel(o.Parallel)
	}
	return g, nil
}

// Generate continues req.Prompt and calls emit, which may be nil, after each pass. The Result is valid beside an error too.
// The error wraps [ErrEmptyPrompt], [ErrPromptTooLong] or [ErrInUse], tells of another fault of the request, or wraps what a model or
// emit returned, or ctx's error when it is done. With ErrInUse nothing has changed.
func (g *Generator) Generate(ctx context.Context, req Request, emit func(Piece) error) (Result, error) {
	began := time.Now()
	release, err := g.claim(req)
	if err != nil {
		return Result{Finish: FinishError}, fmt.Errorf("spec: generate: %w", err)
	}
	defer release()
	if g.options.Enter != nil {
		defer g.options.Enter()()
	}
	if err := g.begin(req, emit); err != nil {
		return Result{Finish: FinishError}, fmt.Errorf("spec: generate: %w", err)
	}
	err = errors.Join(g.run(ctx, req, began), g.output.close())
	switch {
	case err != nil && ctx.Err() != nil:
		g.output.finish = FinishCancelled
	case err != nil:
		g.output.finish = FinishError
	}
	if err != nil {
		err = fmt.Errorf("spec: generate: after %s: %w", plural.Of(g.output.tokens, "token"), err)
	}
	return Result{slices.Clone(g.sequence[len(req.Prompt):]), g.output.text.String(), g.output.finish, g.output.matcher.found, g.stats}, err
}

// begin checks a request and prepares for it.
func (g *Generator) begin(req Request, emit func(Piece) error) error {
	if len(req.Prompt) == 0 {
		return ErrEmptyPrompt
	}
	if n := g.target.Context(); len(req.Prompt) > n {
		return fmt.Errorf("%w: %s, room for %d", ErrPromptTooLong, plural.Of(len(req.Prompt), "token"), n)
	}
	for i, token := range req.Prompt {
		if token < 0 || int(token) >= g.target.Vocab() {
			return fmt.Errorf("prompt token %d is %d, outside the vocabulary of %d", i, token, g.target.Vocab())
		}
	}
	if req.MaxTokens < 0 {
		return fmt.Errorf("limit of %d tokens is negative", req.MaxTokens)
	}
	if slices.Contains(req.StopStrings, "") {
		return errors.New("a stop string is empty")
	}
	if len(req.StopStrings) > 0 && req.TextDecoder == nil {
		return errors.New("stop strings need a text decoder")
	}
	if err := g.sampler.Reset(req.Sampling, 0); err != nil {
		return err
	}
	if err := g.history.Reset(req.Penalties, req.Prompt, g.target.Vocab()); err != nil {
		return err
	}
	keep := req.Prompt
	if req.PromptLogits != nil {
		keep = nil
	}
	if err := keepPrefix(g.target, keep); err != nil {
		return err
	}
	if g.draft != nil {
		if err := g.draft.begin(req.Prompt, req.Sampling); err != nil {
			return err
		}
	}
	most := g.target.Context() + 1 - len(req.Prompt) // the last token needs no position
	if req.MaxTokens > 0 {
		most = min(most, req.MaxTokens)
	}
	g.sequence = append(slices.Grow(g.sequence[:0], len(req.Prompt)+most), req.Prompt...)
	g.stats, g.told = Stats{PromptTokens: len(req.Prompt), ReusedTokens: g.target.Len()}, 0
	g.forecast.reset(g.options.Policy, most)
	g.output.reset(req, emit)
	g.constraint, g.state, g.guesses, g.onLogits, g.observe = req.Constraint, 0, guesses{}, req.Logits, req.Observe
	return nil
}

// run does prefill and passes until the output is finished.
func (g *Generator) run(ctx context.Context, req Request, began time.Time) error {
	err := g.prefill(ctx, req, began)
	started, io := time.Now().Add(-g.told), g.io()
	g.stats.PrefillSeconds = started.Sub(began).Seconds()
	defer func() {
		g.stats.close(time.Since(started), g.output.tokens, g.io().since(io))
		g.forecast.close(&g.stats)
	}()

	for err == nil && g.output.finish == "" {
		if err := ctx.Err(); err != nil {
			return err
		}
		before := len(g.sequence)
		err = g.pass(ctx)
		if before == len(req.Prompt) && len(g.sequence) > before {
			g.stats.TimeToFirstToken = time.Since(began).Seconds()
		}
		err = errors.Join(err, g.output.send(g.sequence[before:]))
	}
	return err
}

// take appends a generated token to the sequence. The last token that fits needs no position.
func (g *Generator) take(token int32, logits []float32) error {
	if g.onLogits != nil {
		g.onLogits(token, logits)
	}
	g.sequence = append(g.sequence, token)
	g.history.Push(token)
	if g.output.take(token); g.output.finish == "" && len(g.sequence) > g.target.Context() {
		g.output.finish = FinishContext
	}
	if g.constraint == nil || g.output.finish != "" {
		return nil
	}
	g.state = g.constraint.Next(g.state, token)
	if err := constraintErr(g.constraint); err != nil {
		return err
	}
	if g.state < 0 {
		return fmt.Errorf("constraint refuses token %d, which it allows", token)
	}
	return nil
}

// takeForced appends the tokens that are the only ones allowed.
func (g *Generator) takeForced() error {
	for g.constraint != nil && g.output.finish == "" {
		token, ok := forced(g.constraint, g.state)
		if err := constraintErr(g.constraint); err != nil || !ok {
			return err
		}
		g.sampler.Skip()
		g.stats.Forced++
		if err := g.take(token, nil); err != nil {
			return err
		}
	}
	return nil
}

// prefill takes in the prompt but its last token, the root of the first tree; or all of it, and picks the first token.
func (g *Generator) prefill(ctx context.Context, req Request, began time.Time) error {
	total := len(g.sequence) - 1
	report := func() {
		if done := g.target.Len(); req.Progress != nil && done >= total {
			req.Progress(total+1, total+1) // the last token takes no time of its own
		} else if req.Progress != nil {
			req.Progress(done, total+1)
		}
	}
	reads, clock := g.io(), time.Now()
	target, draft := g.shared()
	unseen, last := total-g.target.Len(), 0
	first := g.options.FirstInPrefill && req.PromptLogits == nil && unseen > 0 && !g.mustTake()
	var p Prefill
	if p.Target = g.forwards(g.target, total); first {
		p.Target = g.forwards(g.target, total+1)
		last = unseen % g.options.MaxBatch // tokens that go with the last one
	}
	if err := g.score(ctx, g.sequence, req.PromptLogits, report); err != nil {
		return err
	}
	if err := fill(ctx, g.target, g.sequence[:total-last], g.options.MaxBatch, report); err != nil {
		return err
	}
	if first {
		if err := g.takeLast(ctx); err != nil {
			return err
		}
	}
	p.Target.Seconds, p.IO = lap(&clock), g.io().since(reads)
	if first {
		err := g.walk(ctx)
		g.stats.First = g.output.tokens
		if err != nil {
			return errors.Join(err, g.output.send(g.sequence[total+1:]))
		}
		g.stats.TimeToFirstToken = time.Since(began).Seconds()
		report()
		emitting := time.Now()
		err = g.output.send(g.sequence[total+1:])
		if g.told = time.Since(emitting); err != nil {
			return err
		}
		lap(&clock)
	}
	if n := len(g.sequence) - 1; g.draft != nil && n < g.draft.model.Context() && g.output.finish == "" {
		p.Draft = g.forwards(g.draft.model, n)
		if err := g.draft.follow(ctx, g.sequence); err != nil {
			return err
		}
		p.Draft.Seconds = lap(&clock)
		report()
	}
	if starter, ok := g.options.Policy.(Starter); ok {
		if g.options.Shared != nil {
			allTarget, allDraft := g.shared()
			p.Target.count(allTarget.since(target))
			p.Draft.count(allDraft.since(draft))
		}
		starter.Start(p)
	}
	return nil
}

// mustTake reports whether the constraint leaves no choice about the first token.
func (g *Generator) mustTake() bool {
	if g.constraint == nil {
		return false
	}
	_, ok := forced(g.constraint, g.state)
	return ok
}

// takeLast takes in the end of the prompt, as a tree of its last token.
func (g *Generator) takeLast(ctx context.Context) error {
	g.tree.Reset(g.sequence[len(g.sequence)-1], g.options.Budget, 0)
	return g.forward(ctx, true)
}

// forwards returns those that m takes to hold total tokens.
func (g *Generator) forwards(m Decoder, total int) Forwards {
	rows := max(0, total-m.Len())
	return Forwards{Batches: (rows + g.options.MaxBatch - 1) / g.options.MaxBatch, Rows: rows}
}

// count sets the numbers of forwards that were shared.
func (f *Forwards) count(s Shared) { f.Batches, f.Rows = s.Forwards, s.Rows }

// pass grows a tree below the last token, verifies it, and appends the accepted tokens and the target's next one to the
// sequence. What it appended before an error stands.
func (g *Generator) pass(ctx context.Context) error {
	watched := g.watched()
	var reads IOStats
	if watched {
		reads = g.io()
	}
	target, draft := g.shared()
	clock := time.Now()
	if err := g.takeForced(); err != nil || g.output.finish != "" {
		return err
	}
	lead := len(g.sequence) - 1 - g.target.Len()
	if err := g.grow(ctx); err != nil {
		return err
	}
	growing := lap(&clock)
	g.stats.DraftSeconds += growing
	err := g.verify(ctx)
	verifying := lap(&clock)
	g.stats.ComputeSeconds += verifying
	if err != nil {
		return err
	}
	if g.draft != nil {
		err = g.draft.Settle(g.path)
	}
	settling := lap(&clock)
	g.stats.DraftSeconds += settling
	if err != nil {
		return err
	}
	g.forecast.compare(growing + verifying + settling)
	if !watched {
		return nil
	}
	allTarget, allDraft := g.shared()
	observation := Observation{
		Target: allTarget.since(target), Draft: allDraft.since(draft),
		Tree: &g.tree, Cold: g.coldReads(lead), Path: g.path, Next: g.sequence[len(g.sequence)-1], Lead: lead, Cuts: g.pruning.cuts,
		DraftSeconds: growing + settling, VerifySeconds: verifying, IO: g.io().since(reads),
	}
	for _, learner := range [...]any{g.options.Policy, g.options.Pruner} {
		if observer, learns := learner.(Observer); learns {
			observer.Observe(observation)
		}
	}
	if g.observe != nil {
		g.observe(observation)
	}
	return nil
}

// coldReads returns what the nodes of the latest pass, of which lead rows came before, had read of experts.
func (g *Generator) coldReads(lead int) [][4]int {
	if g.options.Cold == nil {
		return nil
	}
	g.cold = g.cold[:0]
	for node := range g.tree.Len() {
		g.cold = append(g.cold, g.options.Cold(lead+node))
	}
	return g.cold
}

// watched reports whether anyone wants to know of passes.
func (g *Generator) watched() bool {
	_, policy := g.options.Policy.(Observer)
	_, pruner := g.options.Pruner.(Observer)
	return policy || pruner || g.observe != nil
}

// grow makes the tree of a pass.
func (g *Generator) grow(ctx context.Context) error {
	// Deeper nodes could not be used: their positions are outside the context, or the last token comes before them.
	depth := g.target.Context() - len(g.sequence)
	if left := g.output.left(); left > 0 {
		depth = min(depth, left-1)
	}
	g.tree.Reset(g.sequence[len(g.sequence)-1], g.options.Budget, depth)
	g.tree.constrain(g.guesses.at(g.constraint, g.state, g.sequence[g.stats.PromptTokens:]))
	if !g.history.None() {
		g.tree.history = &g.history
	}
	if g.draft != nil {
		g.draft.Start(g.sequence, &g.tree)
	}
	if err := g.options.Policy.Grow(ctx, g.sequence, &g.tree, g.draft); err != nil {
		return err
	}
	if err := g.tree.addForced(); err != nil {
		return err
	}
	if n := g.tree.Len() - 1; n > g.options.Budget {
		return fmt.Errorf("policy left %s to verify, at most %d can be", plural.Of(n, "node"), g.options.Budget)
	}
	for node, token := range g.tree.Tokens() {
		if int(token) >= g.target.Vocab() {
			return fmt.Errorf("tree node %d has token %d, outside the vocabulary of %d", node, token, g.target.Vocab())
		}
	}
	return nil
}

// verify runs the target over the tree and takes the tokens that it chooses.
func (g *Generator) verify(ctx context.Context) error {
	if err := g.forward(ctx, false); err != nil {
		return err
	}
	g.stats.Passes++
	g.pruning.count(&g.stats)
	return g.walk(ctx)
}

// forward runs the target over the tree. The tokens before the root that the target has not seen, as they were forced or end the prompt, go ahead of the tree
// in the same forward.
func (g *Generator) forward(ctx context.Context, prompt bool) error {
	lead := g.sequence[g.target.Len() : len(g.sequence)-1]
	return g.pruning.forward(ctx, g.target, lead, &g.tree, g.options.Policy, prompt)
}

// walk walks down the tree from the root: at each node it picks the target's next token and goes on to the child that has this token. The walk ends where
// there is no such child, or it was pruned, or the text ends.
func (g *Generator) walk(ctx context.Context) error {
	if g.options.ProjectTree {
		rows := g.pruning.rows
		if err := g.target.Project(ctx, g.logits[:len(rows)*g.target.Vocab()], rows); err != nil {
			return err
		}
	}
	g.path, g.ahead.nodes = g.path[:0], g.ahead.nodes[:0]
	for node := 0; node >= 0; {
		logits, err := g.nodeLogits(ctx, node)
		if err != nil {
			return err
		}
		token, err := g.rule.choose(&g.sampler, &g.tree, node, logits)
		if err != nil {
			return err
		}
		g.path = append(g.path, node)
		if err := g.take(token, logits); err != nil {
			return err
		}
		if g.output.finish != "" {
			break
		}
		pruned := false
		if node, pruned = g.pruning.child(node, token); pruned {
			g.stats.WronglyPruned++
		}
	}
	return g.target.Commit(g.pruning.path(g.path))
}

// nodeLogits returns the target's logits after a node, the last of the sequence, restricted to what is allowed there and changed by penalties.
func (g *Generator) nodeLogits(ctx context.Context, node int) ([]float32, error) {
	vocab := g.target.Vocab()
	var at int
	if g.options.ProjectTree {
		at, _ = slices.BinarySearch(g.pruning.left, node)
	} else if at = slices.Index(g.ahead.nodes, node); at < 0 {
		at = 0
		rows := g.ahead.choose(&g.tree, &g.pruning, node, len(g.logits)/vocab)
		if err := g.target.Project(ctx, g.logits[:len(rows)*vocab], rows); err != nil {
			return nil, err
		}
	}
	logits := g.logits[at*vocab : (at+1)*vocab]
	if g.constraint != nil {
		restrict(g.constraint, g.state, logits)
	}
	g.history.Apply(logits)
	return logits, constraintErr(g.constraint)
}

func (g *Generator) io() IOStats {
	if g.options.IO == nil {
		return IOStats{}
	}
	return g.options.IO()
}

func (g *Generator) shared() (target, draft Shared) {
	if g.options.Shared == nil {
		return target, draft
	}
	return g.options.Shared()
}

// lap returns the seconds since *clock and sets it to now.
func lap(clock *time.Time) float64 {
	now := time.Now()
	seconds := now.Sub(*clock).Seconds()
	*clock = now
	return seconds
}
