// Package spec generates text with a target model, speculatively: a policy guesses a tree of next tokens, the target verifies
// the whole tree in one pass, and the longest path on which it agrees is kept. The output is exactly the target's own.
//
// The parts:
//
//  1. [Tree] holds the tokens to verify, parents before children, the root being the last token of the sequence, and the
//     candidate sets that they were taken from.
//  2. [Policy] grows the tree; see the table below.
//  3. [Draft] is the draft model that a policy asks, kept in step with the sequence.
//  4. [Sampler] picks the target's next token from its logits.
//  5. [Constraint] says which tokens may follow each other, if not all may.
//  6. [Pruner] drops nodes half-way through the target; [EarlyExit] does so by what a predictor makes of the target's hidden states.
//  7. [Generator] is the loop: grow, verify, accept, until a stop token, a stop string, or a limit.
//
// The policies, by the names that [NewPolicy] takes:
//
//	lever       Lever       most expected tokens for the time of the pass on this device, chances learned from the text
//	chain       Chain       the draft's greedy continuation, of fixed length
//	specinfer   SpecInfer   one shape: so many children for each node of a level
//	sequoia     Sequoia     one shape: the best for how often the draft's first, second, … candidate is right
//	opttree     OPTTree     most expected tokens by the draft's probabilities; drafts on while a level adds enough
//	eagle2      EAGLE2      expands a few nodes on each of a fixed number of levels, then keeps the most probable
//	powerserve  PowerServe  a chain that splits where the draft is in doubt, filled up with leaves
//	ngram       NGram       what followed the latest tokens earlier; no draft model
//	none        None        nothing: plain decoding
//
// What passes between them in one pass:
//
//	sequence  t0 t1 … tn          tn is the root; the KV caches of the models hold t0 … tn-1
//	grow      tn → a → b, tn → c  the policy's guesses
//	forward   rows tn a b c       in one batch, a row seeing t0 … tn-1 and its ancestors
//	walk      tn: target picks a, which is a child; a: it picks x, which is none: keep tn a, next root x
//	commit    t0 … tn a           x is the new last token; rows b and c are dropped
//
// Logits are computed one row at a time along the walk, so rejected rows cost no projection. The walk picks each token as
// plain decoding would, from the same logits and with the same random number, and the tree does not depend on what it picks:
// that is why neither greedy nor sampled output changes. A node that was pruned counts as absent, which leaves this as it is, and its keys
// and values are not kept. [SpecInfer] can draw its candidates at random; then tokens are accepted
// by a rule that makes up for it, and a seed gives other tokens of the same distribution; such trees are never pruned.
//
// A [Constraint], such as a grammar's, restricts what the target may pick. It does so along all paths of the tree: candidates
// that it forbids are not proposed, and tokens that it forces are proposed, or taken, for nothing.
//
// Usage:
//
//	policy, err := spec.NewPolicy("lever", 32)
//	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: policy})
//	result, err := g.Generate(ctx, spec.Request{
//		Prompt: ids, MaxTokens: 256, StopTokens: eos, Decoder: tokenizer.NewStream(),
//	}, func(p spec.Piece) error {
//		_, err := io.WriteString(os.Stdout, p.Text)
//		return err
//	})
//	fmt.Fprintln(os.Stderr, result.Finish, result.Stats.TokensPerSecond, result.Stats.AcceptedPerPass)
//
// A prompt that begins as the sequence before did, such as a conversation's next turn, is taken in from the first token that
// differs: what the models hold of it already is kept.
//
// Limits: one sequence at a time; draft and target share one vocabulary. The package opens no files and starts no goroutines.
//
// # Errors
//
//   - [ErrEmptyPrompt], [ErrPromptTooLong]: there is no token, or no room, to begin with.
//   - [ErrVocabulary]: draft and target have different numbers of tokens.
//   - [ErrNoDraft]: the policy can do nothing without a draft model.
//   - [ErrTreeFull]: a node more than the limits of a [Tree].
//   - [ErrLogits]: a model computed something that is not finite; its weights are damaged or do not fit its configuration.
//
// [Generator.Generate] returns what was generated before an error beside it. Errors of the models, such as layers.ErrContextFull and those of
// the store they read, come through wrapped.
package spec
