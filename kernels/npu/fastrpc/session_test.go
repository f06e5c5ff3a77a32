//go:build linux

package fastrpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var module = fastrpc.Module{Name: "double.so", Function: "double_entry", File: bytes.Repeat([]byte("\x7fELF, a module. "), 1000)}

// doubler is a processor with one function, which doubles the bytes at an address.
type doubler struct {
	loaded []byte
	mem    map[uint32][]byte
}

func newDoubler() *doubler { return &doubler{mem: map[uint32][]byte{}} }

func (d *doubler) Load(file []byte) error {
	d.loaded = file
	return nil
}

func (d *doubler) Map(mem []byte, _ string) (uint32, error) {
	address := uint32(0x1000 * (len(d.mem) + 1))
	d.mem[address] = mem
	return address, nil
}

func (d *doubler) Unmap(address uint32, _ int) error {
	d.mem[address] = nil
	return nil
}

func (d *doubler) Call(scalars uint32, in []byte) (fastrpc.Code, error) {
	mem := d.mem[binary.LittleEndian.Uint32(in)]
	if scalars != 5<<24|1<<16 || mem == nil {
		return 0x8000040e, nil
	}
	for i := range mem {
		mem[i] *= 2
	}
	return 0, nil
}

// kernels returns one of each kind.
func kernels(t *testing.T) map[string]*fastrpctest.Kernel {
	all := map[string]*fastrpctest.Kernel{}
	for _, path := range []string{"/dev/fastrpc-cdsp-secure", "/dev/fastrpc-cdsp", "/dev/adsprpc-smd"} {
		all[path] = fastrpctest.New(path, newDoubler())
	}
	all["no heap"] = fastrpctest.New("/dev/fastrpc-cdsp", newDoubler())
	all["no heap"].Heap = ""
	all["ION"] = fastrpctest.New("/dev/adsprpc-smd", newDoubler())
	all["ION"].Heap = "/dev/ion"
	return all
}

func address(m *fastrpc.Memory) []byte { return binary.LittleEndian.AppendUint32(nil, m.Address()) }

// TestSession loads a module, shares memory with it and calls it, by way of each interface of kernels.
func TestSession(t *testing.T) {
	for name, k := range kernels(t) {
		t.Run(name, func(t *testing.T) {
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			s, err := fastrpc.Open(t.Context(), k, module, fastrpc.CallLimit)
			must(err)
			if got := k.Processor.(*doubler).loaded; !bytes.Equal(got, module.File) {
				t.Errorf("%d bytes were loaded of %d", len(got), len(module.File))
			}
			m, err := s.Alloc(5000)
			must(err)
			m.Bytes()[4999] = 21
			must(m.Flush())
			must(s.Call(5, [][]byte{address(m)}, nil))
			must(m.Invalidate())
			if got := m.Bytes()[4999]; got != 42 {
				t.Errorf("21 doubled is %d", got)
			}
			must(m.Free())
			must(m.Free())
			must(s.Close())
			must(s.Close())
			if left := k.Left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if err := s.Call(5, nil, nil); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("a call of a closed session: %v", err)
			}
		})
	}
}

