package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/spec/gaincost"
)

// Errors that [Load] and [Parse] wrap.
var (
	ErrVersion = errors.New("unknown version")
	ErrInvalid = errors.New("not a valid profile")
)

const (
	format   = "lever-profile"
	version  = 1
	maxBytes = 1 << 20 // of a file
)

// Profile is what was measured on one machine.
type Profile struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Date    time.Time `json:"date"`
	Machine Machine   `json:"machine"`
	Kernels string    `json:"kernels"` // the kernel set that computed

	Flash  Flash       `json:"flash"`
	Memory float64     `json:"memory_bytes_per_second"`
	Target *ModelTimes `json:"target,omitempty"`
	Draft  *ModelTimes `json:"draft,omitempty"`
	NPU    *NPU        `json:"npu,omitempty"`
	// Device is what else is known of the machine. Most profiles are without.
	Device *Device `json:"device,omitempty"`
}

// Machine is where a profile was measured.
type Machine struct {
	System       string `json:"system"`
	Architecture string `json:"architecture"`
	Processors   int    `json:"processors"`
	Threads      int    `json:"threads"`
}

// ModelTimes is the time that computing a model takes, with its weights in memory.
type ModelTimes struct {
	Name   string `json:"name"`
	Hash   string `json:"hash"` // of the store; see [weights.Store.Hash]
	Bytes  int64  `json:"bytes"`
	Blocks int    `json:"blocks"`
	// Block is the lower quartile of the times of one block at the start of a text, by the number of rows.
	Block []gaincost.Point `json:"block"`
	// Attention is what a row takes longer, in one block, for each position of the text before it.
	Attention float64 `json:"attention_seconds_per_position"`
	// Projection is that of the logits of the whole vocabulary, by the number of rows.
	Projection []gaincost.Point `json:"projection"`
}

// Load reads a profile from a file.
func Load(path string) (*Profile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if info.Size() > maxBytes {
		return nil, fmt.Errorf("profile: %s: %w: more than %d bytes", path, ErrInvalid, maxBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s; lever profile makes a new one)", err, path)
	}
	return p, nil
}

// Parse reads a profile from JSON and checks it.
func Parse(text []byte) (*Profile, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, invalid("%v", err)
	}
	if head.Format != format {
		return nil, invalid("format is %q, not %q", head.Format, format)
	}
	if head.Version != version {
		return nil, fmt.Errorf("profile: version %d: %w: this program reads version %d", head.Version, ErrVersion, version)
	}
	var p Profile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, invalid("%v", err)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Save writes the profile to a file, and makes its folder. Other processes see the old file or the new one.
func (p *Profile) Save(path string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	if err := publish.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("profile: %w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func (p *Profile) check() error {
	if !positive(p.Memory) {
		return invalid("memory of %v bytes per second", p.Memory)
	}
	if err := p.Flash.check(); err != nil {
		return err
	}
	if p.NPU != nil {
		if err := p.NPU.check(); err != nil {
			return err
		}
	}
	if p.Device != nil {
		if err := p.Device.check(); err != nil {
			return err
		}
	}
	for name, m := range map[string]*ModelTimes{"target": p.Target, "draft": p.Draft} {
		if m == nil {
			continue
		}
		if err := m.check(); err != nil {
			return fmt.Errorf("%w (%s)", err, name)
		}
	}
	return nil
}

// positive reports whether x is a measurement: above 0 and finite.
func positive(x float64) bool { return x > 0 && !math.IsInf(x, 0) }

const maxBlocks = 1 << 14

func (m *ModelTimes) check() error {
	if m.Blocks < 1 || m.Blocks > maxBlocks || m.Bytes < 1 {
		return invalid("%d blocks, %d bytes", m.Blocks, m.Bytes)
	}
	if !(m.Attention >= 0) || math.IsInf(m.Attention, 0) {
		return invalid("attention takes %v s per position", m.Attention)
	}
	for name, points := range map[string][]gaincost.Point{"block": m.Block, "projection": m.Projection} {
		if len(points) == 0 {
			return invalid("no times of a %s", name)
		}
		rows := 0
		for _, at := range points {
			if at.Rows <= rows || !positive(at.Seconds) {
				return invalid("%s: %d rows in %v s, after %d rows", name, at.Rows, at.Seconds, rows)
			}
			rows = at.Rows
		}
	}
	return nil
}

func thisMachine(threads int) Machine {
	return Machine{System: runtime.GOOS, Architecture: runtime.GOARCH, Processors: runtime.NumCPU(), Threads: threads}
}
