package fastrpc

import "unsafe"

// abi is the interface of one of the kernel's two drivers for calls to the DSP.
type abi interface {
	// choose says, before all else, which of the processors behind the device is meant.
	choose(k Kernel, fd int) error
	// create starts an unsigned process from the first size bytes of a shared buffer.
	create(k Kernel, fd int, shell *Memory, size int) error
	invoke(k Kernel, fd int, handle, scalars uint32, arguments [][]byte) error
	// attach maps a shared buffer in the process and returns its address there.
	attach(k Kernel, fd int, m *Memory) (uint64, error)
	detach(k Kernel, fd int, m *Memory) error
	// grow gives the process memory for its heap, and returns its address there; shrink takes it back.
	grow(k Kernel, fd int, size uint64, flags uint32) (uint64, error)
	shrink(k Kernel, fd int, address, size uint64) error
	// alloc returns the descriptor of a dma-buf for a system that has no heap of them.
	alloc(k Kernel, fd, size int) (int, error)
}

// Values that both drivers know.
const (
	computeDomain  = 3      // the compute DSP, among others for sound, sensors and the modem
	unsignedModule = 1 << 3 // an attribute of processes
	mapByFile      = 2      // a flag of attach: program and module keep the caches in order
)

// scalars is the word that describes a call.
func scalars(method uint8, in, out int) uint32 {
	return uint32(method&31)<<24 | uint32(in)<<16 | uint32(out)<<8
}

// splitScalars takes such a word apart.
func splitScalars(s uint32) (method uint8, in, out, handles int) {
	return uint8(s >> 24 & 31), int(s >> 16 & 255), int(s >> 8 & 255), int(s>>4&15 + s&15)
}

// ask makes a request with the argument a, whose type gives the size in the request's number.
func ask[T any](k Kernel, fd int, of byte, number uintptr, a *T) error {
	return k.Ioctl(fd, request(readWrite, of, number, unsafe.Sizeof(*a)), unsafe.Pointer(a))
}

// grow gives memory to the heap as both drivers do, but for the request's number.
func grow(k Kernel, fd int, number uintptr, size uint64, flags uint32) (uint64, error) {
	a := struct {
		fd      int32
		flags   uint32
		_       uint64 // an address that is wished for
		size    uint64
		address uint64 // returned
	}{fd: -1, flags: flags, size: size}
	err := ask(k, fd, 'R', number, &a)
	return a.address, err
}

// shrink takes it back.
func shrink(k Kernel, fd int, number uintptr, address, size uint64) error {
	return ask(k, fd, 'R', number, &struct{ address, size uint64 }{address, size})
}
