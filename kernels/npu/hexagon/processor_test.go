package hexagon

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/tensor"
)

// reference is a [fastrpctest.Processor] that computes what the module does with package kernels.
type reference struct {
	mu     sync.Mutex
	mem    map[uint32][]byte
	next   uint32
	inputs map[uint32][]float32 // by the addresses of their forms
}

func newReference() *reference {
	return &reference{mem: map[uint32][]byte{}, next: 1 << 20, inputs: map[uint32][]float32{}}
}

func (r *reference) Load(file []byte) error {
	if !bytes.Equal(file, module) {
		return errors.New("not the module")
	}
	return nil
}

func (r *reference) Map(mem []byte, _ string) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	address := r.next
	r.mem[address] = mem
	r.next += uint32(len(mem)) + 1<<16
	return address, nil
}

func (r *reference) Unmap(address uint32, _ int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mem, address)
	return nil
}

// at returns memory of the DSP.
func (r *reference) at(address uint32, n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for begin, mem := range r.mem {
		if address >= begin && int(address-begin)+n <= len(mem) {
			return mem[address-begin:][:n]
		}
	}
	panic(fmt.Sprintf("%d bytes at %#x are not mapped", n, address))
}

func (r *reference) floats(address uint32, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&r.at(address, 4*n)[0])), n)
}

func (r *reference) Call(scalars uint32, in []byte) (fastrpc.Code, error) {
	if scalars != runMethod<<24|1<<16 || len(in) != 28 {
		return 0x8000040e, nil
	}
	var call [7]uint32
	for i := range call {
		call[i] = binary.LittleEndian.Uint32(in[4*i:])
	}
	queue, messages, part, parts, done := call[0], call[1], int(call[4]), int(call[5]), call[6]
	for i := call[2]; i != call[3]; i++ {
		var m [8]uint32
		for j := range m {
			m[j] = binary.LittleEndian.Uint32(r.at(queue+i%messages*messageBytes+uint32(4*j), 4))
		}
		d, rows, cols, outputs := types[m[0]], int(m[1]), int(m[2]), int(m[3])
		var input kernels.Input
		input.Reset(r.input(m[5], m[6], rows*cols), rows, cols)
		w := tensor.Packed{Type: d, Rows: outputs, Cols: cols, Data: r.at(m[4], tensor.PackedBytes(d, outputs, cols))}
		share := func(part int) int { return min(outputs, (outputs+15)/16*part/parts*16) }
		if from, to := share(part), share(part+1); from < to {
			kernels.MatMul(nil, r.floats(m[7], rows*outputs), outputs, w.Slice(from, to), &input)
		}
		binary.LittleEndian.PutUint32(r.at(done+4*(uint32(part)*messages+i%messages), 4), i+1)
	}
	return 0, nil
}

// input returns activations: those at an address, which it notes for their form's, or those that are noted for that.
func (r *reference) input(address, form uint32, n int) []float32 {
	if address != 0 {
		x := slices.Clone(r.floats(address, n))
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inputs[form] = x
		return x
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inputs[form][:n]
}

// emulated is a [fastrpctest.Processor] that runs the module under emulation.
type emulated struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out io.Reader
}

// newEmulated starts the emulator, and skips the test where there is none.
func newEmulated(t testing.TB) *emulated {
	t.Helper()
	in, out := startEmulator(t, "testdata/emulator")
	return &emulated{in: in, out: out}
}

// Requests of src/emulator.c.
const (
	emulatorLoad = iota
	emulatorMap
	emulatorUnmap
	emulatorCall
)

func (e *emulated) request(operation, a, b uint32, follows []byte) (answer uint32, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	head := make([]byte, 0, 12+len(follows))
	for _, v := range []uint32{operation, a, b} {
		head = binary.LittleEndian.AppendUint32(head, v)
	}
	if _, err = e.in.Write(append(head, follows...)); err == nil {
		err = binary.Read(e.out, binary.LittleEndian, &answer)
	}
	if err != nil {
		err = fmt.Errorf("the emulator broke off: %w", err)
	}
	return answer, err
}

func (e *emulated) Load(file []byte) error {
	_, err := e.request(emulatorLoad, uint32(len(file)), 0, file)
	return err
}

func (e *emulated) Map(mem []byte, path string) (uint32, error) {
	return e.request(emulatorMap, uint32(len(mem)), uint32(len(path)+1), append([]byte(path), 0))
}

func (e *emulated) Unmap(address uint32, n int) error {
	_, err := e.request(emulatorUnmap, address, uint32(n), nil)
	return err
}

func (e *emulated) Call(scalars uint32, in []byte) (fastrpc.Code, error) {
	code, err := e.request(emulatorCall, scalars, uint32(len(in)), in)
	return fastrpc.Code(code), err
}
