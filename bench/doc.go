// Package bench holds what the experiments share: prompts, the description of the machine, and statistics. Each experiment is a
// package below it; command lever-bench runs them.
//
//  1. report: the form of all results, and the page that shows them.
//  2. kernels: every operation with every kernel set, compared with what bounds it.
//  3. flash: reads by size and number, and streamed passes by the part of a model in memory.
//  4. endtoend: whole generations, plain, in chains and with the policy lever, from flash and from memory.
//  5. simulate: the paper's figures for phones and models of real size, in virtual time.
//  6. policies: draft policies compared on flash of a phone's speed, and checked for equal output.
//  7. prune: what dropping drafted tokens half-way through the target saves.
//  8. mapping: where drafts and logits are computed on phones with an NPU.
//  9. growth: how the time of a pass grows with context, tree budget, model size, memory and threads.
//  10. inflate: models of full size that say what small ones say.
//
// Usage:
//
//	sets, err := bench.LoadSets("../shared/data/prompts")
//	if errors.Is(err, fs.ErrNotExist) {
//		sets = bench.BuiltinSets()
//	}
//	fmt.Println(bench.ThisMachine(), len(sets), bench.Median(rates))
//
// Limits: prompts have one turn.
//
// # Errors
//
//   - [ErrNotParallel]: of [CheckParallel], for a draft that predicts one token at a time.
package bench
