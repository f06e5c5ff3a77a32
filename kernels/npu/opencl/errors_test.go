package opencl

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/tensor"
)

func TestCodes(t *testing.T) {
	for _, c := range []struct {
		code    code
		running bool
		want    error
	}{
		{memAllocationFailure, false, npu.ErrOutOfMemory},
		{outOfHostMemory, false, npu.ErrOutOfMemory},
		{outOfHostMemory, true, npu.ErrOutOfMemory},
		{outOfResources, false, npu.ErrOutOfMemory},
		{outOfResources, true, npu.ErrLost},
		{deviceNotAvailable, false, npu.ErrLost},
		{invalidContext, false, npu.ErrLost},
		{invalidQueue, false, npu.ErrLost},
		{eventsInWaitList, true, npu.ErrLost},
		{-9999, false, npu.ErrLost},
		{invalidBufferSize, false, npu.ErrUnsupported},
		{-51, false, nil},
	} {
		err := c.code.err("try", c.running)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.code, err, c.want)
		}
		for _, kind := range []error{npu.ErrOutOfMemory, npu.ErrLost, npu.ErrUnsupported} {
			if kind != c.want && errors.Is(err, kind) {
				t.Errorf("%v: %v", c.code, err)
			}
		}
	}
	if err := code(0).err("try", true); err != nil {
		t.Error(err)
	}
}

func TestNoDevice(t *testing.T) {
	if _, err := openLibrary(); err != nil {
		t.Skipf("skipped: %v (Debian: ocl-icd-libopencl1, pocl-opencl-icd)", err)
	}
	if _, err := Open("no such device"); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("a device of an absurd name: %v", err)
	}
}

// TestBuildError shows that the compiler's messages are not lost.
func TestBuildError(t *testing.T) {
	d, err := Open("")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	_, log, c := d.lib.build(d.context, d.id, "__kernel void f() { nonsense; }", "")
	if c == 0 || !strings.Contains(log, "nonsense") {
		t.Errorf("%v, with the messages %q", c, log)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestLost shows that everything fails once the session is lost, except giving things back.
func TestLost(t *testing.T) {
	d, err := Open("")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := d.Compile(npu.Product{Type: tensor.Q8_0, Rows: 16, Cols: 32}, 1)
	must(err)
	x, err := d.Alloc(4 * 32)
	must(err)
	y, err := d.Alloc(4 * 16)
	must(err)
	operands := npu.Operands{
		W: tensor.Packed{Type: tensor.Q8_0, Rows: 16, Cols: 32, Data: make([]byte, tensor.PackedBytes(tensor.Q8_0, 16, 32))}, X: x, Y: y,
	}
	e, err := p.Submit(t.Context(), 1, operands)
	must(err)
	must(e.Wait(context.Background()))
	if err := d.check(deviceNotAvailable, "test", false); !errors.Is(err, npu.ErrLost) {
		t.Fatal(err)
	}
	_, submit := p.Submit(t.Context(), 1, operands)
	_, compile := d.Compile(npu.Product{Type: tensor.Q8_0, Rows: 16, Cols: 32}, 1)
	_, alloc := d.Alloc(10)
	for i, err := range []error{submit, compile, alloc, x.Flush(0, 4), x.Invalidate(0, 4)} {
		if !errors.Is(err, npu.ErrLost) {
			t.Errorf("call %d on a lost device: %v", i, err)
		}
	}
	must(p.Close())
	must(x.Free())
	must(y.Free())
	must(d.Close())
	must(d.Close())
}
