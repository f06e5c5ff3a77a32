//go:build linux

package hexagon

import (
	"errors"
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest"
	"github.com/lever-go/lever/kernels/npu/nputest"
)

var deviceFiles = []string{"/dev/fastrpc-cdsp", "/dev/adsprpc-smd"}

// openWith opens a device on a kernel.
func openWith(t testing.TB, k *fastrpctest.Kernel) *Device {
	t.Helper()
	d, err := Open(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// nothingLeft reports what a kernel still holds.
func nothingLeft(t testing.TB, k *fastrpctest.Kernel) {
	t.Helper()
	if left := k.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestConformance(t *testing.T) {
	for _, path := range deviceFiles {
		t.Run(path, func(t *testing.T) {
			k := fastrpctest.New(t.TempDir(), path, newReference())
			nputest.TestDevice(t, func() (npu.Device, error) { return Open(t.Context(), k) })
			nothingLeft(t, k)
		})
	}
	t.Run("emulated", func(t *testing.T) {
		newEmulated(t)
		nputest.TestDevice(t, func() (npu.Device, error) {
			return Open(t.Context(), fastrpctest.New(t.TempDir(), deviceFiles[0], newEmulated(t)))
		})
	})
}

// generate writes a text with a model, all products of which run on a device if there is one.
func generate(t testing.TB, model string, d *Device, tokens int) lever.Result {
	t.Helper()
	cfg := lever.Config{Model: model}
	if d != nil {
		cfg.NPU = d
		var err error
		if cfg.Placement, err = lever.ParsePlacement("verify=npu,head=eager-npu"); err != nil {
			t.Fatal(err)
		}
	}
	engine, err := lever.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	result, err := engine.Generate(t.Context(), lever.Request{Prompt: "2 + 2 is", MaxTokens: tokens}, nil)
	if err := errors.Join(err, engine.Close()); err != nil {
		t.Fatal(err)
	}
	return result
}

// TestText writes a text with the module under emulation, behind all that lies between the engine and the DSP.
func TestText(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const tokens = 6
	want := generate(t, pair.Draft, nil, tokens) // the small one
	k := fastrpctest.New(t.TempDir(), deviceFiles[1], newEmulated(t))
	got := generate(t, pair.Draft, openWith(t, k), tokens)
	if !slices.Equal(got.TokenIDs, want.TokenIDs) {
		t.Errorf("%q, want %q", got.Text, want.Text)
	}
	if s := got.NPUStats; s == nil || s.Products == 0 || s.Fallbacks != 0 || s.Lost {
		t.Errorf("statistics %+v", s)
	}
	nothingLeft(t, k)
}
