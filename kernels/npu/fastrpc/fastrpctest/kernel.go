//go:build linux

package fastrpctest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"golang.org/x/sys/unix"
)

// Processor computes what the DSP would.
type Processor interface {
	// Load loads a module.
	Load(module []byte) error
	// Map makes shared memory known, which is also the content of a file, and returns its address.
	Map(mem []byte, path string) (uint32, error)
	Unmap(address uint32, bytes int) error
	// Call calls the module with a buffer that goes in.
	Call(scalars uint32, in []byte) (fastrpc.Code, error)
}

// Faults that a [Kernel] can have at a call, besides those that are returned as they are.
var (
	// ErrDead ends the process on the DSP, at this call and for good.
	ErrDead = errors.New("the DSP is dead")
	// ErrHang keeps a call of the DSP waiting until [Kernel.Release]. Others end after a while, as the kernel has it.
	ErrHang = errors.New("the DSP hangs")
)

// Kernel is a [fastrpc.Kernel] with one DSP.
type Kernel struct {
	Device    string            // the file of the DSP, which says what interface its driver has
	Heap      string            // the file that allocates dma-bufs, of a heap of Linux or ION; empty if there is none
	Files     map[string][]byte // of the system
	Processor Processor
	// Fault, if not nil, is asked for what goes wrong at each call of the kernel.
	Fault func(call string) error
	// Space, if not 0, bounds the bytes that can be mapped on the DSP.
	Space int

	released chan struct{}

	mu      sync.Mutex
	nextFD  int
	open    map[int]*file
	mapped  map[*byte][]byte
	process *process
	log     []string
}

// file is what a descriptor stands for.
type file struct {
	path   string // of a device, or of the content of a dma-buf
	bytes  int    // of a dma-buf
	memory int    // the system's descriptor of its content
	shared []byte // mapped
}

// New returns a kernel with a device file and what computes behind it.
func New(device string, p Processor) *Kernel {
	return &Kernel{
		Device: device, Heap: "/dev/dma_heap/system", Processor: p, released: make(chan struct{}), open: map[int]*file{}, mapped: map[*byte][]byte{},
		Files: map[string][]byte{"/vendor/dsp/cdsp/fastrpc_shell_unsigned_3": []byte("\x7fELF, a shell")},
	}
}

// Release ends all calls that hang, now and later.
func (k *Kernel) Release() { close(k.released) }

// Left lists what is open or mapped.
func (k *Kernel) Left() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var left []string
	for fd, f := range k.open {
		left = append(left, fmt.Sprintf("descriptor %d of %s", fd, f.path))
	}
	for _, m := range k.mapped {
		left = append(left, fmt.Sprintf("a mapping of %d bytes", len(m)))
	}
	if k.process != nil {
		left = append(left, "a process on the DSP")
	}
	slices.Sort(left)
	return left
}

// Log lists the calls of the kernel that were made.
func (k *Kernel) Log() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.log)
}

// fault notes a call and returns what goes wrong at it.
func (k *Kernel) fault(call string) error {
	k.mu.Lock()
	k.log = append(k.log, call)
	p := k.process
	k.mu.Unlock()
	if k.Fault == nil {
		return nil
	}
	err := k.Fault(call)
	switch err {
	case ErrDead:
		if p != nil {
			p.end()
		}
		return syscall.ECONNRESET
	case ErrHang:
		if !strings.HasPrefix(call, "invoke") {
			return syscall.ETIMEDOUT
		}
		<-k.released
		return syscall.ECONNRESET
	}
	return err
}

func (k *Kernel) add(f *file) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nextFD++
	k.open[k.nextFD] = f
	return k.nextFD
}

func (k *Kernel) find(fd int) (*file, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.open[fd]; f != nil {
		return f, nil
	}
	return nil, syscall.EBADF
}

func (k *Kernel) Open(path string) (int, error) {
	if path == "" || path != k.Device && path != k.Heap {
		return 0, syscall.ENOENT
	}
	if err := k.fault("open " + path); err != nil {
		return 0, err
	}
	return k.add(&file{path: path}), nil
}

func (k *Kernel) ReadFile(path string) ([]byte, error) {
	content, found := k.Files[path]
	if !found {
		return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
	}
	if err := k.fault("read " + path); err != nil {
		return nil, err
	}
	return content, nil
}

func (k *Kernel) Close(fd int) error {
	f, err := k.find(fd)
	if err != nil {
		return err
	}
	k.mu.Lock()
	delete(k.open, fd)
	p := k.process
	if f.path == k.Device {
		k.process = nil
	}
	k.mu.Unlock()
	if f.path == k.Device && p != nil {
		return p.release()
	}
	if f.bytes > 0 {
		return unix.Close(f.memory)
	}
	return nil
}

func (k *Kernel) Map(fd, size int) ([]byte, error) {
	f, err := k.find(fd)
	if err != nil {
		return nil, err
	}
	if err := k.fault("map here"); err != nil {
		return nil, err
	}
	if size > f.bytes {
		return nil, syscall.EINVAL
	}
	mem, err := f.mapped(size)
	if err == nil {
		k.mu.Lock()
		f.shared, k.mapped[&mem[0]] = mem, mem
		k.mu.Unlock()
	}
	return mem, err
}

