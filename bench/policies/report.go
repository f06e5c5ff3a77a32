package policies

import (
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/spec"
	"gonum.org/v1/gonum/stat"
)

// Report is the result of [Run], and its JSON form.
type Report struct {
	Machine  bench.Machine `json:"machine"`
	Began    time.Time     `json:"began"`
	Seconds  float64       `json:"seconds"`
	Settings Settings      `json:"settings"`
	// Overrun is the share of the time of reads by which this machine was slower than the simulated device. It should be small.
	Overrun float64  `json:"overrun_share"`
	Results []Result `json:"results"` // by set, then policy
	Summary Summary  `json:"summary"`
}

// Settings are what a comparison was made with.
type Settings struct {
	Model       string    `json:"model"`
	Draft       string    `json:"draft"`
	DRAM        int64     `json:"dram_bytes"`
	Flash       string    `json:"flash"` // the profile's name
	Bandwidth   float64   `json:"flash_bytes_per_second"`
	PassBytes   int64     `json:"pass_bytes"` // what the bytes that a pass streams count for
	PassSeconds float64   `json:"pass_seconds"`
	Scale       float64   `json:"scale"`           // every byte that is read counts as that many
	Devices     int       `json:"devices_per_set"` // at work at the same time
	Variants    []Variant `json:"policies"`
	LeftOut     []string  `json:"policies_left_out,omitempty"` // as [LeftOut] returns them
	Tokens      int       `json:"tokens"`
	PlainTokens int       `json:"plain_tokens"`
	WarmTokens  int       `json:"warm_up_tokens"`
	Prompts     []string  `json:"prompts"`
}

func (r *run) settings() Settings {
	s := Settings{
		Model: filepath.Base(r.Model), Draft: filepath.Base(r.Draft), DRAM: r.DRAM, Flash: r.Flash.Name, PassBytes: r.PassBytes, Scale: r.scale, Devices: r.Devices,
		Variants: r.Variants, LeftOut: r.leftOut, Tokens: r.Tokens, PlainTokens: r.PlainTokens, WarmTokens: r.WarmTokens,
	}
	for _, row := range r.Flash.BytesPerSecond {
		s.Bandwidth = max(s.Bandwidth, slices.Max(row))
	}
	s.PassSeconds = float64(s.PassBytes) / s.Bandwidth
	for _, texts := range r.texts {
		for _, t := range texts {
			s.Prompts = append(s.Prompts, t.id)
		}
	}
	return s
}

// Result is what a policy reached on a data set.
type Result struct {
	Set    string `json:"set"`
	Policy string `json:"policy"`

	Tokens          int     `json:"tokens"`
	Passes          int     `json:"passes"`
	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	AcceptedPerPass float64 `json:"accepted_per_pass"`
	DraftedPerPass  float64 `json:"drafted_per_pass"`
	// Parts of a pass, means: growing the tree; running the target, and how much of that it waited for reads.
	DraftSeconds  float64 `json:"draft_seconds_per_pass"`
	VerifySeconds float64 `json:"verify_seconds_per_pass"`
	WaitSeconds   float64 `json:"wait_seconds_per_pass"`
	PassSeconds   float64 `json:"median_pass_seconds"`
	// AcceptedByCount is the number of passes that added 0, 1, 2 … tokens.
	AcceptedByCount []int `json:"accepted_by_count"`

	// Roofline is the tokens/s of as many accepted tokens per pass if passes took no longer than their reads.
	Roofline      float64 `json:"roofline_tokens_per_second"`
	RooflineShare float64 `json:"roofline_share"`

	// Of policies that predict: the median over passes of |predicted - measured| / measured time; predicted ÷ accepted tokens of
	// all passes, and the standard error of that which comes from the chance in so few passes.
	PassTimeError     float64 `json:"pass_time_error,omitempty"`
	PredictedAccepted float64 `json:"predicted_accepted_ratio,omitempty"`
	AcceptedChance    float64 `json:"predicted_accepted_standard_error,omitempty"`
	// Overhead is the policy's own work, as a share of all time: all of growing but the draft model's work, and learning.
	Overhead        float64 `json:"overhead_share"`
	OverheadSeconds float64 `json:"median_overhead_seconds"` // of a pass

	// Differences is the number of answers that are not those of plain decoding.
	Differences int            `json:"differences"`
	Answers     []AnswerResult `json:"answers"`
}

