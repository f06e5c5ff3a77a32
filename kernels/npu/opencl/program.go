package opencl

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
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

// program is a graph with memory for its temporary operands.
type program struct {
	d         *Device
	graph     npu.Graph
	batch     int
	temporary []handle // by operand; 0 where it is bound
}

// Compile takes graphs of products.
func (d *Device) Compile(g npu.Graph, batch int) (npu.Program, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if batch < 1 {
		return nil, fmt.Errorf("opencl: batch of %d: %w", batch, npu.ErrUnsupported)
	}
	for i := range g.Steps {
		if g.Steps[i].Op != npu.MatMul {
			return nil, fmt.Errorf("opencl: step %d: %v: %w", i, g.Steps[i].Op, npu.ErrUnsupported)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	p := &program{d: d, graph: g, batch: batch, temporary: make([]handle, len(g.Operands))}
	for i := range g.Operands {
		if !g.Temporary(i) {
			continue
		}
		var c code
		if p.temporary[i], c = d.lib.newBuffer(d.context, memReadWrite, uintptr(g.Operands[i].Bytes(batch)), nil); c != 0 {
			p.release()
			return nil, d.check(c, "allocate "+strings.TrimSpace("a temporary operand "+g.Operands[i].Name), false)
		}
	}
	return p, nil
}

func (p *program) Close() error {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	p.release()
	return nil
}

func (p *program) release() {
	for i, t := range p.temporary {
		if t != 0 {
			p.d.lib.status(releaseMemObject, uintptr(t))
			p.temporary[i] = 0
		}
	}
}

// memory is an operand: an object, and where the operand begins in it.
type memory struct {
	object handle
	offset int
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

// launch is one Submit while its commands are queued.
type launch struct {
	*program
	rows     int
	bindings []npu.Binding
	e        *event
}

// Submit queues the program's kernels.
func (p *program) Submit(ctx context.Context, rows int, b []npu.Binding) (npu.Event, error) {
	if err := p.graph.CheckSubmit(p.batch, alignment, rows, b); err != nil {
		return nil, err
	}
	for i := range b {
		if own, ok := b[i].Buffer.(*buffer); b[i].Buffer != nil && (!ok || own.d != p.d) {
			return nil, fmt.Errorf("opencl: submit: operand %d (%s) lies in a buffer of another device", i, p.graph.Operands[i].Name)
		}
	}
	d := p.d
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case d.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	e := &event{d: d, done: make(chan struct{})}
	err := d.usable()
	if err == nil {
		l := launch{p, rows, b, e}
		err = l.enqueue()
	}
	if err != nil {
		// What was queued may still read what was leased.
		if len(e.leased) > 0 {
			d.lib.status(finish, uintptr(d.queue))
		}
		e.endLease()
		<-d.free
		return nil, err
	}
	d.pending <- e // has room for every token
	return e, nil
}

// enqueue queues all steps and the event behind them.
func (l *launch) enqueue() error {
	for i := range l.graph.Steps {
		if err := l.multiply(&l.graph.Steps[i]); err != nil {
			return err
		}
	}
	d := l.d
	if err := d.check(d.lib.status(enqueueMarker, uintptr(d.queue), 0, 0, uintptr(unsafe.Pointer(&l.e.object))), "queue a marker", false); err != nil {
		return err
	}
	return d.check(d.lib.status(flush, uintptr(d.queue)), "flush the queue", false)
}

// operand returns where rows or a vector lie.
func (l *launch) operand(i int) memory {
	if t := l.temporary[i]; t != 0 {
		return memory{t, 0}
	}
	return memory{l.bindings[i].Buffer.(*buffer).object, l.bindings[i].Offset}
}

// multiply queues one product, part by part.
func (l *launch) multiply(s *npu.Step) error {
	parts, x, dst := l.bindings[s.Args[0]].Parts, l.operand(s.Args[1]), l.operand(s.Out)
	k, ldd := parts[0].Cols, l.graph.Operands[s.Out].Cols
	if parts[0].Type.Quantized() {
		if err := l.quantize(x, k, l.temporary[s.Args[1]] == 0 && l.bindings[s.Args[1]].Unchanged); err != nil {
			return err
		}
	}
	atOnce := 1
	if l.rows > 1 {
		atOnce = rowsAtOnce
	}
	for _, part := range parts {
		w, err := l.weights(part)
		if err != nil {
			return err
		}
		args := arguments{}
		args.object(dst.object).long(dst.offset/4 + part.Row - parts[0].Row).int(ldd).object(w.object).long(w.offset).int(part.Rows)
		if part.Type.Quantized() {
			args.object(l.d.form.object)
		} else {
			args.object(x.object).long(x.offset / 4)
		}
		args.int(l.rows).int(k)
		items := (part.Rows + l.d.lanes - 1) / l.d.lanes
		if err := l.d.run(productName(part.Type, atOnce), &args, items, (l.rows+atOnce-1)/atOnce, groupRows/l.d.lanes); err != nil {
			return err
		}
	}
	return nil
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
	args.object(f.object).object(x.object).long(x.offset / 4).int(blocks)
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

// arguments are those of a kernel, in order.
type arguments struct {
	values [12]uint64
	sizes  [12]uintptr
	n      int
}

func (a *arguments) add(v uint64, size uintptr) *arguments {
	a.values[a.n], a.sizes[a.n] = v, size
	a.n++
	return a
}

func (a *arguments) object(h handle) *arguments { return a.add(uint64(h), 8) }
func (a *arguments) long(v int) *arguments      { return a.add(uint64(v), 8) }
func (a *arguments) int(v int) *arguments       { return a.add(uint64(uint32(v)), 4) }

// run queues a kernel over width × height work-items, in groups of group × 1; the kernel leaves out those beyond width.
func (d *Device) run(name string, a *arguments, width, height, group int) error {
	k := d.kernels[name]
	for i := range a.n {
		if c := d.lib.status(setKernelArg, uintptr(k), uintptr(i), a.sizes[i], uintptr(unsafe.Pointer(&a.values[i]))); c != 0 {
			return d.check(c, fmt.Sprintf("set argument %d of the kernel %s", i, name), false)
		}
	}
	global := [2]uintptr{uintptr((width + group - 1) / group * group), uintptr(height)}
	local := [2]uintptr{uintptr(group), 1}
	c := d.lib.status(enqueueNDRangeKernel, uintptr(d.queue), uintptr(k), 2, 0, uintptr(unsafe.Pointer(&global[0])), uintptr(unsafe.Pointer(&local[0])), 0, 0, 0)
	return d.check(c, "queue the kernel "+name, false)
}
