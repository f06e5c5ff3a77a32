package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/lever-go/lever/bench/endtoend"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
)

// endToEndFlags are the flags of endtoend.
type endToEndFlags struct {
	endtoend.Options
	dram   cli.ByteSize
	flash  string
	beside []string
	peers  []string
	groups []string
	tokens []int // of the peers' answers
	fresh  []int
	rows   []int
}

func newEndToEndExperiment() *experiment {
	f := &endToEndFlags{}
	return &experiment{
		name:  "endtoend",
		short: "Measure whole generations: plain, chains and lever from flash, and plain in memory",
		long: `Measure whole generations of a target that is larger than its memory: plain decoding, chains of drafted tokens and the policy lever, which
stream the target from flash, and plain decoding with all weights in memory. Without --model the demo pair runs, which is so small that what
else happens for a token counts most; inflate makes models of real size.`,
		example: `  lever-bench endtoend
  lever-bench endtoend --model llama-8b.lever --draft llama-1b.lever --dram 1072MiB
  lever-bench endtoend --fresh 16,32,64 --flash-profile ufs-4.0
  lever-bench endtoend --model llama-8b.lever --draft llama-1b.lever --dram 1GiB --flash-profile ufs-4-measured --cpu-share 0.5
  lever-bench endtoend --model llama-8b.lever --draft llama-1b.lever --dram 1GiB --peer 'llama.cpp b6000=http://127.0.0.1:8080/v1'
  lever-bench endtoend --model llama-1b.lever --all-in-memory 8,16,64,512 --peer 'llama.cpp b6000=http://127.0.0.1:8080/v1'`,
		variants: []string{phoneName, memoryName, freshName},
		flags:    f.register,
		run:      f.run,
	}
}

func (f *endToEndFlags) register(flags *pflag.FlagSet) {
	registerPair(flags, &f.Model, &f.Draft)
	flags.Var(&f.dram, "dram", "memory for the target's weights, less than they need (default: 4MiB, for the demo)")
	flags.IntVar(&f.Threads, "threads", 0, "worker threads (default: one per performance core)")
	flags.IntVar(&f.Prompts, "prompts-per-set", 0, "prompts of each set (default: 1)")
	flags.IntVar(&f.Tokens, "tokens", 0, "most tokens of an answer (default: 48)")
	flags.IntVar(&f.PlainTokens, "plain-tokens", 0, "most tokens of an answer of plain decoding from flash (default: 8)")
	flags.IntSliceVar(&f.Chains, "chains", nil, "lengths of chains (default: 4,8)")
	flags.IntSliceVar(&f.fresh, "fresh", nil, "instead measure first answers of so many tokens, each with models opened anew: a list such as 16,32,64")
	flags.BoolVar(&f.Resident, "in-memory", true, "also decode plainly with all weights in memory")
	flags.StringArrayVar(&f.beside, "beside", nil, "NAME=RATE: what another program was measured to reach in the same memory, in tokens/s, to set beside lever (can be repeated)")
	flags.StringArrayVar(&f.peers, "peer", nil, "NAME=URL: a server of another program with the same target, such as 'llama.cpp b6000 -t 2=http://127.0.0.1:8080/v1', that answers the same prompts by turns (can be repeated)")
	flags.StringArrayVar(&f.groups, "peer-group", nil, "folder of the memory control group of the peer in the same place of the list")
	flags.IntSliceVar(&f.tokens, "peer-tokens", nil, "most tokens of an answer of the peer in the same place of the list, or 0 (default: as --tokens)")
	flags.StringVar(&f.Record, "record", "", "file that answers are kept in as they come: a run that was ended goes on with those that it lacks")
	flags.IntSliceVar(&f.rows, "all-in-memory", nil, "instead measure the model with all weights in memory, with prompts of so many tokens, beside peers: a list such as 8,16,64,512")
	flags.Float64Var(&f.CPUShare, "cpu-share", 0, "with --flash-profile: how fast this machine computes as a part of the phone's speed; reads are slowed as much, so that reading takes the same part of the time as on the phone")
	flags.StringVar(&f.flash, "flash-profile", "", "read the target at the speed of another flash device: the name or file of a profile")
}

