// Package policies compares the draft policies of package spec on flash of a phone's speed, and checks that none of them changes the
// output.
//
// [Run] gives the target of a small pair of models a simulated device ([flashsim.Throttle]) that is slower in proportion, so that a pass
// takes as long as that of a large model. Every policy answers the same prompts; within a prompt they take turns, so that what else
// the machine does hits all alike. As a pass mostly waits, several such devices are at work at the same time, each on its share of the
// prompts of one data set. Policies that learn warm up on a prompt that is in no data set. The result is a [Report]:
//
//  1. for each data set and policy: tokens/s, accepted tokens per pass, the parts of the time, predicted against measured;
//  2. the roofline: accepted tokens × bandwidth ÷ streamed bytes, and the share of it that was reached;
//  3. geometric means over the data sets, and what the policy lever is ahead of the others by.
//
// [Check] runs without the device: all policies, budgets, kernel sets, resident and streamed, and compares tokens with those of plain
// decoding.
//
// Usage:
//
//	result, err := policies.Run(ctx, policies.Options{Model: target, Draft: draft, Sets: sets, DRAM: 4 << 20, Flash: flash})
//	if err == nil {
//		err = result.Present().Save("results")
//	}
//
// Limits: greedy decoding, one answer at a time. The draft model is as small as the demo's target, so that drafting costs less than beside a
// large one. Times of other work that the policies overlap with reading are those of this machine.
package policies
