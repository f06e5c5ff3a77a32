package hexagon

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/tensor"
)

// leastWeights is the size from which on weights get memory that the DSP sees. Less is copied as fast, and would use up what a system can map.
const leastWeights = 256 << 10

// residentWeights is memory for weights that stay. The device's lock guards what its buffer does not.
type residentWeights struct {
	buffer
	start uintptr
	there bool   // the DSP sees it
	using int    // programs under way
	used  uint32 // position in the queue of the latest one
}

// AllocWeights returns memory that the DSP sees as long as it has addresses: where others need them, those of the weights that were used least recently
// are given back, which are copied from then on.
func (d *Device) AllocWeights(t tensor.DType, bytes int) (npu.Buffer, error) {
	if !slices.Contains(types, t) || bytes < leastWeights {
		return nil, fmt.Errorf("hexagon: %d bytes of weights of type %v: %w", bytes, t, npu.ErrUnsupported)
	}
	d.mu.Lock()
	err := d.usable()
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	m, err := d.session.Alloc(bytes)
	if err != nil {
		return nil, d.failed(err)
	}
	w := &residentWeights{buffer: buffer{d: d, size: bytes, memory: m}, start: uintptr(unsafe.Pointer(&m.Bytes()[0])), there: true}
	d.mu.Lock()
	defer d.mu.Unlock()
	w.used = d.to
	at, _ := slices.BinarySearchFunc(d.weights, w.start, (*residentWeights).compare)
	d.weights = slices.Insert(d.weights, at, w)
	return w, nil
}

func (w *residentWeights) compare(start uintptr) int { return cmp.Compare(w.start, start) }

func (w *residentWeights) Free() error {
	d := w.d
	d.mu.Lock()
	d.weights = slices.DeleteFunc(d.weights, func(other *residentWeights) bool { return other == w })
	d.mu.Unlock()
	return w.buffer.Free()
}

// place returns the address on the DSP of a part of a matrix, whose memory the program uses until giveBack: in memory for weights or, copied, elsewhere.
func (d *Device) place(e *event, part []byte) (uint32, error) {
	start := uintptr(unsafe.Pointer(&part[0]))
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, _ := slices.BinarySearchFunc(d.weights, start+1, (*residentWeights).compare); at > 0 {
		w := d.weights[at-1]
		if offset := start - w.start; w.there && offset+uintptr(len(part)) <= uintptr(w.size) {
			w.using++
			w.used = d.to
			e.weights = w
			return w.memory.Address() + uint32(offset), nil
		}
	}
	if n := len(d.copies); n > 0 {
		e.copied, d.copies = d.copies[n-1], d.copies[:n-1]
	}
	d.mu.Unlock()
	err := d.copyWeights(e, part)
	d.mu.Lock()
	if err != nil {
		e.giveBack(d)
		return 0, err
	}
	return e.copied.Address(), nil
}

// copyWeights copies a part to the program's memory for that, which it allocates if there is none that is large enough.
func (d *Device) copyWeights(e *event, part []byte) error {
	if e.copied != nil && len(e.copied.Bytes()) < len(part) {
		err := e.copied.Free()
		e.copied = nil
		if err != nil {
			return d.failed(err)
		}
	}
	if e.copied == nil {
		var err error
		if e.copied, err = d.alloc(len(part)); err != nil {
			return err
		}
	}
	copy(e.copied.Bytes(), part)
	return d.failed(e.copied.Flush())
}

// giveBack ends the use of the program's weights. The caller holds mu.
func (e *event) giveBack(d *Device) {
	if e.weights != nil {
		e.weights.using--
	}
	if e.copied != nil {
		d.copies = append(d.copies, e.copied)
	}
	e.weights, e.copied = nil, nil
}

// alloc returns memory that the DSP sees. Weights have less right to its addresses.
func (d *Device) alloc(bytes int) (*fastrpc.Memory, error) {
	for {
		m, err := d.session.Alloc(bytes)
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, fastrpc.ErrNoAddresses) || !d.letGo() {
			return nil, d.failed(err)
		}
	}
}

// letGo gives back the addresses of the weights that were used least recently, and reports whether there were any.
func (d *Device) letGo() bool {
	var oldest *residentWeights
	d.mu.Lock()
	for _, w := range d.weights {
		if w.there && w.using == 0 && (oldest == nil || d.to-w.used > d.to-oldest.used) {
			oldest = w
		}
	}
	if oldest != nil {
		oldest.there = false
	}
	d.mu.Unlock()
	if oldest == nil {
		return false
	}
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	return oldest.memory == nil || d.failed(oldest.memory.Detach()) == nil
}