func (f *endToEndFlags) run(ctx context.Context, c experimentFlags) (*report.Report, error) {
	if f.Model != "" && (f.Draft == "" || f.dram == 0) && f.rows == nil {
		return nil, cli.UsageErrorf("--model needs --draft and --dram")
	}
	o := f.Options
	var err error
	if o.Sets, err = c.loadSets(); err != nil {
		return nil, err
	}
	for _, text := range f.beside {
		name, rate, _ := strings.Cut(text, "=")
		other := endtoend.Other{Name: name}
		if other.Rate, err = strconv.ParseFloat(rate, 64); err != nil || name == "" {
			return nil, cli.UsageErrorf("--beside %q is no NAME=RATE", text)
		}
		o.Beside = append(o.Beside, other)
	}
	if max(len(f.groups), len(f.tokens)) > len(f.peers) {
		return nil, cli.UsageErrorf("--peer-group or --peer-tokens is given more often than --peer")
	}
	for i, text := range f.peers {
		name, url, _ := cutLast(text, "=http")
		peer := endtoend.Peer{Name: name, URL: "http" + url}
		if i < len(f.groups) {
			peer.Group = f.groups[i]
		}
		if i < len(f.tokens) {
			peer.Tokens = f.tokens[i]
		}
		o.Peers = append(o.Peers, peer)
	}
	if f.CPUShare != 0 && f.flash == "" {
		return nil, cli.UsageErrorf("--cpu-share needs --flash-profile")
	}
	o.DRAM = int64(f.dram)
	if o.Model == "" {
		setDefault(&o.DRAM, demoDRAM)
		setDefault(&o.PlainTokens, 48)
	}
	if o.Model, o.Draft, err = cli.ChooseModels(ctx, o.Model, o.Draft); err != nil {
		return nil, err
	}
	if c.quick {
		setDefault(&o.Tokens, 24)
	}
	var throttle *flashsim.Throttle
	if f.flash != "" {
		if o.Flash, err = f.device(); err != nil {
			return nil, err
		}
		if throttle, err = flashsim.NewThrottle(o.Flash, flashsim.Options{}); err != nil {
			return nil, err
		}
		o.OpenFile = throttle.Opener(nil)
	}
	o.Progress = stepProgress("endtoend", "answers")
	o.Answered = printAnswer
	measure := endtoend.Run
	switch {
	case f.rows != nil:
		measure = func(ctx context.Context, o endtoend.Options) (*report.Report, error) {
			return endtoend.RunInMemory(ctx, o, f.rows)
		}
	case f.fresh != nil:
		measure = func(ctx context.Context, o endtoend.Options) (*report.Report, error) {
			return endtoend.RunFresh(ctx, o, f.fresh)
		}
	}
	r, err := measure(ctx, o)
	if r != nil && throttle != nil {
		flash := "simulated: " + f.flash
		if f.CPUShare > 0 {
			flash += fmt.Sprintf(", slowed %.3g times, as this machine computes %.3g times as fast as the phone", 1/f.CPUShare, f.CPUShare)
			r.Name, r.Title = phoneName, "With a phone's balance of reading and computing: "+r.Title
		}
		r.Set("flash device", flash)
		cli.PrintOverrun(cli.Stderr, throttle.Stats())
	}
	return r, err
}

// Names of the reports of a run with the balance of a phone, of one in memory, and of one of new engines, so that they stand beside that of this machine.
const phoneName, memoryName, freshName = "endtoend-phone", "endtoend-memory", "endtoend-fresh"

// printAnswer prints a line about an answer.
func printAnswer(a endtoend.Answer) {
	fmt.Fprintf(cli.Stderr, "%s, %s: %.3f tokens/s, %s in %s; the first after %.1f s\n", a.Prompt, a.Way, a.TokensPerSecond, plural.Of(a.Stats.Tokens, "token"), plural.Of(a.Passes, "pass"), a.TimeToFirstToken)
}

// device returns the flash device, slowed by as much as this machine computes slower than the phone.
func (f *endToEndFlags) device() (*flashsim.Profile, error) {
	profile, err := cli.LoadFlash(f.flash)
	if err != nil || f.CPUShare == 0 {
		return profile, err
	}
	return profile.Slowed(1 / f.CPUShare)
}

// cutLast cuts text around the last instance of sep.
func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}
