// Package prune measures what pruning trees half-way through verification gives, and what it costs.
//
//  1. Curves: for each exit layer that the target's store has a predictor for, how much of the work is saved against how many of the accepted nodes
//     are kept, beside what the draft's own probabilities give at the same layer; on trees of several policies.
//  2. Fixed trees: answers with trees of all 64 nodes, pruned more and more: accepted tokens and verification time on a machine that computes slowly.
//  3. Machines: the policy lever with and without pruning on machines that compute slowly, in padded batches, or wait for flash.
//  4. The predictor's own time, as part of that of a pass, measured on this machine.
//
// Times of machines are computed, not measured: rows × layers by the machine's cost curve, for the trees that were really grown and the rows
// that really went on. So they are the same on every machine and run; only the fourth depends on the machine. All answers are compared with
// plain decoding.
//
// Usage:
//
//	r, err := prune.Run(ctx, prune.Options{Model: target, Draft: draft, Sets: sets})
//	if err == nil {
//		err = errors.Join(r.WriteText(os.Stdout), r.Save("results"))
//	}
//
// Limits: greedy decoding; the costs of machines are estimates around published figures.
package prune