// AnswerResult is one answer of a policy.
type AnswerResult struct {
	Prompt  string  `json:"prompt"`
	Tokens  int     `json:"tokens"`
	Passes  int     `json:"passes"`
	Seconds float64 `json:"seconds"`
	Trace   []Pass  `json:"trace,omitempty"`
}

// answer is what a variant's answer to one prompt took.
type answer struct {
	prompt string
	stats  spec.Stats
	passes []Pass
	equal  bool // to plain decoding's
}

// result sums up the answers of a policy.
func (r *run) result(set, policy string, answers []answer) Result {
	s := Result{Set: set, Policy: policy}
	var draft, verify, wait, overhead, drafted, predicted float64
	var seconds, overheads, timeErrors, misses []float64
	for _, a := range answers {
		s.Tokens += a.stats.Tokens
		s.Passes += a.stats.Passes
		s.Seconds += a.stats.Seconds
		draft += a.stats.DraftSeconds
		wait += a.stats.IOWaitSeconds
		verify += a.stats.ComputeSeconds + a.stats.IOWaitSeconds
		drafted += float64(a.stats.Drafted)
		for _, p := range a.passes {
			seconds, overheads = append(seconds, p.Seconds), append(overheads, p.Overhead)
			overhead += p.Overhead
			predicted += p.PredictedAccepted
			misses = append(misses, p.PredictedAccepted-float64(p.Accepted))
			for len(s.AcceptedByCount) <= p.Accepted {
				s.AcceptedByCount = append(s.AcceptedByCount, 0)
			}
			s.AcceptedByCount[p.Accepted]++
			if p.PredictedSeconds > 0 {
				timeErrors = append(timeErrors, math.Abs(p.PredictedSeconds/p.Seconds-1))
			}
		}
		if !a.equal {
			s.Differences++
		}
		result := AnswerResult{Prompt: a.prompt, Tokens: a.stats.Tokens, Passes: a.stats.Passes, Seconds: a.stats.Seconds}
		if r.Trees {
			result.Trace = a.passes
		}
		s.Answers = append(s.Answers, result)
	}
	passes := float64(s.Passes)
	s.TokensPerSecond = float64(s.Tokens) / s.Seconds
	s.AcceptedPerPass = float64(s.Tokens) / passes
	s.DraftedPerPass = drafted / passes
	s.DraftSeconds, s.VerifySeconds, s.WaitSeconds = draft/passes, verify/passes, wait/passes
	s.PassSeconds, s.OverheadSeconds = bench.Median(seconds), bench.Median(overheads)
	s.Overhead = overhead / s.Seconds
	s.Roofline = s.AcceptedPerPass / r.settings().PassSeconds
	s.RooflineShare = s.TokensPerSecond / s.Roofline
	if len(timeErrors) > 0 {
		s.PassTimeError = bench.Median(timeErrors)
		s.PredictedAccepted = predicted / float64(s.Tokens)
	}
	if len(timeErrors) > 1 {
		s.AcceptedChance = stat.StdDev(misses, nil) * math.Sqrt(passes) / float64(s.Tokens)
	}
	return s
}

// Goals of the comparison, beside [bench.PaperOverPlain] and [bench.PaperOverChain]: lever's share of the roofline, and the largest median
// error of its predictions.
const (
	GoalRoofline = 0.90
	GoalError    = 0.10 // of predictions
)

