package policies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
	"golang.org/x/sync/errgroup"
)

// CheckBudgets are the numbers of drafted tokens with which [Check] runs every policy.
var CheckBudgets = []int{1, 2, 7, 16, 64}

// CheckOptions say what [Check] compares. Pairs and Sets must be set.
type CheckOptions struct {
	Pairs   []Pair
	Sets    []bench.Set
	Kernels []string // sets; if nil, all that this processor has
	Budgets []int    // if nil, CheckBudgets
	Prompts int      // of each set; if zero, all
	Tokens  int      // of each answer; if zero, 32
	// Threads is the number of workers of each model; if zero, one. Several models, of a number that keeps all processors busy, share the
	// prompts.
	Threads int
	// Progress, if not nil, is called with the number of answers done. Calls do not overlap.
	Progress func(done, total int)
}

// Pair is a target with its draft, and how it is named.
type Pair struct {
	Name          string
	Model, Draft  string
	StreamingDRAM int64 // memory for the target when it is streamed
}

// CheckReport is the result of [Check].
type CheckReport struct {
	Machine bench.Machine `json:"machine"`
	Cells   []CheckCell   `json:"cells"`
	// Differences tells of the first few.
	Differences []Difference `json:"differences,omitempty"`
}

// CheckCell counts the answers of one pair, kernel set and way of reading, with all policies and budgets.
type CheckCell struct {
	Pair      string `json:"pair"`
	Kernels   string `json:"kernels"`
	Mode      string `json:"mode"` // resident or streamed
	Prompts   int    `json:"prompts"`
	Answers   int    `json:"answers"`
	Tokens    int    `json:"tokens"`
	Passes    int    `json:"passes"`
	Different int    `json:"different"`
}

// Difference is an answer that is not plain decoding's.
type Difference struct {
	Pair, Kernels, Mode, Policy, Prompt string
	Budget                              int
	Want, Got                           []int32
}

const (
	resident = "resident"
	streamed = "streamed"
	// mostDifferences bounds those that are reported in full.
	mostDifferences = 20
)

// Different returns the number of answers that are not plain decoding's.
func (r *CheckReport) Different() (n int) {
	for _, c := range r.Cells {
		n += c.Different
	}
	return n
}

// Answers returns the number of answers that were compared.
func (r *CheckReport) Answers() (n int) {
	for _, c := range r.Cells {
		n += c.Answers
	}
	return n
}

// WriteTable writes the report as text.
func (r *CheckReport) WriteTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n\nmodels\tkernels\tweights\tprompts\tanswers\ttokens\tpasses\tdifferent\n", r.Machine)
	for _, c := range r.Cells {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", c.Pair, c.Kernels, c.Mode, c.Prompts, c.Answers, c.Tokens, c.Passes, c.Different)
	}
	fmt.Fprintf(w, "%s compared with plain decoding: %d differ\n", plural.Of(r.Answers(), "answer"), r.Different())
	for _, d := range r.Differences {
		fmt.Fprintf(w, "%s, %s, %s, %s of %d, prompt %s: %v, want %v\n", d.Pair, d.Kernels, d.Mode, d.Policy, d.Budget, d.Prompt, d.Got, d.Want)
	}
	return w.Flush()
}

// check is a check on its way.
type check struct {
	CheckOptions
	prompts  []bench.Prompt
	policies []string // that are compared with plain decoding, of the pair that is being checked
	total    int      // answers

	mu     sync.Mutex // guards what follows
	report CheckReport
	done   int // of total
}