func (f *file) mapped(size int) ([]byte, error) {
	return unix.Mmap(f.memory, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (k *Kernel) Unmap(mem []byte) error {
	k.mu.Lock()
	_, found := k.mapped[&mem[0]]
	delete(k.mapped, &mem[0])
	k.mu.Unlock()
	if !found {
		return syscall.EINVAL
	}
	return unix.Munmap(mem)
}

// argument is the argument of a request, in the memory of the host.
type argument struct {
	p    unsafe.Pointer
	size int
}

func (a argument) word(at int) uint32   { return *(*uint32)(a.at(at, 4)) }
func (a argument) long(at int) uint64   { return *(*uint64)(a.at(at, 8)) }
func (a argument) put(at int, v uint64) { *(*uint64)(a.at(at, 8)) = v }
func (a argument) at(at, bytes int) unsafe.Pointer {
	if at+bytes > a.size {
		panic(fmt.Sprintf("fastrpctest: byte %d of an argument of %d", at, a.size))
	}
	return unsafe.Add(a.p, at)
}

// pointer returns what a pointer in the argument points to.
func (a argument) pointer(at, bytes int) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(a.at(at, 8))), bytes)
}

func (k *Kernel) Ioctl(fd int, request uint32, p unsafe.Pointer) error {
	f, err := k.find(fd)
	if err != nil {
		return err
	}
	a := argument{p, int(request >> 16 & 0x3fff)}
	switch kind, number := byte(request>>8), int(request&255); {
	case kind == 'H' && number == 0 && a.size == 24 && strings.HasPrefix(f.path, "/dev/dma_heap/"):
		return k.alloc(a, 0, 8)
	case kind == 'I' && f.path == "/dev/ion":
		return k.ion(number, a)
	case kind == 'b' && number == 0 && a.size == 8 && f.bytes > 0:
		return k.fault("sync")
	case kind == 'R' && f.path == k.Device:
		if strings.HasPrefix(filepath.Base(f.path), "fastrpc-") {
			return k.mainline(number, a)
		}
		return k.vendor(number, a)
	}
	return syscall.ENOTTY
}

// alloc makes a dma-buf of the size that the argument has at one place, and puts its descriptor at another.
func (k *Kernel) alloc(a argument, size, fd int) error {
	if err := k.fault("allocate"); err != nil {
		return err
	}
	bytes := int(a.long(size))
	memory, err := unix.MemfdCreate("dma-buf", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.Ftruncate(memory, int64(bytes)); err != nil {
		return errors.Join(err, unix.Close(memory))
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), memory)
	*(*int32)(a.at(fd, 4)) = int32(k.add(&file{path: path, bytes: bytes, memory: memory}))
	return nil
}

// ion does what ION does since Linux 4.12, whose requests are in include/uapi/linux/ion.h. It has a heap of a kind that programs cannot use, and one
// of ordinary memory with the number that Qualcomm gives it.
func (k *Kernel) ion(number int, a argument) error {
	const system = 25
	switch {
	case number == 8 && a.size == 24:
		heaps := a.pointer(8, int(a.word(0))*52)
		copy(heaps, "secure")
		heaps[32], heaps[36] = 6, 9 // type and number
		copy(heaps[52:], "system")
		heaps[52+32], heaps[52+36] = 0, system
		*(*uint32)(a.at(0, 4)) = 2
		return k.fault("query")
	case number == 0 && a.size == 24:
		if a.word(8) != 1<<system || a.word(12) != 1 {
			return syscall.EINVAL // another heap, or memory that caches leave out
		}
		return k.alloc(a, 0, 16)
	}
	return syscall.ENOTTY
}

// mainline does what Linux's driver does, whose requests are in include/uapi/misc/fastrpc.h.
func (k *Kernel) mainline(number int, a argument) error {
	switch {
	case number == 1 && a.size == 16:
		return k.alloc(a, 8, 0)
	case number == 3 && a.size == 16:
		return k.invoke(a, 24)
	case number == 5 && a.size == 24:
		return k.create(int(a.word(4)), a.pointer(16, int(a.word(0))), a.word(8))
	case number == 6 && a.size == 32:
		return k.grow(a)
	case number == 7 && a.size == 16:
		return k.fault("shrink")
	case number == 10 && a.size == 64:
		return k.attach(int(int32(a.word(4))), int(a.long(24)), a.word(12), func(v uint64) { a.put(32, v) })
	case number == 11 && a.size == 48:
		return k.detach(int(int32(a.word(4))), a.long(8), int(a.long(16)))
	}
	return syscall.ENOTTY
}

// vendor does what the driver of Android kernels does, whose requests are in adsprpc_shared.h.
func (k *Kernel) vendor(number int, a argument) error {
	switch {
	case number == 1 && a.size == 16:
		return k.invoke(a, 16)
	case number == 2 && a.size == 32:
		return k.grow(a)
	case number == 3 && a.size == 16:
		return k.fault("shrink")
	case number == 8 && a.size == 4:
		if a.word(0) != 3 {
			return syscall.ECHRNG
		}
		return k.fault("choose")
	case number == 10 && a.size == 48:
		if a.word(0) != 1 {
			return syscall.EINVAL
		}
		return k.create(int(a.word(20)), a.pointer(8, int(a.word(16))), a.word(40))
	case number == 19 && a.size == 64:
		return k.attach(int(int32(a.word(8))), int(a.long(32)), a.word(16), func(v uint64) { a.put(40, v) })
	case number == 20 && a.size == 48:
		return k.detach(int(int32(a.word(8))), a.long(16), int(a.long(24)))
	}
	return syscall.ENOTTY
}

func (k *Kernel) grow(a argument) error {
	if err := k.fault("grow"); err != nil {
		return err
	}
	if a.word(4) != 0x1000 || a.long(8) != 0 || a.long(16) == 0 {
		return syscall.EINVAL
	}
	a.put(24, 0xd0000000)
	return nil
}
