package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/weights"
)

// dramSize is a flag value: a size, or auto for half of the memory that is available.
type dramSize struct {
	cli.ByteSize
	auto bool
}

const dramHelp = "memory for the target's weights, such as 2GiB; what does not fit is streamed from flash. auto: half of what the system " +
	"says is available (on Linux and Android MemAvailable, within the limits of control groups), less what keys and values may take (default: all " +
	"in memory, or auto for what is larger than that)"

func (d *dramSize) Set(text string) error {
	if d.auto = text == "auto"; !d.auto {
		return d.ByteSize.Set(text)
	}
	available, err := weights.AvailableMemory()
	if err != nil {
		return fmt.Errorf("%w; give a size instead of auto", err)
	}
	d.ByteSize = halfOf(available)
	return nil
}

// halfOf is what auto takes of the memory that is available; it is not zero, which is no size.
func halfOf(available int64) cli.ByteSize { return cli.ByteSize(max(available/2, 1)) }

// fit returns the size for these models: d or, if no size was given and their weights are more than seven eighths of the memory that is available,
// auto. The rest is for keys, values and what is computed. The note, if not empty, says so. Models that can't be described are left to those who open them.
func (d dramSize) fit(models ...string) (fitting dramSize, note string) {
	available, err := weights.AvailableMemory()
	if err != nil || d.ByteSize > 0 {
		return d, ""
	}
	var need int64
	for _, model := range models {
		if model == "" {
			continue
		}
		info, err := inspect(model, typeFlags{})
		if err != nil {
			return d, ""
		}
		need += info.Bytes
	}
	return d.fitIn(available, need)
}

// fitIn is fit of models of need bytes.
func (d dramSize) fitIn(available, need int64) (fitting dramSize, note string) {
	if need <= available-available/8 {
		return d, ""
	}
	return dramSize{halfOf(available), true}, fmt.Sprintf("lever: the weights have %s and %s of memory is available, so they are read from flash, as with --dram auto",
		cli.FormatBytes(need), cli.FormatBytes(available))
}

// tooSmall says what --dram has to be at least for a model, if err is that it was too small.
func (d *dramSize) tooSmall(err error, model string) error {
	var limit *weights.MemoryError
	if !errors.As(err, &limit) {
		return nil
	}
	return fmt.Errorf("--dram %s is too little for %s; the least is %dKiB", d.String(), filepath.Base(model), (limit.Need+1<<10-1)>>10)
}

// printMemory writes how an engine whose weights have a bound uses memory.
func printMemory(out io.Writer, e *lever.Engine) error {
	plan, bounded := e.Plan()
	if !bounded {
		return nil
	}
	if err := printPlan(out, plan); err != nil {
		return err
	}
	_, caches := e.CacheMemory()
	_, err := fmt.Fprintf(out, "keys and values     at most %s, for %s of up to %s\n", cli.FormatBytes(caches), plural.Of(e.Parallel(), "conversation"), plural.Of(e.Context(), "token"))
	return err
}

// printPlan writes how memory is used for weights as a table.
func printPlan(out io.Writer, p weights.Plan) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "memory for weights\t%s\tof at most %s\n", cli.FormatBytes(p.Total()), cli.FormatBytes(p.DRAM))
	head := "head streamed"
	if p.HeadPinned {
		head = "head pinned"
	}
	fmt.Fprintf(table, "  pinned\t%s\t%s; %.0f%% of a pass\n", cli.FormatBytes(p.Pinned), head, 100*(1-float64(p.Streamed)/float64(p.Pass)))
	if !p.ReadsFlash() && p.Tables == 0 {
		fmt.Fprintf(table, "read for a pass\t0 B\tall of it stays in memory\n")
		return table.Flush()
	}
	if p.Ring > 0 {
		fmt.Fprintf(table, "  ring\t%s\t%s of %s\n", cli.FormatBytes(p.Ring), plural.Of(p.Buffers, "buffer"), cli.FormatBytes(int64(p.BufferBytes)))
	}
	if p.Experts > 0 {
		fmt.Fprintf(table, "  experts\t%s\tthose used most and last, of %s\n", cli.FormatBytes(p.Kept), cli.FormatBytes(p.Experts))
	}
	of, more := "", ""
	if p.Tables > 0 {
		of, more = ", and as many of the inputs of layers", fmt.Sprintf(", and the rows of its tokens, of %s", cli.FormatBytes(p.Tables))
	}
	fmt.Fprintf(table, "  embedding rows\t%s\t%s of 16 rows%s\n", cli.FormatBytes(p.Tiles), plural.Of(p.TileCount, "tile"), of)
	if p.Experts > 0 {
		more += ", and the experts that it uses and that are not kept"
	}
	fmt.Fprintf(table, "read for a pass\t%s\tof %s%s, in reads of %s, %d at once\n",
		cli.FormatBytes(p.Streamed), cli.FormatBytes(p.Pass), more, cli.FormatBytes(int64(min(p.ReadSize, p.BufferBytes))), p.Depth)
	return table.Flush()
}

// printPins writes which segments of each chunk a plan pins.
func printPins(out io.Writer, p weights.Plan) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nchunk\tpinned\tsegments (# pinned, . streamed)")
	for _, c := range p.Chunks {
		segments := make([]byte, c.Segments)
		for i := range segments {
			segments[i] = '.'
		}
		for _, i := range c.Pins {
			segments[i] = '#'
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.File, cli.FormatBytes(c.Pinned), segments)
	}
	return table.Flush()
}