// Check compares the greedy answers of all policies and budgets, resident and streamed, with every kernel set, to those of plain decoding
// by the resident target with the same kernels. Policies that a pair's draft model is not good for are left out.
func Check(ctx context.Context, o CheckOptions) (*CheckReport, error) {
	if o.Kernels == nil {
		o.Kernels = kernels.Sets()
	}
	if o.Budgets == nil {
		o.Budgets = CheckBudgets
	}
	if o.Tokens == 0 {
		o.Tokens = 32
	}
	o.Threads = max(o.Threads, 1)
	c := &check{CheckOptions: o, report: CheckReport{Machine: bench.ThisMachine()}}
	for _, s := range o.Sets {
		prompts := s.Prompts
		if o.Prompts > 0 {
			prompts = prompts[:min(o.Prompts, len(prompts))]
		}
		c.prompts = append(c.prompts, prompts...)
	}
	used := make([][]string, len(o.Pairs))
	for i, pair := range o.Pairs {
		var err error
		if used[i], err = policiesOf(ctx, pair); err != nil {
			return nil, fmt.Errorf("policies: check: %s: %w", pair.Name, err)
		}
		c.total += 2 * len(o.Kernels) * len(c.prompts) * (1 + len(used[i])*len(o.Budgets))
	}
	for i, pair := range o.Pairs {
		c.policies = used[i]
		for _, set := range o.Kernels {
			want := make([][]int32, len(c.prompts))
			for _, mode := range []string{resident, streamed} {
				if err := c.cell(ctx, pair, set, mode, want); err != nil {
					return nil, fmt.Errorf("policies: check: %s, %s, %s: %w", pair.Name, set, mode, err)
				}
			}
		}
	}
	return &c.report, nil
}

// policiesOf returns the policies that draft with a pair.
func policiesOf(ctx context.Context, pair Pair) (names []string, err error) {
	engine, err := lever.Open(ctx, lever.Config{Model: pair.Model, Draft: pair.Draft})
	if err != nil {
		return nil, err
	}
	for _, kind := range lever.Policies {
		if kind.Name != plainName && engine.CheckPolicy(kind) == nil {
			names = append(names, kind.Name)
		}
	}
	return names, engine.Close()
}

// cell checks one pair, kernel set and mode. want are the answers by prompt; the first to come, plain decoding's, fills it.
func (c *check) cell(ctx context.Context, pair Pair, set, mode string, want [][]int32) error {
	c.report.Cells = append(c.report.Cells, CheckCell{Pair: pair.Name, Kernels: set, Mode: mode, Prompts: len(c.prompts)})
	workers := max(1, min(runtime.NumCPU()/c.Threads, len(c.prompts)))
	group, ctx := errgroup.WithContext(ctx)
	for first := range workers {
		group.Go(func() error { return c.share(ctx, pair, set, mode, first, workers, want) })
	}
	return group.Wait()
}

// share checks every step-th prompt from first on.
func (c *check) share(ctx context.Context, pair Pair, set, mode string, first, step int, want [][]int32) (err error) {
	cfg := lever.Config{Model: pair.Model, Draft: pair.Draft, Threads: c.Threads, Kernels: set}
	if mode == streamed {
		cfg.DRAM = pair.StreamingDRAM
	}
	engine, err := lever.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	answerAll := func(policy string, budget int) error {
		options := engine.SpecOptions()
		options.Budget = budget
		var err error
		if options.Policy, err = lever.NewPolicy(policy, budget); err != nil {
			return err
		}
		generator, err := spec.NewGenerator(options)
		if err != nil {
			return err
		}
		for i := first; i < len(c.prompts); i += step {
			prompt, err := engine.Encode(ctx, c.prompts[i].Request())
			if err != nil {
				return err
			}
			got, err := generator.Generate(ctx, spec.Request{Prompt: prompt, MaxTokens: c.Tokens, StopTokens: engine.Tokenizer().EOS()}, nil)
			if err != nil {
				return fmt.Errorf("%s of %d, prompt %s: %w", policy, budget, c.prompts[i].ID, err)
			}
			if want[i] == nil {
				want[i] = got.Tokens
			}
			c.count(policy, budget, c.prompts[i].ID, got, want[i])
		}
		return nil
	}
	if err := answerAll(plainName, 1); err != nil {
		return err
	}
	for _, policy := range c.policies {
		for _, budget := range c.Budgets {
			if err := answerAll(policy, budget); err != nil {
				return err
			}
		}
	}
	return nil
}

// count adds an answer to the cell that is being checked.
func (c *check) count(policy string, budget int, prompt string, got spec.Result, want []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cell := &c.report.Cells[len(c.report.Cells)-1]
	cell.Answers++
	cell.Tokens += len(got.Tokens)
	cell.Passes += got.Stats.Passes
	if !slices.Equal(got.Tokens, want) {
		cell.Different++
		if len(c.report.Differences) < mostDifferences {
			c.report.Differences = append(c.report.Differences,
				Difference{cell.Pair, cell.Kernels, cell.Mode, policy, prompt, budget, want, got.Tokens})
		}
	}
	if c.done++; c.Progress != nil {
		c.Progress(c.done, c.total)
	}
}
