// Package profiles describes phones with an NPU: how fast NPU and CPU multiply, by batch size, and what the NPU's driver demands. The driver
// sim behaves as a profile says; experiments reckon with it.
//
// A profile is one JSON object with the format "lever-npu" and version 1; unknown keys are refused. Its sources say where each figure comes
// from, or that it is an estimate. Sizes are bytes, times seconds.
//
//	p, err := profiles.Load("mid-range")
//	fmt.Println(p.NPU.Batches, p.CPU.Submit)
//
// Limits: figures are those of products with weights. Attention, norms and activations, which take little time for few rows, are not in it.
//
// # Errors
//
//   - [ErrInvalid]: the text is no profile, or its numbers can't be.
//
// A profile that is neither built in nor a file is [io/fs.ErrNotExist].
package profiles

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

// ErrInvalid is wrapped by errors about a profile's text.
var ErrInvalid = errors.New("invalid profile")

// Profile is a phone.
type Profile struct {
	Format      string     `json:"format"`
	Version     int        `json:"version"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	NPU         NPU        `json:"npu"`
	CPU         npu.Costs  `json:"cpu"`
	Sources     []Citation `json:"sources"`
}

// NPU is the device and its driver.
type NPU struct {
	Device    string `json:"device"`
	Batches   []int  `json:"batches"`           // ascending
	MaxRows   int    `json:"max_rows"`          // output rows of a matrix, beyond which it is npu.ErrUnsupported; 0 means any number
	MaxBuffer int64  `json:"max_buffer_bytes"`  // 0 means any
	MaxMemory int64  `json:"max_session_bytes"` // 0 means any
	Alignment int    `json:"alignment"`
	npu.Costs        // rates for each of Batches
}

// Citation is where a figure comes from.
type Citation struct {
	Figure string `json:"figure"`
	Source string `json:"source"`
}

// What Format and Version of a [Profile] say.
const (
	Format  = "lever-npu"
	Version = 1
)

const maxBytes = 1 << 20

//go:embed *.json
var builtin embed.FS

// Names returns the names of the built-in profiles.
func Names() []string {
	entries, _ := builtin.ReadDir(".") // embedded, so always there
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

// measured is the format of profiles of machines, which may have an NPU that was measured; see package profile.
const measured = "lever-profile"

// Load returns a built-in profile by its name, or else the profile in the file of that name.
func Load(nameOrFile string) (*Profile, error) {
	if text, err := builtin.ReadFile(nameOrFile + ".json"); err == nil {
		return Parse(text)
	}
	f, err := os.Open(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("profiles: %w; built in are %s", err, strings.Join(Names(), ", "))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w (in %s)", err, nameOrFile)
	}
	return p, nil
}

// measurement is what the profile of a machine says of its NPU.
type measurement struct {
	Format string `json:"format"`
	NPU    *struct {
		Device string    `json:"device"`
		Costs  npu.Costs `json:"costs"`
		CPU    npu.Costs `json:"cpu"`
	} `json:"npu"`
}

// profile returns the same as a phone's. What was not measured, such as the most memory, is taken to have no limit.
func (m *measurement) profile() Profile {
	p := Profile{
		Format: Format, Version: Version, Name: m.NPU.Device, Description: "a machine that was measured",
		NPU: NPU{Device: m.NPU.Device + " (simulated)", Alignment: 128, Costs: m.NPU.Costs}, CPU: m.NPU.CPU,
	}
	for _, r := range m.NPU.Costs.Rates {
		if !slices.Contains(p.NPU.Batches, r.Rows) {
			p.NPU.Batches = append(p.NPU.Batches, r.Rows)
		}
	}
	slices.Sort(p.NPU.Batches)
	return p
}

// Parse reads a profile from JSON and checks it: one of this package's, or that of a machine whose NPU was measured. The error wraps
// [ErrInvalid].
func Parse(text []byte) (*Profile, error) {
	if len(text) > maxBytes {
		return nil, invalid("more than %d bytes", maxBytes)
	}
	var p Profile
	var m measurement
	if err := json.Unmarshal(text, &m); err == nil && m.Format == measured {
		if m.NPU == nil {
			return nil, invalid("no NPU was measured for it; 'lever profile --npu DRIVER' does so")
		}
		p = m.profile()
	} else {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil {
			return nil, invalid("%v", err)
		}
	}
	if p.Format != Format || p.Version != Version {
		return nil, invalid("format %q version %d, this program reads %q version %d", p.Format, p.Version, Format, Version)
	}
	if err := p.check(); err != nil {
		return nil, invalid("%v", err)
	}
	return &p, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("profiles: %w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

func (p *Profile) check() error {
	n := &p.NPU
	if p.Name == "" || n.Device == "" {
		return errors.New("no name")
	}
	if len(n.Batches) == 0 || n.Batches[0] < 1 || !slices.IsSorted(n.Batches) || len(slices.Compact(slices.Clone(n.Batches))) != len(n.Batches) {
		return fmt.Errorf("batches %v", n.Batches)
	}
	if n.MaxRows < 0 || n.MaxBuffer < 0 || n.MaxMemory < 0 || n.Alignment < 1 || n.Alignment > 4096 || n.Alignment&(n.Alignment-1) != 0 {
		return fmt.Errorf("limits: %d rows, %d and %d bytes, alignment %d", n.MaxRows, n.MaxBuffer, n.MaxMemory, n.Alignment)
	}
	if err := n.Costs.Check(); err != nil {
		return err
	}
	if err := p.CPU.Check(); err != nil {
		return err
	}
	for _, d := range n.Weights() {
		var rows []int
		for _, r := range n.Of(d) {
			rows = append(rows, r.Rows)
		}
		if !slices.Equal(rows, n.Batches) {
			return fmt.Errorf("rates of %v for batches %v, not %v", d, rows, n.Batches)
		}
		if p.CPU.Of(d) == nil {
			return fmt.Errorf("no rates of %v on the CPU", d)
		}
	}
	return nil
}

// Weights returns the types that the NPU multiplies with.
func (n *NPU) Weights() (types []tensor.DType) {
	for _, r := range n.Rates {
		d, err := tensor.ParseDType(r.Type)
		if err == nil && !slices.Contains(types, d) {
			types = append(types, d)
		}
	}
	return types
}
