package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/baseline"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tensor"
)

// modelFlags are the flags that say which models to use and how to generate with them.
type modelFlags struct {
	model, draft string
	template     string
	draftMask    *int32 // nil if it is not given
	dram         dramSize
	context      int
	parallel     int // generations at once; 0 where there is no such flag
	kv           string
	threads      int
	bigCores     bool
	profile      string
	machine      *profile.Profile // named by profile, since open; nil without
	flash, trace string
	remember     string
	throttle     *flashsim.Throttle // of flash, since open; nil without
	npu          npuFlags

	maxTokens int
	sampling  sampling.Options
	penalties penaltyFlags
	stop      []string
	noThink   bool

	policy  string
	budget  int
	prune   pruneShare
	minProb float32
}

func (f *modelFlags) register(flags *pflag.FlagSet) {
	flags.Var(cli.PathFlag(&f.model), "model", "target model: a store, a Hugging Face folder or a GGUF file (default: the embedded demo)")
	flags.Var(cli.PathFlag(&f.draft), "draft", "draft model, given in the same ways (default: none; the demo brings its own)")
	flags.Var(cli.PathFlag(&f.template), "chat-template", "file with a Jinja template that takes the place of the model's own chat template")
	flags.Func("draft-mask-token", "`id` of the token by which the draft predicts several tokens at once (default: what its configuration names)", f.setDraftMask)
	flags.Var(&f.dram, "dram", dramHelp)
	flags.IntVar(&f.context, "context", 0, "most tokens of prompt and answer together (default: the model's own limit, at most 8192)")
	flags.StringVar(&f.kv, "kv", "f16", "type of the cached keys and values: f16; q8_0 for about half the memory, rounded to bytes; q4_0 for two fifths, keys in q8_0 and values in q4_0; or f32 for twice and no rounding")
	flags.IntVar(&f.threads, "threads", 0, "worker threads (default: one per performance core)")
	flags.BoolVar(&f.bigCores, "big-cores", false, "keep the workers on the performance cores, where the processor has slower ones too")
	flags.StringVar(&f.profile, "profile", "", "what lever profile measured, for read sizes and the lever policy (default: profile.json in the cache folder, if it is there)")
	flags.StringVar(&f.flash, "flash-profile", "", "read the target at the speed of another flash device: "+strings.Join(flashsim.ProfileNames(), ", ")+", or a file")
	flags.StringVar(&f.trace, "trace", "", "write what was read and computed when to this file, for chrome://tracing or Perfetto")
	flags.Var(cli.PathFlag(&f.remember), "remember", "keep the tokens of answers in this file, and draft from them when they come again (default: nothing is kept)")
	f.npu.register(flags)
	flags.IntVar(&f.maxTokens, "max-tokens", 256, "most tokens to generate; 0: until the model stops")
	flags.Float32Var(&f.sampling.Temperature, "temperature", 0, "0: always the most likely token; higher: more varied")
	flags.IntVar(&f.sampling.TopK, "top-k", 0, "sample from the k most likely tokens only; 0 samples from all")
	flags.Float32Var(&f.sampling.TopP, "top-p", 1, "sample from the most likely tokens that make up this probability")
	flags.Float32Var(&f.sampling.MinP, "min-p", 0, "leave out tokens less likely than this share of the most likely one")
	f.penalties.register(flags)
	flags.Uint64Var(&f.sampling.Seed, "seed", 0, "seed of the sampling; the same seed gives the same text")
	flags.StringArrayVar(&f.stop, "stop", nil, "end the text before this string (can be repeated)")
	flags.BoolVar(&f.noThink, "no-think", false, "ask a thinking model to answer at once")
	flags.StringVar(&f.policy, "policy", "", "what is drafted: "+strings.Join(lever.PolicyNames(), ", ")+" (default: lever if there is a draft, else none)")
	flags.IntVar(&f.budget, "budget", 0, fmt.Sprintf("most tokens drafted for one pass of the target, up to %d; 0: what suits the policy", lever.MaxBudget))
	flags.Var(&f.prune, "prune", "drop drafted tokens half-way through the target: auto, off, or the share of the expected accepted tokens to give up, up to 1")
	flags.Float32Var(&f.minProb, "min-prob", 0, "with --policy chain: stop drafting before a token that the draft finds less likely than this")
}

