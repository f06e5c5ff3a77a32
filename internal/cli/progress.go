package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lever-go/lever/internal/terminal"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progressDelay is how long a task runs before it is shown at all: most end sooner.
const progressDelay = 500 * time.Millisecond

// Progress shows long work: a bar on a terminal, otherwise a plain line for every tenth. It is not safe for concurrent use.
type Progress struct {
	out   io.Writer
	bars  *mpb.Progress // nil when out is no terminal
	task  string
	began time.Time
	bar   *mpb.Bar // nil until the task is shown
	tenth int64    // last one shown, or -1
	Steps bool     // What is counted are parts of no unit, not bytes. It is set before the first update.
}

func NewProgress(out *os.File) *Progress {
	p := &Progress{out: terminal.Writer{Out: out}}
	if term.IsTerminal(int(out.Fd())) {
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(48))
	}
	return p
}

// Update says that done of total bytes of task are through. A new task ends the one before.
func (p *Progress) Update(task string, done, total int64) {
	if task = terminal.Text(task); task != p.task {
		p.endTask()
		p.task, p.began = task, time.Now()
	}
	if time.Since(p.began) < progressDelay {
		return
	}
	if p.bars == nil {
		p.line(done, total)
		return
	}
	if p.bar == nil {
		counters := decor.CountersKibiByte("% .1f / % .1f")
		if p.Steps {
			counters = decor.Percentage()
		}
		p.bar = p.bars.AddBar(total,
			mpb.PrependDecorators(decor.Name(task+" ")),
			mpb.AppendDecorators(counters, decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
	}
	p.bar.SetCurrent(done)
}

func (p *Progress) line(done, total int64) {
	percent := int64(0)
	if total > 0 {
		percent = done * 100 / total
	}
	if tenth := percent / 10; tenth > p.tenth {
		p.tenth = tenth
		if p.Steps {
			fmt.Fprintf(p.out, "%s: %d%%\n", p.task, percent)
			return
		}
		fmt.Fprintf(p.out, "%s: %d%% (%s of %s)\n", p.task, percent, FormatBytes(done), FormatBytes(total))
	}
}

// Note writes a line, above the bar if there is one.
func (p *Progress) Note(text string) {
	out := p.out
	if p.bar != nil {
		out = p.bars
	}
	fmt.Fprintln(out, "lever:", terminal.Text(text))
}

// Close ends the display; what has not reached its total stays as it stands.
func (p *Progress) Close() {
	p.endTask()
	if p.bars != nil {
		p.bars.Wait()
	}
}

func (p *Progress) endTask() {
	if p.bar != nil && !p.bar.Completed() {
		p.bar.Abort(false)
	}
	p.task, p.bar, p.tenth = "", nil, -1
}
