package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/kernels"
)

// Device is what [Examine] finds on a machine, and how it holds out. What the system does not tell is absent. Nothing in it names a person,
// a network or a file of the user's.
type Device struct {
	Processor   string      `json:"processor,omitempty"`
	Chip        string      `json:"chip,omitempty"` // the system on a chip, where Linux tells it
	Kernel      string      `json:"kernel,omitempty"`
	Cores       []host.Core `json:"cores,omitempty"`
	Features    []string    `json:"features,omitempty"` // of the processor, as Linux writes them
	KernelSets  []string    `json:"kernel_sets"`        // that can run here
	TotalMemory int64       `json:"memory_bytes,omitempty"`
	// AvailableMemory is what the process could take when the examination began: see [host.AvailableMemory].
	AvailableMemory int64     `json:"available_memory_bytes,omitempty"`
	Drivers         []Access  `json:"drivers"` // of NPUs and GPUs
	Decoding        *Decoding `json:"decoding,omitempty"`
	// Hot is the flash after that.
	Hot *Flash `json:"hot_flash,omitempty"`
}

// Access is how opening a device file of the system went.
type Access struct {
	Name   string `json:"name"` // the file
	What   string `json:"what"`
	Absent bool   `json:"absent,omitempty"`
	// Refusal is why a file that is there could not be opened; empty if it could be.
	Refusal string `json:"refusal,omitempty"`
}

// Examine looks at the machine and tries to open the device files of NPUs and GPUs; it takes no time to speak of.
func Examine() *Device {
	d := &Device{
		Processor: host.Processor(), Chip: firstLine("/sys/devices/soc0/machine"), Kernel: firstLine("/proc/sys/kernel/osrelease"),
		Cores: host.Cores(), Features: host.Features(), KernelSets: kernels.Sets(), TotalMemory: host.TotalMemory(),
	}
	d.AvailableMemory, _ = host.AvailableMemory()
	for _, f := range deviceFiles {
		d.Drivers = append(d.Drivers, tryOpen(f.name, f.what))
	}
	return d
}

// deviceFiles are where drivers of Linux and Android are reached.
var deviceFiles = []struct{ name, what string }{
	{"/dev/fastrpc-cdsp", "Hexagon NPU, driver of the main line"},
	{"/dev/fastrpc-cdsp-secure", "Hexagon NPU for processes of unsigned domains"},
	{"/dev/adsprpc-smd", "Hexagon NPU, driver of Android's vendors"},
	{"/dev/adsprpc-smd-secure", "Hexagon NPU, driver of Android's vendors for processes of the system"},
	{"/dev/apusys", "MediaTek APU"},
	{"/dev/edgetpu-soc", "Tensor's NPU"},
	{"/dev/accel/accel0", "an accelerator of Linux"},
	{"/dev/kgsl-3d0", "Adreno GPU"},
	{"/dev/mali0", "Mali GPU"},
	{"/dev/dri/renderD128", "a GPU of Linux"},
	{"/dev/dma_heap/system", "memory that devices share"},
	{"/dev/ion", "memory that devices share, before dma_heap"},
}

func tryOpen(name, what string) Access {
	a := Access{Name: name, What: what}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.Open(name) // which is enough for some
	}
	if err == nil {
		err = f.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		a.Absent = true
		return a
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err // the name stands beside it
	}
	if err != nil {
		a.Refusal = err.Error()
	}
	return a
}

func firstLine(file string) string {
	if runtime.GOOS != "linux" && runtime.GOOS != "android" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// Decoding is how fast a machine generates text without a pause, and how hot it becomes.
type Decoding struct {
	Tokens  int      `json:"tokens"`
	Seconds float64  `json:"seconds"`
	Samples []Sample `json:"samples"` // about one a second
}

// Sample is the state at one time; 0 is what the system does not tell.
type Sample struct {
	Seconds float64 `json:"seconds"` // since the beginning
	Tokens  int     `json:"tokens"`  // so far
	Celsius float64 `json:"celsius,omitempty"`
	Clock   int64   `json:"hertz,omitempty"` // of the core that is fastest at this moment
}

// Rate returns the tokens per second over the whole time, and over its first and its last third.
func (d *Decoding) Rate() (all, first, last float64) {
	between := func(from, to float64) float64 {
		var a, b Sample
		for _, s := range d.Samples {
			if s.Seconds <= from {
				a = s
			}
			if s.Seconds <= to {
				b = s
			}
		}
		return float64(b.Tokens-a.Tokens) / max(b.Seconds-a.Seconds, 1e-9)
	}
	return between(0, d.Seconds), between(0, d.Seconds/3), between(2*d.Seconds/3, d.Seconds)
}

// maxSamples are those of a day.
const maxSamples = 24 * 3600

func (d *Device) check() error {
	if d.Hot != nil {
		if err := d.Hot.check(); err != nil {
			return fmt.Errorf("%w (hot)", err)
		}
	}
	if d.Decoding == nil {
		return nil
	}
	if len(d.Decoding.Samples) > maxSamples {
		return invalid("%d samples of decoding", len(d.Decoding.Samples))
	}
	before := Sample{}
	for _, s := range d.Decoding.Samples {
		if !(s.Seconds >= before.Seconds && s.Seconds <= d.Decoding.Seconds) || s.Tokens < before.Tokens || s.Tokens > d.Decoding.Tokens {
			return invalid("%d tokens after %v s follow %d after %v s", s.Tokens, s.Seconds, before.Tokens, before.Seconds)
		}
		before = s
	}
	return nil
}

// sampleEvery is the time between samples.
const sampleEvery = time.Second

// Decode calls generate, which generates an answer and calls add with the number of its tokens as they come, again and again for the given time,
// and returns what came of it. An answer that is not at its end is cancelled then. When ctx is cancelled before, Decode returns its error. progress, if not nil,
// is called with the seconds that have passed.
func Decode(ctx context.Context, duration time.Duration, generate func(ctx context.Context, add func(tokens int)) error, progress func(done, total int64)) (*Decoding, error) {
	limited, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var d Decoding
	began := time.Now()
	sample := func() {
		s := Sample{Seconds: time.Since(began).Seconds(), Tokens: d.Tokens, Clock: host.Clock()}
		s.Celsius, _ = host.Temperature()
		d.Samples = append(d.Samples, s)
	}
	sample()
	due := began.Add(sampleEvery)
	for limited.Err() == nil {
		before := d.Tokens
		err := generate(limited, func(tokens int) {
			d.Tokens += tokens
			if now := time.Now(); !now.Before(due) {
				sample()
				due = now.Add(sampleEvery)
				if progress != nil {
					progress(int64(now.Sub(began)/time.Second), int64(duration/time.Second))
				}
			}
		})
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("profile: %w", ctx.Err())
		case err != nil && limited.Err() == nil:
			return nil, fmt.Errorf("profile: decode: %w", err)
		case err == nil && d.Tokens == before:
			return nil, errors.New("profile: decode: the answer has no tokens")
		}
	}
	sample()
	d.Seconds = d.Samples[len(d.Samples)-1].Seconds
	return &d, nil
}

// MeasureFlash measures the flash alone, as [Measure] does, for all of the duration.
func MeasureFlash(ctx context.Context, o Options) (*Flash, error) {
	var p Profile
	if o.Duration == 0 {
		o.Duration = defaultDuration
	}
	if err := p.measureFlash(ctx, o, o.Duration, o.reporter()); err != nil {
		return nil, err
	}
	return &p.Flash, nil
}