func (f *modelFlags) setDraftMask(text string) error {
	id, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("%q is not the id of a token", text)
	}
	f.draftMask = new(int32(id))
	return nil
}

// kvTypes are the values of --kv.
var kvTypes = map[string]tensor.DType{"f16": tensor.F16, "f32": tensor.F32, "q8_0": tensor.Q8_0, "q4_0": tensor.Q4_0}

// open opens the models that the flags name.
func (f *modelFlags) open(ctx context.Context, bar *cli.Progress) (*lever.Engine, error) {
	cfg := lever.Config{
		Threads:  f.threads,
		BigCores: f.bigCores,
		Context:  f.context,
		Parallel: f.parallel,
		KV:       kvTypes[f.kv],
		Trace:    f.trace,
		Remember: f.remember,

		KeepLearned: true,
		Prune:       f.prune.share,
		Progress:    func(p lever.Progress) { bar.Update(p.Task, p.Done, p.Total) },
	}
	if f.parallel > 0 {
		cfg.NewPolicy = func(e *lever.Engine) (spec.Policy, error) {
			kind, err := f.policyKind(e)
			if err != nil {
				return nil, err
			}
			return f.newPolicy(e, kind, cmp.Or(f.budget, kind.Budget))
		}
	}
	var err error
	if f.template != "" {
		if cfg.ChatTemplate, err = readTemplate(f.template); err != nil {
			return nil, err
		}
	}
	if f.flash != "" {
		if f.throttle, err = cli.NewThrottle(f.flash); err != nil {
			return nil, err
		}
		cfg.OpenFile = f.throttle.Opener(nil)
	} else {
		// What was measured of this machine's flash says nothing about another's.
		if f.machine, err = loadProfile(f.profile); err != nil {
			return nil, err
		}
		if f.machine != nil {
			cfg.ReadSize, cfg.ReadDepth = int(f.machine.Flash.BestSize), f.machine.Flash.BestDepth
		}
	}
	if cfg.Model, cfg.Draft, err = cli.ChooseModels(ctx, f.model, f.draft); err != nil {
		return nil, err
	}
	cfg.DraftMask = f.draftMask
	if policy, err := lever.FindPolicy(f.policy); err == nil && policy.Draft == spec.DraftUnused {
		cfg.Draft = ""
	}
	dram, note := f.dram.fit(cfg.Model, cfg.Draft)
	if note != "" {
		fmt.Fprintln(cli.Stderr, note)
	}
	if dram.auto {
		cfg.Memory = int64(dram.ByteSize)
	} else {
		cfg.DRAM = int64(dram.ByteSize)
	}
	cfg.NPU, cfg.Placement = f.npu.open(ctx), f.npu.placement
	if f.machine != nil && f.machine.NPU != nil && f.machine.NPU.Driver == f.npu.device && f.machine.Kernels == kernels.Default().Name() {
		cfg.CPUCosts, cfg.NPUCosts = f.machine.NPU.CPU, f.machine.NPU.Costs
	}
	defer bar.Close()
	engine, err := lever.Open(ctx, cfg)
	if small := dram.tooSmall(err, cfg.Model); small != nil {
		return nil, small
	}
	if err == nil && os.Getenv("GOGC") == "" {
		// What remains on the heap are buffers that stay, most of them large and empty of pointers: looking through them is cheap, and waiting
		// until as much garbage has gathered, as Go does by itself, would waste memory that weights could have.
		debug.SetGCPercent(10)
	}
	if err == nil {
		noteIgnored(ctx, cli.Stderr, engine)
		f.noteUnpruned(cli.Stderr, engine)
	}
	return engine, err
}

