package opencl

import (
	"fmt"
	"unsafe"
)

// arguments are those of a kernel, in order.
type arguments struct {
	values [24]uint64
	sizes  [24]uintptr
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

// floats adds an object and the index of its first float.
func (a *arguments) floats(m memory) *arguments { return a.object(m.object).long(m.offset / 4) }

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