// TestRefused opens sessions on systems that have no DSP for us, and reads why.
func TestRefused(t *testing.T) {
	fail := func(call string, err error) func(*fastrpctest.Kernel) {
		return func(k *fastrpctest.Kernel) {
			k.Fault = func(made string) error {
				if strings.HasPrefix(made, call) {
					return err
				}
				return nil
			}
		}
	}
	for name, test := range map[string]struct {
		change func(k *fastrpctest.Kernel)
		kind   error
		says   string
	}{
		"no device":      {func(k *fastrpctest.Kernel) { k.Device = "none" }, npu.ErrUnsupported, "/dev/fastrpc-cdsp, /dev/adsprpc-smd: this system has no Qualcomm DSP"},
		"no access":      {fail("open /dev/f", syscall.EACCES), npu.ErrUnsupported, "<uses-native-library"},
		"no session":     {fail("open /dev/f", syscall.EBUSY), npu.ErrUnsupported, "end other programs"},
		"no shell":       {func(k *fastrpctest.Kernel) { k.Files = nil }, npu.ErrUnsupported, "/dsp/cdsp/fastrpc_shell_unsigned_3"},
		"an empty shell": {func(k *fastrpctest.Kernel) { k.Files = map[string][]byte{"/vendor/dsp/fastrpc_shell_unsigned_3": nil} }, npu.ErrUnsupported, "has 0 bytes"},
		"no memory":      {fail("allocate", syscall.ENOMEM), npu.ErrOutOfMemory, "allocate"},
		"no access to memory": {func(k *fastrpctest.Kernel) {
			k.Device = "/dev/adsprpc-smd"
			fail("open /dev/dma", syscall.EACCES)(k)
		}, npu.ErrUnsupported, "/dev/dma_heap/system"},
		"signed only":       {fail("create", syscall.ECONNREFUSED), npu.ErrUnsupported, "signed"},
		"an old driver":     {fail("create", syscall.ENOTTY), npu.ErrUnsupported, "older"},
		"an unknown code":   {fail("create", fastrpc.Code(0x80000777)), npu.ErrUnsupported, "0x80000777"},
		"no listener":       {fail("invoke 3.3", fastrpc.Code(0x80000414)), npu.ErrUnsupported, "unsupported"},
		"no loader":         {fail("invoke 0.0", fastrpc.Code(0x8000042b)), npu.ErrUnsupported, "not allowed"},
		"no heap for it":    {fail("grow", syscall.ENOMEM), npu.ErrOutOfMemory, "load double.so"},
		"a module it hates": {func(k *fastrpctest.Kernel) { k.Processor = picky{newDoubler()} }, npu.ErrUnsupported, "0x80000452 (not a program for this DSP)"},
		"a dead DSP":        {fail("invoke 0.0", fastrpctest.ErrDead), npu.ErrLost, "connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			k := fastrpctest.New("/dev/fastrpc-cdsp", newDoubler())
			test.change(k)
			_, err := fastrpc.Open(t.Context(), k, module, fastrpc.CallLimit)
			if !errors.Is(err, test.kind) || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("%v\nwant %v, and %q", err, test.kind, test.says)
			}
			if left := k.Left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	t.Run("a context that is done", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		k := fastrpctest.New("/dev/fastrpc-cdsp", newDoubler())
		if _, err := fastrpc.Open(ctx, k, module, fastrpc.CallLimit); !errors.Is(err, context.Canceled) || len(k.Left()) > 0 {
			t.Errorf("%v, left: %v", err, k.Left())
		}
	})
}

// picky loads no module.
type picky struct{ *doubler }

func (picky) Load([]byte) error { return fastrpc.Code(0x80000452) }

// TestSpace maps memory until the DSP has no addresses left, and again when some were given back.
func TestSpace(t *testing.T) {
	k := fastrpctest.New("/dev/fastrpc-cdsp", newDoubler())
	k.Space = 5 * 4096
	s, err := fastrpc.Open(t.Context(), k, module, fastrpc.CallLimit)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Alloc(4 * 4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Alloc(4097); !errors.Is(err, npu.ErrOutOfMemory) {
		t.Errorf("more than there is room for: %v", err)
	}
	for _, n := range []int{0, -1, 1 << 31} {
		if _, err := s.Alloc(n); !errors.Is(err, npu.ErrUnsupported) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := first.Free(); err != nil {
		t.Fatal(err)
	}
	second, err := s.Alloc(4097)
	if err := errors.Join(err, second.Free(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if left := k.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestSystem opens a session on the system of the test, which says at least what it looked for.
func TestSystem(t *testing.T) {
	s, err := fastrpc.Open(t.Context(), fastrpc.System(), module, fastrpc.CallLimit)
	if err == nil {
		t.Fatalf("a module that is none is loaded; %v", s.Close())
	}
	if !errors.Is(err, npu.ErrUnsupported) || !strings.Contains(err.Error(), "/dev/fastrpc-cdsp") {
		t.Error(err)
	}
}

// TestHang waits for a DSP that does not answer, and not for long.
func TestHang(t *testing.T) {
	k := fastrpctest.New("/dev/fastrpc-cdsp", newDoubler())
	k.Fault = func(call string) error {
		if strings.HasPrefix(call, "invoke 4660.") || call == "invoke 4.2" {
			return fastrpctest.ErrHang
		}
		return nil
	}
	s, err := fastrpc.Open(t.Context(), k, module, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Alloc(1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Call(5, [][]byte{address(m)}, nil); !errors.Is(err, npu.ErrLost) {
			t.Errorf("a call that hangs: %v", err)
		}
	}
	if _, err := s.Alloc(1); !errors.Is(err, npu.ErrLost) {
		t.Errorf("memory of a lost session: %v", err)
	}
	if err := m.Free(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); !errors.Is(err, npu.ErrLost) {
		t.Errorf("closing a session that hangs: %v", err)
	}
	if left := k.Left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	k.Release()
}
