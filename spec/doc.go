// Package spec generates text with a target model, speculatively: a policy guesses a tree of next tokens, the target verifies
// the whole tree in one pass, and the longest path on which it agrees is kept. The output is exactly the target's own.
//
// The parts:
//
//  1. [Tree] holds the tokens to verify, parents before children, the root being the last token of the sequence, and the
//     candidate sets that they were taken from.
//  2. [Policy] grows the tree.
//  3. [Draft] is the draft model that a policy asks, kept in step with the sequence.
//  4. [sampling.Sampler] picks the target's next token from its logits.
//  5. [Constraint] says which tokens may follow each other, if not all may.
//  6. [Pruner] drops nodes half-way through the target.
//  7. [Generator] is the loop: grow, verify, accept, until a stop token, a stop string, or a limit.
//
// [None] decodes plainly. The other policies are in packages of their own, which use nothing of this one that is not exported:
// spec/gaincost has the policy lever and n-gram look-up, spec/baseline those that others have published, and lever.NewPolicy knows all of
// them by name. spec/earlyexit is a [Pruner].
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
// and values are not kept. A policy can have candidates drawn at random, by [Draft.Sample]; then
// tokens are accepted by a rule that makes up for it, and a seed gives other tokens of the same distribution; such trees are never pruned.
//
// A [Constraint], such as a grammar's, restricts what the target may pick. It does so along all paths of the tree: candidates
// that it forbids are not proposed, and tokens that it forces are proposed, or taken, for nothing.
//
// Usage:
//
//	policy, err := gaincost.NewLever(gaincost.LeverOptions{Budget: 32})
//	g, err := spec.NewGenerator(spec.Options{Target: target, Draft: draft, Policy: policy})
//	result, err := g.Generate(ctx, spec.Request{
//		Prompt: ids, MaxTokens: 256, StopTokens: eos, TextDecoder: tokenizer.NewStream(),
//	}, func(p spec.Piece) error {
//		_, err := io.WriteString(os.Stdout, p.Text)
//		return err
//	})
//	fmt.Fprintln(os.Stderr, result.Finish, result.Stats.TokensPerSecond, result.Stats.AcceptedPerPass)
//
// A prompt that begins as the sequence before did, such as a conversation's next turn, is taken in from the first token that
// differs: what the models hold of it already is kept. With [Options].FirstInPrefill the rest of it brings the first token too.
//
// Limits: one sequence at a time; draft and target share one vocabulary. The package opens no files and starts no goroutines.
//
// # Errors
//
//   - [ErrEmptyPrompt], [ErrPromptTooLong]: there is no token, or no room, to begin with.
//   - [ErrVocabulary]: draft and target have different numbers of tokens.
//   - [ErrNoDraft]: the policy can do nothing without a draft model.
//   - [ErrNotParallel]: or without one that predicts several tokens at once.
//   - [ErrInUse]: another generation that is under way has the policy, the constraint, or what else serves one at a time.
//   - [ErrTreeFull]: a node more than the limits of a [Tree].
//   - [sampling.ErrLogits]: a model computed something that is not finite; its weights are damaged or do not fit its configuration.
//
// [Generator.Generate] returns what was generated before an error beside it. Errors of the models, such as layers.ErrContextFull and those of
// the store they read, come through wrapped.
package spec
