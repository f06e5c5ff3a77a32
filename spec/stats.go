package spec

import (
	"math"
	"slices"
	"time"
)

// Stats counts what one generation did. Prefill is the work on the prompt but its last token, which the first pass takes in, or on all of it with
// [Options].FirstInPrefill; all times but Prefill and TimeToFirstToken, and all counts but PromptTokens, Tokens and First, are of what follows it.
type Stats struct {
	PromptTokens int `json:"prompt_tokens"`
	// ReusedTokens is how many of them, from the first on, the target still held from the generation before.
	ReusedTokens int `json:"reused_tokens"`
	// Tokens that were generated, the stop token included: len(Result.Tokens).
	Tokens int `json:"tokens"`
	// First is how many of them prefill brought: 1 with [Options].FirstInPrefill where it had a prompt to take in, and else 0.
	First int `json:"first_tokens,omitempty"`
	// Seconds from the end of prefill to the end of generation.
	Seconds float64 `json:"seconds"`
	// TokensPerSecond is (Tokens - First) / Seconds.
	TokensPerSecond float64 `json:"tokens_per_second"`
	// Passes is the number of forwards of the target after prefill.
	Passes int `json:"passes"`
	// AcceptedPerPass is (Tokens - First) / Passes: 1 without a draft.
	AcceptedPerPass float64 `json:"accepted_per_pass"`
	// Forced is the number of tokens that a [Constraint] left no choice about, and that were taken without a pass.
	Forced int `json:"forced,omitempty"`
	// Drafted is the number of tree nodes proposed, roots not counted: Verified + Pruned.
	Drafted int `json:"drafted"`
	// Verified is the number of drafted nodes that went through the whole target, accepted or not.
	Verified int `json:"verified"`
	// Pruned is the number of drafted nodes dropped on the way through the target.
	Pruned int `json:"pruned"`
	// WronglyPruned is the number of pruned nodes that the target would have accepted, as far as the walk shows: at most one a pass.
	// What would have been accepted after it is not known.
	WronglyPruned int `json:"wrongly_pruned"`
	// RowLayers is the number of rows of all trees times the target's layers, which a pass takes where nothing is pruned, and
	// RowLayersSaved how many of these pruning did without. Both are 0 without a [Pruner].
	RowLayers      int `json:"row_layers"`
	RowLayersSaved int `json:"row_layers_saved"`
	// ComputeSeconds were spent in the target, not counting those it waited for reads.
	ComputeSeconds float64 `json:"compute_seconds"`
	// DraftSeconds were spent growing trees and keeping the draft model in step.
	DraftSeconds float64 `json:"draft_seconds"`
	// PredictedPerPass is the mean of what a [Forecaster] predicted for AcceptedPerPass.
	PredictedPerPass float64 `json:"predicted_per_pass,omitempty"`
	// PassTimeError is the median over passes of |predicted - measured| / measured time, for a [Forecaster].
	PassTimeError float64 `json:"pass_time_error,omitempty"`
	// PrefillSeconds were spent on prefill, in the target and the draft model.
	PrefillSeconds float64 `json:"prefill_seconds"`
	// TimeToFirstToken is the seconds from the call to the first token.
	TimeToFirstToken float64 `json:"time_to_first_token_seconds"`
	IOStats
}

// IOStats counts the reads of whatever streams the target's weights.
type IOStats struct {
	BytesRead     int64   `json:"bytes_read"`
	IOSeconds     float64 `json:"io_seconds"`      // during which at least one read was under way
	IOWaitSeconds float64 `json:"io_wait_seconds"` // that the target waited for reads

	// Of a mixture of experts: how many experts passes asked for, over all layers; how many of them were read, as they were not in memory, which is a
	// part of BytesRead; and the part of IOWaitSeconds that was for them.
	Experts           int64   `json:"experts,omitempty"`
	ExpertReads       int64   `json:"expert_reads,omitempty"`
	ExpertBytes       int64   `json:"expert_bytes_read,omitempty"`
	ExpertWaitSeconds float64 `json:"expert_wait_seconds,omitempty"`
}

// since returns what was counted after start.
func (s IOStats) since(start IOStats) IOStats {
	s.BytesRead -= start.BytesRead
	s.IOSeconds -= start.IOSeconds
	s.IOWaitSeconds -= start.IOWaitSeconds
	s.Experts -= start.Experts
	s.ExpertReads -= start.ExpertReads
	s.ExpertBytes -= start.ExpertBytes
	s.ExpertWaitSeconds -= start.ExpertWaitSeconds
	return s
}

// close fills in what follows from the end of a generation.
func (s *Stats) close(elapsed time.Duration, tokens int, io IOStats) {
	s.Tokens, s.IOStats, s.Seconds = tokens, io, elapsed.Seconds()
	s.ComputeSeconds = max(0, s.ComputeSeconds-io.IOWaitSeconds)
	if s.Seconds > 0 {
		s.TokensPerSecond = float64(tokens-s.First) / s.Seconds
	}
	if s.Passes > 0 {
		s.AcceptedPerPass = float64(tokens-s.First) / float64(s.Passes)
	}
}

// forecast compares what a policy predicted with what came of it.
type forecast struct {
	policy   Forecaster // nil if the policy predicts nothing
	accepted float64    // sum of predictions
	passes   int
	errors   []float64 // of the time of each pass, relative
}

func (f *forecast) reset(p Policy, maxPasses int) {
	f.policy, _ = p.(Forecaster)
	f.accepted, f.passes, f.errors = 0, 0, f.errors[:0]
	if f.policy != nil {
		f.errors = slices.Grow(f.errors, maxPasses)
	}
}

// compare takes in the time of a pass.
func (f *forecast) compare(seconds float64) {
	if f.policy == nil {
		return
	}
	accepted, predicted := f.policy.Forecast()
	f.accepted += accepted
	f.passes++
	if predicted > 0 && seconds > 0 {
		f.errors = append(f.errors, math.Abs(predicted-seconds)/seconds)
	}
}

// close adds the comparison to s.
func (f *forecast) close(s *Stats) {
	if f.passes > 0 {
		s.PredictedPerPass = f.accepted / float64(f.passes)
	}
	if n := len(f.errors); n > 0 {
		slices.Sort(f.errors)
		s.PassTimeError = (f.errors[(n-1)/2] + f.errors[n/2]) / 2
	}
}
