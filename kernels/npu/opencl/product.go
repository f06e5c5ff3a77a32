package opencl

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/lever-go/lever/tensor"
)

const (
	groupRows    = 64 // rows of weights that a group of work-items computes
	rowsAtOnce   = 4  // of activations, that a work-item multiplies
	quantBlock   = 32
	q8BlockBytes = quantBlock + 4 + 4
)

// products names the kernels for each type of weights; behind the name stands the number of rows.
var products = map[tensor.DType]string{
	tensor.F16:  "matmul_f16",
	tensor.Q4_0: "matmul_q4_0",
	tensor.Q8_0: "matmul_q8_0",
	tensor.Q4_K: "matmul_q4_k",
	tensor.Q6_K: "matmul_q6_k",
}

func productName(d tensor.DType, rows int) string {
	return fmt.Sprintf("%s_%d", products[d], rows)
}

func kernelNames() []string {
	names := []string{"quantize"}
	for d := range products {
		names = append(names, productName(d, 1), productName(d, rowsAtOnce))
	}
	return names
}

// form is the latest rows that were quantised, and their form.
type form struct {
	object   handle
	bytes    int
	of       memory
	rows, k  int
	complete bool
}

func (f *form) release(d *Device) {
	if f.object != 0 {
		d.lib.status(releaseMemObject, uintptr(f.object))
	}
	*f = form{}
}

// multiply queues the product.
func (l *launch) multiply() error {
	w, x, k := l.operands.W, memory{l.operands.X.(*buffer).object, l.operands.XOffset}, l.product.Cols
	if w.Type.Quantized() {
		if err := l.quantize(x, k, l.operands.XUnchanged); err != nil {
			return err
		}
	}
	matrix, err := l.weights(w)
	if err != nil {
		return err
	}
	args := arguments{}
	args.floats(memory{l.operands.Y.(*buffer).object, 0}).int(w.Rows).object(matrix.object).long(matrix.offset).int(w.Rows)
	if w.Type.Quantized() {
		args.object(l.d.form.object)
	} else {
		args.floats(x)
	}
	args.int(l.rows).int(k)
	atOnce := 1
	if l.rows > 1 {
		atOnce = rowsAtOnce
	}
	items := (w.Rows + l.d.lanes - 1) / l.d.lanes
	return l.d.run(productName(w.Type, atOnce), &args, items, (l.rows+atOnce-1)/atOnce, groupRows/l.d.lanes)
}

// quantize makes the form of the rows of x, unless the latest one is theirs.
func (l *launch) quantize(x memory, k int, unchanged bool) error {
	f, d := &l.d.form, l.d
	if unchanged && f.complete && f.of == x && f.rows == l.rows && f.k == k {
		return nil
	}
	blocks := l.rows * k / quantBlock
	if need := blocks * q8BlockBytes; need > f.bytes {
		f.release(d) // once what uses it has ended
		object, c := d.lib.newBuffer(d.context, memReadWrite, uintptr(need), nil)
		if c != 0 {
			return d.check(c, "allocate quantised activations", false)
		}
		f.object, f.bytes = object, need
	}
	f.of, f.rows, f.k, f.complete = x, l.rows, k, false
	args := arguments{}
	args.object(f.object).floats(x).int(blocks)
	if err := d.run("quantize", &args, blocks, 1, groupRows/d.lanes); err != nil {
		return err
	}
	f.complete = true
	return nil
}

// weights makes a part of a matrix known to the device until the event ends.
func (l *launch) weights(part tensor.Packed) (memory, error) {
	d := l.d
	start := unsafe.Pointer(&part.Data[0])
	if m, ok := d.own(start); ok {
		return m, nil
	}
	flags := uintptr(memReadOnly | memCopyHost)
	if uintptr(start)%d.baseAlign == 0 {
		flags = memReadOnly | memUseHostPtr
		l.e.pins.Pin(start)
	}
	object, c := d.lib.newBuffer(d.context, flags, uintptr(len(part.Data)), start)
	runtime.KeepAlive(part.Data)
	if c != 0 {
		return memory{}, d.check(c, fmt.Sprintf("bind %d bytes of weights", len(part.Data)), false)
	}
	l.e.leased = append(l.e.leased, object)
	return memory{object, 0}, nil
}
