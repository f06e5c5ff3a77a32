package fastrpc

import "unsafe"

// mainline is the interface of the driver in Linux.
type mainline struct{}

// Numbers of its requests, of the kind 'R'.
const (
	mainlineAlloc    = 1
	mainlineInvoke   = 3
	mainlineCreate   = 5
	mainlineMap      = 6
	mainlineUnmap    = 7
	mainlineMemMap   = 10
	mainlineMemUnmap = 11
)

// choose does nothing: the device file is that of the compute DSP.
func (mainline) choose(Kernel, int) error { return nil }

func (mainline) create(k Kernel, fd int, shell *Memory, size int) error {
	return ask(k, fd, 'R', mainlineCreate, &struct {
		size       uint32
		fd         int32
		attributes uint32
		signature  uint32
		program    unsafe.Pointer
	}{uint32(size), int32(shell.fd), unsignedModule, 0, unsafe.Pointer(&shell.mem[0])})
}

func (mainline) invoke(k Kernel, fd int, handle, scalars uint32, arguments [][]byte) error {
	type argument struct {
		data       unsafe.Pointer
		size       uint64
		fd         int32
		attributes uint32
	}
	list := make([]argument, len(arguments))
	for i, a := range arguments {
		list[i] = argument{data: unsafe.Pointer(unsafe.SliceData(a)), size: uint64(len(a)), fd: -1}
	}
	return ask(k, fd, 'R', mainlineInvoke, &struct {
		handle, scalars uint32
		arguments       unsafe.Pointer
	}{handle, scalars, unsafe.Pointer(unsafe.SliceData(list))})
}

func (mainline) attach(k Kernel, fd int, m *Memory) (uint64, error) {
	a := struct {
		version, fd, offset int32
		flags               uint32
		here                unsafe.Pointer
		size                uint64
		there               uint64 // returned
		attributes          int32
		reserved            [4]int32
	}{fd: int32(m.fd), flags: mapByFile, here: unsafe.Pointer(&m.mem[0]), size: uint64(len(m.mem))}
	err := ask(k, fd, 'R', mainlineMemMap, &a)
	return a.there, err
}

func (mainline) detach(k Kernel, fd int, m *Memory) error {
	return ask(k, fd, 'R', mainlineMemUnmap, &struct {
		version, fd   int32
		address, size uint64
		reserved      [5]int32
	}{fd: int32(m.fd), address: m.address, size: uint64(len(m.mem))})
}

func (mainline) grow(k Kernel, fd int, size uint64, flags uint32) (uint64, error) {
	return grow(k, fd, mainlineMap, size, flags)
}

func (mainline) shrink(k Kernel, fd int, address, size uint64) error {
	return shrink(k, fd, mainlineUnmap, address, size)
}

func (mainline) alloc(k Kernel, fd, size int) (int, error) {
	a := struct {
		fd    int32 // returned
		flags uint32
		size  uint64
	}{size: uint64(size)}
	err := ask(k, fd, 'R', mainlineAlloc, &a)
	return int(a.fd), err
}