// Summary is what the policy lever is ahead by. Ratios are of tokens/s, means geometric.
type Summary struct {
	Mean          []Mean  `json:"geometric_means"` // by policy
	OverPlain     float64 `json:"lever_over_plain"`
	BestChain     string  `json:"best_chain"` // the fixed chain of the largest mean
	OverBestChain float64 `json:"lever_over_best_chain"`
	// Behind are the policies that are at least as fast as lever on a data set.
	Behind   []Lead  `json:"behind,omitempty"`
	Leads    []Lead  `json:"leads"` // of lever over every other policy on every set
	Roofline float64 `json:"roofline_share"`
	// PassTimeError and AcceptedError are medians over the data sets of lever's PassTimeError and of |PredictedAccepted - 1|.
	PassTimeError float64 `json:"pass_time_error"`
	AcceptedError float64 `json:"accepted_error"`
	Differences   int     `json:"differences"`
	Compared      int     `json:"answers_compared"`
}

// Mean is a policy's mean over the data sets.
type Mean struct {
	Policy          string  `json:"policy"`
	TokensPerSecond float64 `json:"tokens_per_second"`
	AcceptedPerPass float64 `json:"accepted_per_pass"`
}

// Lead is the ratio of lever's tokens/s to another policy's on a data set.
type Lead struct {
	Set    string  `json:"set"`
	Policy string  `json:"policy"`
	Ratio  float64 `json:"ratio"`
}

// find returns the result of a policy on a set.
func (r *Report) find(set, policy string) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.Set == set && x.Policy == policy })
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}

// sets returns the names of the data sets in order.
func (r *Report) sets() (names []string) {
	for _, x := range r.Results {
		if !slices.Contains(names, x.Set) {
			names = append(names, x.Set)
		}
	}
	return names
}

// summarise fills in the summary.
func (r *Report) summarise() {
	s := &r.Summary
	best := 0.0
	for _, c := range r.Settings.Variants {
		var rates, accepted []float64
		for _, set := range r.sets() {
			x, _ := r.find(set, c.Name)
			rates, accepted = append(rates, x.TokensPerSecond), append(accepted, x.AcceptedPerPass)
		}
		m := Mean{c.Name, bench.GeometricMean(rates), bench.GeometricMean(accepted)}
		s.Mean = append(s.Mean, m)
		if c.Policy == chainName && m.TokensPerSecond > best {
			best, s.BestChain = m.TokensPerSecond, c.Name
		}
	}
	s.OverPlain, s.OverBestChain = r.over(plainName), r.over(s.BestChain)
	var shares, timeErrors, acceptedErrors []float64
	for _, x := range r.Results {
		s.Differences += x.Differences
		s.Compared += len(x.Answers)
		mine, found := r.find(x.Set, leverName)
		switch {
		case x.Policy == leverName:
			shares = append(shares, x.RooflineShare)
			timeErrors = append(timeErrors, x.PassTimeError)
			acceptedErrors = append(acceptedErrors, math.Abs(x.PredictedAccepted-1))
		case found:
			lead := Lead{x.Set, x.Policy, mine.TokensPerSecond / x.TokensPerSecond}
			s.Leads = append(s.Leads, lead)
			if lead.Ratio <= 1 {
				s.Behind = append(s.Behind, lead)
			}
		}
	}
	if len(shares) > 0 {
		s.Roofline = bench.GeometricMean(shares)
		s.PassTimeError, s.AcceptedError = bench.Median(timeErrors), bench.Median(acceptedErrors)
	}
}

// mean returns a variant's means; zero if it was not compared.
func (r *Report) mean(name string) Mean {
	for _, m := range r.Summary.Mean {
		if m.Policy == name {
			return m
		}
	}
	return Mean{}
}

// over returns the geometric mean of lever's tokens/s over another policy's; 0 if one of them was not compared.
func (r *Report) over(policy string) float64 {
	var ratios []float64
	for _, set := range r.sets() {
		mine, ok := r.find(set, leverName)
		other, found := r.find(set, policy)
		if !ok || !found {
			return 0
		}
		ratios = append(ratios, mine.TokensPerSecond/other.TokensPerSecond)
	}
	return bench.GeometricMean(ratios)
}
