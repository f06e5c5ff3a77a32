// Package endtoend measures whole generations: how fast a target that is larger than its memory answers, plainly, with chains of drafted
// tokens, and with the policy lever; and, for comparison, with all weights in memory.
//
// [Run] opens the pair once and lets all ways of decoding answer the same prompts of each data set by turns, so that what else the machine does
// hits all alike. Weights are read past the page cache where the storage allows it. The report has, for each data set and way:
//
//  1. tokens/s after the prompt, and the time to the first token, prompt included;
//  2. accepted tokens per pass, and the seconds of a pass;
//  3. bytes read per token, and the shares of the time in which reads were under way, the target computed, waited for reads, and the
//     draft model worked. Reading goes on during the others;
//  4. for all sets, the parts of the time of a token beside that of reading alone, its bound where flash is the limit, and what keeps lever from gaining more;
//  5. the largest resident memory of the process during the answers; where it can't be reset, as on other systems than Linux, so far.
//
// Usage:
//
//	r, err := endtoend.Run(ctx, endtoend.Options{Model: target, Draft: draft, DRAM: 1 << 30, Sets: sets})
//
// With [Options.Peers], servers of other programs answer the same prompts by turns. With Options.OpenFile and [Options.CPUShare], reading takes as much of
// the time as on a phone; with [Options.Flash], passes are compared with simulated ones that read, compute and draft as much. With [Options.Record], a run that was ended goes on where it was. [RunFresh] measures the first answers of engines that know
// nothing yet, short ones above all, and [RunInMemory] a model whose weights are all in memory.
//
// The report's summary says in five sentences what matters most.
//
// Limits: greedy decoding. The policy lever learns from one prompt of our own beforehand, as it would from a user's earlier ones.
package endtoend