// check reports flags that cannot be meant.
func (f *modelFlags) check() error {
	policy, err := lever.FindPolicy(f.policy)
	switch {
	case f.policy != "" && err != nil:
		return cli.UsageErrorf("unknown policy %q; choose from %s", f.policy, strings.Join(lever.PolicyNames(), ", "))
	case f.policy != "" && policy.Draft.Required() && f.model != "" && f.draft == "":
		return cli.UsageErrorf("policy %s needs a draft model; name one with --draft", f.policy)
	case f.draftMask != nil && f.model != "" && f.draft == "":
		return cli.UsageErrorf("--draft-mask-token is one of a draft model; name that with --draft")
	case f.budget < 0 || f.budget > lever.MaxBudget:
		return cli.UsageErrorf("--budget %d is outside 0..%d; 0 is what suits the policy", f.budget, lever.MaxBudget)
	case !(f.minProb >= 0 && f.minProb <= 1) || f.minProb > 0 && f.policy != baseline.ChainKind.Name:
		return cli.UsageErrorf("--min-prob is a probability for --policy chain")
	case kvTypes[f.kv] == tensor.Invalid:
		return cli.UsageErrorf("unknown type %q of keys and values; choose f16, q8_0, q4_0 or f32", f.kv)
	case slices.Contains(f.stop, ""):
		return cli.UsageErrorf("--stop needs a string that is not empty")
	}
	if _, err := sampling.New(f.sampling); err != nil {
		return samplingError(err)
	}
	if err := f.penalties.check(); err != nil {
		return err
	}
	return f.npu.check()
}

// request returns the request that the flags describe for an engine.
func (f *modelFlags) request(engine *lever.Engine) (req lever.Request, policy string, err error) {
	kind, err := f.policyKind(engine)
	if err == nil {
		err = f.penalties.checkFor(engine.Tokenizer().Size())
	}
	if err != nil {
		return req, "", err
	}
	req = lever.Request{
		NoThinking:  f.noThink,
		MaxTokens:   f.maxTokens,
		Sampling:    f.sampling,
		Penalties:   f.penalties.Penalties,
		StopStrings: f.stop,
		Budget:      cmp.Or(f.budget, kind.Budget),
	}
	if f.parallel == 0 {
		req.Policy, err = f.newPolicy(engine, kind, req.Budget)
	}
	return req, kind.Name, err
}

// policyKind returns the kind of policy that the flags ask for.
func (f *modelFlags) policyKind(engine *lever.Engine) (spec.PolicyKind, error) {
	switch {
	case f.policy != "":
		kind, err := lever.FindPolicy(f.policy)
		if err == nil {
			err = engine.CheckPolicy(kind)
		}
		return kind, err
	case engine.HasDraft() || engine.Answers() != nil:
		return gaincost.LeverKind, nil
	}
	return spec.NoneKind, nil
}

// newPolicy makes a policy of a kind.
func (f *modelFlags) newPolicy(engine *lever.Engine, kind spec.PolicyKind, budget int) (spec.Policy, error) {
	switch kind.Name {
	case gaincost.LeverKind.Name:
		costs, err := profiledCosts(f.machine, engine)
		if err != nil {
			return nil, err
		}
		return engine.NewLever(gaincost.LeverOptions{Costs: costs, Budget: budget})
	case gaincost.NGramKind.Name:
		return gaincost.NewNGram(gaincost.NGramOptions{Budget: budget, Lookup: gaincost.LookupOptions{Answers: engine.Answers()}})
	case baseline.ChainKind.Name:
		return baseline.NewChain(budget, f.minProb)
	}
	return kind.New(budget)
}

// samplingError returns an error about a number of the sampling, which is called like its flag.
func samplingError(err error) error {
	return cli.UsageError(fmt.Errorf("--%s", strings.TrimPrefix(err.Error(), "sampling: ")))
}
