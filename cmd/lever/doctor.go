package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/spec"
	"github.com/spf13/cobra"
)

// doctorFlags are the flags of lever doctor.
type doctorFlags struct {
	profileFlags
	dram   dramSize
	decode time.Duration
}

func newDoctorCommand() *cobra.Command {
	var flags doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine this device: what it has, what it refuses, and how it holds out",
		Long: `Examine this device: processor, kernels and memory; which drivers of NPUs and GPUs may be opened, and why not; how fast it reads and
computes; how fast it generates text for a minute, and how hot it becomes; and how fast it reads after that.

All of it goes into one JSON file, which holds no name of a person, a network or a file of yours, so that you can give it to others. It is a profile:
--flash-profile FILE reads at its speed on another machine, FILE:hot at that after the minute, and --npu sim:FILE computes like an NPU that --npu
measured.`,
		Example: `  lever doctor
  lever doctor --model llama-8b.lever --draft llama-1b.lever --dram 2GiB
  lever run --flash-profile doctor.json:hot "…"   # on another machine: with this one's flash`,
		Args: cli.ExactArgs(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case flags.threads < 0:
				return cli.UsageErrorf("--threads %d is negative", flags.threads)
			case flags.duration <= 0:
				return cli.UsageErrorf("--duration %v is not positive", flags.duration)
			case flags.decode <= 0 || flags.decode > 12*time.Hour:
				return cli.UsageErrorf("--decode %v is not positive and at most 12h", flags.decode)
			}
			if err := flags.npu.check(); err != nil {
				return err
			}
			return cli.Interrupted(cmd.Context(), runDoctor(cmd.Context(), flags))
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().Var(&flags.dram, "dram", dramHelp)
	cmd.Flags().StringVar(&flags.out, "out", "doctor.json", "file to write")
	cmd.Flags().DurationVar(&flags.decode, "decode", time.Minute, "time to generate text")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print the file's content instead of a summary")
	return cmd
}

func runDoctor(ctx context.Context, flags doctorFlags) error {
	device := profile.Examine()
	tryNPU(ctx, device)
	p, err := measure(ctx, flags.profileFlags)
	if err != nil {
		return err
	}
	p.Device = device
	bar := cli.NewProgress(os.Stderr)
	bar.Steps = true
	err = holdOut(ctx, flags, p, bar)
	bar.Close()
	if err != nil {
		return err
	}
	anonymise(p)
	if err := p.Save(flags.out); err != nil {
		return err
	}
	if flags.asJSON {
		return cli.PrintJSON(p)
	}
	if err := printDevice(cli.Stdout, p.Device); err != nil {
		return err
	}
	if err := printProfile(cli.Stdout, p); err != nil {
		return err
	}
	printHeat(cli.Stdout, p)
	fmt.Fprintf(cli.Stderr, "\nwritten to %s\n", flags.out)
	return nil
}

// tryNPU opens a session with the NPU that has a driver here, where there is a file of it, and notes why not.
func tryNPU(ctx context.Context, d *profile.Device) {
	if !slices.ContainsFunc(d.Drivers, func(a profile.Access) bool { return !a.Absent && strings.Contains(a.Name, "rpc") }) {
		return
	}
	a := profile.Access{Name: "--npu hexagon", What: "a session with the Hexagon NPU"}
	session, err := npu.Open(ctx, "hexagon")
	if err == nil {
		err = session.Close()
	}
	if err != nil {
		a.Refusal = err.Error()
	}
	d.Drivers = append(d.Drivers, a)
}

// holdOut generates text and then measures the flash again.
func holdOut(ctx context.Context, flags doctorFlags, p *profile.Profile, bar *cli.Progress) (err error) {
	cfg := lever.Config{Threads: flags.threads, Progress: func(p lever.Progress) { bar.Update(p.Task, p.Done, p.Total) }}
	if cfg.Model, cfg.Draft, err = cli.ChooseModels(ctx, flags.model, flags.draft); err != nil {
		return err
	}
	dram, note := flags.dram.fit(cfg.Model, cfg.Draft)
	if note != "" {
		fmt.Fprintln(cli.Stderr, note)
	}
	cfg.DRAM = int64(dram.ByteSize)
	engine, err := lever.Open(ctx, cfg)
	if small := dram.tooSmall(err, cfg.Model); small != nil {
		return small
	}
	if err != nil {
		return err
	}
	p.Device.Decoding, err = profile.Decode(ctx, flags.decode, func(ctx context.Context, add func(int)) error {
		_, err := engine.Generate(ctx, lever.Request{
			Prompt: "Explain how a bicycle stays upright.", MaxTokens: 256, Piece: func(p spec.Piece) { add(len(p.Tokens)) },
		}, nil)
		return err
	}, func(done, total int64) { bar.Update("generating text", done, total) })
	if err := errors.Join(err, engine.Close()); err != nil {
		return err
	}
	store, _ := engine.Stores()
	p.Device.Hot, err = profile.MeasureFlash(ctx, profile.Options{
		Target: store, Dir: filepath.Dir(store.Dir()), Duration: flags.duration / 3,
		Progress: func(p profile.Progress) { bar.Update(p.Task, p.Done, p.Total) },
	})
	return err
}

// anonymise takes out the names of the user's files, and the time of day.
func anonymise(p *profile.Profile) {
	p.Date = p.Date.Truncate(24 * time.Hour)
	for name, m := range map[string]*profile.ModelTimes{"target": p.Target, "draft": p.Draft} {
		if m != nil {
			m.Name = name
		}
	}
}

func printDevice(out io.Writer, d *profile.Device) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", what, value)
		}
	}
	row("processor", d.Processor)
	row("chip", d.Chip)
	row("system's kernel", d.Kernel)
	row("kernel sets", strings.Join(d.KernelSets, ", "))
	if d.TotalMemory > 0 {
		row("memory", fmt.Sprintf("%s, of which %s can be had", cli.FormatBytes(d.TotalMemory), cli.FormatBytes(d.AvailableMemory)))
	}
	absent := 0
	for _, a := range d.Drivers {
		switch {
		case a.Absent:
			absent++
		case a.Refusal == "":
			row(a.Name, "opens ("+a.What+")")
		default:
			row(a.Name, a.Refusal+" ("+a.What+")")
		}
	}
	row("drivers", fmt.Sprintf("of %d known ways to NPUs, GPUs and shared memory, %d are absent", len(d.Drivers), absent))
	fmt.Fprintln(table)
	return table.Flush()
}

// printHeat says what a minute of generating did.
func printHeat(out io.Writer, p *profile.Profile) {
	d := p.Device.Decoding
	all, first, last := d.Rate()
	fmt.Fprintf(out, "\ngenerating text for %.0f s: %.1f tokens/s; %.1f in the first third, %.1f in the last\n", d.Seconds, all, first, last)
	before, after := d.Samples[0], d.Samples[len(d.Samples)-1]
	if after.Celsius > 0 {
		fmt.Fprintf(out, "temperature: %.0f °C before, %.0f °C after\n", before.Celsius, after.Celsius)
	}
	if after.Clock > 0 {
		fmt.Fprintf(out, "clock of the fastest core: %.2f GHz before, %.2f GHz after\n", float64(before.Clock)/1e9, float64(after.Clock)/1e9)
	}
	cold, hot := p.Flash.Best().BytesPerSecond, p.Device.Hot.Best().BytesPerSecond
	fmt.Fprintf(out, "flash: %.0f MB/s before, %.0f MB/s after\n", cold/1e6, hot/1e6)
}
