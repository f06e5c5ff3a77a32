package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/weights"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// profileFlags are the flags of lever profile.
type profileFlags struct {
	model, draft, out string
	npu               npuFlags
	threads           int
	duration          time.Duration
	asJSON            bool
}

func newProfileCommand() *cobra.Command {
	var flags profileFlags
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Measure how fast this machine reads and computes",
		Long: `Measure how fast this machine reads from flash, by size and number of reads under way, and how long it computes a block and
the logits of the target and of the draft, by rows. The result is kept as profile.json.

Reads bypass the page cache where the system allows it. They go to the target's chunks where these are at least 512 MiB,
otherwise to a temporary file of that size beside the target. Close other programs before.`,
		Example: `  lever profile --model llama-8b.lever --draft llama-1b.lever
  lever profile --npu opencl                   # and how fast a device multiplies beside the CPU
  lever run --flash-profile profile.json "…"   # on another machine: with this one's flash`,
		Args: cli.ExactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case flags.threads < 0:
				return cli.UsageErrorf("--threads %d is negative", flags.threads)
			case flags.duration <= 0:
				return cli.UsageErrorf("--duration %v is not positive", flags.duration)
			}
			if err := flags.npu.check(); err != nil {
				return err
			}
			return cli.Interrupted(cmd.Context(), runProfile(cmd.Context(), flags))
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().StringVar(&flags.out, "out", "", "file to write (default: profile.json in the cache folder)")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print the profile as one JSON object instead of a table")
	return cmd
}

// register adds the flags that say what is measured.
func (f *profileFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.model, "model", "", "target model: a store, a Hugging Face folder or a GGUF file (default: the embedded demo)")
	flags.StringVar(&f.draft, "draft", "", "draft model, given in the same ways (default: none; the demo brings its own)")
	f.npu.registerDevice(flags, "measure this device too: ")
	flags.IntVar(&f.threads, "threads", 0, "worker threads (default: one per performance core)")
	flags.DurationVar(&f.duration, "duration", 30*time.Second, "time for all measurements together")
}

func runProfile(ctx context.Context, flags profileFlags) (err error) {
	if err := kernels.EnvError(); err != nil {
		return err
	}
	if flags.out == "" {
		if flags.out, err = defaultProfilePath(); err != nil {
			return err
		}
	}
	p, err := measure(ctx, flags)
	if err != nil {
		return err
	}
	if err := p.Save(flags.out); err != nil {
		return err
	}
	if flags.asJSON {
		return cli.PrintJSON(p)
	}
	if err := printProfile(cli.Stdout, p); err != nil {
		return err
	}
	fmt.Fprintf(cli.Stderr, "\nwritten to %s\n", flags.out)
	return nil
}

// measure opens the models and measures them.
func measure(ctx context.Context, flags profileFlags) (p *profile.Profile, err error) {
	bar := cli.NewProgress(os.Stderr)
	defer bar.Close()
	target, draft, err := cli.ChooseModels(ctx, flags.model, flags.draft)
	if err != nil {
		return nil, err
	}
	open := func(path string) (*weights.Store, error) {
		if path == "" {
			return nil, nil
		}
		return lever.OpenStore(ctx, path, lever.Config{Progress: func(p lever.Progress) { bar.Update(p.Task, p.Done, p.Total) }})
	}
	var options profile.Options
	var draftErr error
	options.Target, err = open(target)
	options.Draft, draftErr = open(draft)
	if err := errors.Join(err, draftErr); err != nil {
		return nil, err
	}
	options.Pool = kernels.NewPool(flags.threads)
	defer options.Pool.Close()
	options.Dir = filepath.Dir(options.Target.Dir())
	options.Duration = flags.duration
	if options.NPU = flags.npu.open(ctx); options.NPU != nil {
		options.NPUName = flags.npu.device
		defer func() { err = errors.Join(err, options.NPU.Close()) }()
	}
	for _, store := range []*weights.Store{options.Target, options.Draft} {
		if store == nil {
			continue
		}
		if _, err := profile.ModelOf(store); err != nil {
			bar.Note(fmt.Sprintf("%v; only the flash that it lies on is measured", err))
		}
	}
	bar.Steps = true
	options.Progress = func(p profile.Progress) { bar.Update(p.Task, p.Done, p.Total) }
	return profile.Measure(ctx, options)
}

func printProfile(out io.Writer, p *profile.Profile) error {
	fmt.Fprintf(out, "%s/%s, %d of %s, kernels %s\n", p.Machine.System, p.Machine.Architecture, p.Machine.Threads, plural.Of(p.Machine.Processors, "processor"), p.Kernels)
	fmt.Fprintf(out, "memory: %.1f GB/s read\n", p.Memory/1e9)
	fmt.Fprintf(out, "flash: %.0f MB/s with %s of %s under way, which take the least memory for 95 %% of the fastest (%s, %s)\n\n",
		p.Flash.Best().BytesPerSecond/1e6, plural.Of(p.Flash.BestDepth, "read"), cli.FormatBytes(p.Flash.BestSize), p.Flash.Origin, modeNotes[p.Flash.Mode])
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "read\tdepth\tMB/s\tmedian ms\t90 %\t99 %\tlongest\t")
	for _, r := range p.Flash.Reads {
		q := r.Latency
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.3f\t%.3f\t%.3f\t%.3f\t\n",
			cli.FormatBytes(r.Size), r.Depth, r.BytesPerSecond/1e6, 1e3*q.P50, 1e3*q.P90, 1e3*q.P99, 1e3*q.Max)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if p.NPU != nil {
		if err := printMeasuredNPU(out, p.NPU); err != nil {
			return err
		}
	}
	for _, m := range []*profile.ModelTimes{p.Target, p.Draft} {
		if m == nil {
			continue
		}
		if err := printModel(out, m); err != nil {
			return err
		}
	}
	return nil
}

func printModel(out io.Writer, m *profile.ModelTimes) error {
	fmt.Fprintf(out, "\n%s: %s, %s; each 1000 positions of text add %.3f ms per row and block\n\n", m.Name, plural.Of(m.Blocks, "block"), cli.FormatBytes(m.Bytes), 1e6*m.Attention)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "rows\tblock ms\tprojection ms\tall ms\tall ms/row\t")
	projection := gaincost.Curve{Points: m.Projection}
	for _, at := range m.Block {
		head := projection.At(at.Rows)
		all := float64(m.Blocks)*at.Seconds + head
		fmt.Fprintf(table, "%d\t%.3f\t%.3f\t%.3f\t%.3f\t\n", at.Rows, 1e3*at.Seconds, 1e3*head, 1e3*all, 1e3*all/float64(at.Rows))
	}
	return table.Flush()
}

// modeNotes say what the modes of reading mean.
var modeNotes = map[weights.IOMode]string{
	weights.Direct:   "past the page cache",
	weights.Buffered: "through the page cache, which is told to forget what was read",
}
