package profile

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/weights"
)

// Options says what [Measure] measures. Target or Dir must be set.
type Options struct {
	Target *weights.Store // may be nil; see ModelOf
	Draft  *weights.Store // may be nil
	// Architectures are those of the models, if they are none of package arch.
	Architectures []*arch.Architecture
	Pool          *kernels.Pool // that will compute; if it is nil, the calling goroutine does
	// Dir is where a file is written to be read, and removed again, unless the target's chunks are as large: of 512 MiB, or less for
	// a duration below 30 s. It must lie on the storage that models are streamed from.
	Dir string
	// NPU is a device to measure, and NPUName the name by which it was opened. Without one, none is measured. It stays the caller's.
	NPU     npu.Device
	NPUName string
	// Duration is the time for all measurements together, loading and writing not counted; if zero, 30 s. Shorter is less exact.
	Duration time.Duration
	// Progress, if not nil, is called with how far each step is. Calls do not overlap.
	Progress func(Progress)
}

// Progress is the state of a step of [Measure].
type Progress struct {
	Task        string
	Done, Total int64 // parts of no unit
}

const defaultDuration = 30 * time.Second

// shares of the duration.
const (
	flashShare  = 0.4
	targetShare = 0.3
	draftShare  = 0.15
	memoryShare = 0.05
	npuShare    = 0.1
)

// ModelOf returns what the architecture of a store says of its model: one of package arch, or of own. [Measure] can't compute a model for which
// this is an error.
func ModelOf(store *weights.Store, own ...*arch.Architecture) (*arch.Model, error) {
	m, err := arch.Parse(store.Config(), own...)
	if err != nil {
		return nil, fmt.Errorf("profile: %s: %w", filepath.Base(store.Dir()), err)
	}
	return m, nil
}

// Measure measures this machine; of models that it can't compute, only the flash that they lie on. When ctx is cancelled it ends soon, with the error of ctx, and leaves nothing behind.
func Measure(ctx context.Context, o Options) (*Profile, error) {
	if o.Target == nil && o.Dir == "" {
		return nil, errors.New("profile: neither a model nor a folder to measure")
	}
	if o.Duration < 0 {
		return nil, fmt.Errorf("profile: a duration of %v", o.Duration)
	}
	if o.Duration == 0 {
		o.Duration = defaultDuration
	}
	part := func(share float64) time.Duration { return time.Duration(share * float64(o.Duration)) }
	report := o.reporter()
	p := &Profile{
		Format: format, Version: version, Date: time.Now().UTC().Truncate(time.Second),
		Machine: thisMachine(o.Pool.Workers()), Kernels: o.Pool.Set().Name(),
	}
	if err := p.measureFlash(ctx, o, part(flashShare), report); err != nil {
		return nil, err
	}
	var err error
	if p.Memory, err = measureMemory(ctx, o.Pool, part(memoryShare)); err != nil {
		return nil, err
	}
	for _, m := range []struct {
		store *weights.Store
		into  **ModelTimes
		share float64
		task  string
	}{{o.Target, &p.Target, targetShare, "computing the target"}, {o.Draft, &p.Draft, draftShare, "computing the draft"}} {
		if m.store == nil {
			continue
		}
		model, err := ModelOf(m.store, o.Architectures...)
		if err != nil {
			continue
		}
		if *m.into, err = measureModel(ctx, m.store, model, o.Pool, part(m.share), report(m.task)); err != nil {
			return nil, err
		}
	}
	if o.NPU != nil {
		report("computing on the NPU")(0, 1)
		if p.NPU, err = measureNPU(ctx, o.NPUName, o.NPU, o.Pool, part(npuShare)); err != nil {
			return nil, err
		}
		report("computing on the NPU")(1, 1)
	}
	return p, p.check()
}

// reporter returns what makes the function that a step reports its progress to.
func (o *Options) reporter() func(task string) func(done, total int64) {
	return func(task string) func(done, total int64) {
		return func(done, total int64) {
			if o.Progress != nil {
				o.Progress(Progress{task, done, total})
			}
		}
	}
}

// sourceBytes returns how much there is to read: too much for caches in the drive, where the duration allows it.
func sourceBytes(d time.Duration) int64 {
	const most, least = 512 << 20, 16 << 20
	return int64(max(least, most*min(1, float64(d)/float64(defaultDuration))))
}

func (p *Profile) measureFlash(ctx context.Context, o Options, duration time.Duration, report func(task string) func(done, total int64)) error {
	source, err := openReadable(ctx, o.Target, o.Dir, sourceBytes(o.Duration), report("writing a file to read"))
	if err != nil {
		return err
	}
	p.Flash, err = measureFlash(ctx, source, duration, report("reading from flash"))
	return errors.Join(err, source.close())
}
