package fastrpc

import (
	"fmt"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
)

// vendor is the interface of Qualcomm's driver for older Android kernels.
type vendor struct{}

// Numbers of its requests, of the kind 'R'.
const (
	vendorInvoke   = 1
	vendorMap      = 2
	vendorUnmap    = 3
	vendorGetInfo  = 8
	vendorCreate   = 10
	vendorMemMap   = 19
	vendorMemUnmap = 20
)

func (vendor) choose(k Kernel, fd int) error {
	domain := uint32(computeDomain)
	return ask(k, fd, 'R', vendorGetInfo, &domain)
}

func (vendor) create(k Kernel, fd int, shell *Memory, size int) error {
	return ask(k, fd, 'R', vendorCreate, &struct {
		how          uint32
		program      unsafe.Pointer
		size         uint32
		fd           int32
		memory       unsafe.Pointer
		memorySize   uint32
		memoryFD     int32
		attributes   int32
		signatureLen uint32
	}{how: 1, program: unsafe.Pointer(&shell.mem[0]), size: uint32(size), fd: int32(shell.fd), memoryFD: -1, attributes: unsignedModule})
}

func (vendor) invoke(k Kernel, fd int, handle, scalars uint32, arguments [][]byte) error {
	type argument struct {
		data unsafe.Pointer
		size uint64
	}
	list := make([]argument, len(arguments))
	for i, a := range arguments {
		list[i] = argument{unsafe.Pointer(unsafe.SliceData(a)), uint64(len(a))}
	}
	return ask(k, fd, 'R', vendorInvoke, &struct {
		handle, scalars uint32
		arguments       unsafe.Pointer
	}{handle, scalars, unsafe.Pointer(unsafe.SliceData(list))})
}

func (vendor) attach(k Kernel, fd int, m *Memory) (uint64, error) {
	a := struct {
		version    int32
		_          int32
		fd, offset int32
		flags      uint32
		attributes int32
		here       unsafe.Pointer
		size       uint64
		there      uint64 // returned
		reserved   [2]uint64
	}{fd: int32(m.fd), flags: mapByFile, here: unsafe.Pointer(&m.mem[0]), size: uint64(len(m.mem))}
	err := ask(k, fd, 'R', vendorMemMap, &a)
	return a.there, err
}

func (vendor) detach(k Kernel, fd int, m *Memory) error {
	return ask(k, fd, 'R', vendorMemUnmap, &struct {
		version       int32
		_             int32
		fd            int32
		_             int32
		address, size uint64
		reserved      [2]uint64
	}{fd: int32(m.fd), address: m.address, size: uint64(len(m.mem))})
}

func (vendor) grow(k Kernel, fd int, size uint64, flags uint32) (uint64, error) {
	return grow(k, fd, vendorMap, size, flags)
}

func (vendor) shrink(k Kernel, fd int, address, size uint64) error {
	return shrink(k, fd, vendorUnmap, address, size)
}

func (vendor) alloc(Kernel, int, int) (int, error) {
	return 0, fmt.Errorf("the device allocates no shared memory: %w", npu.ErrUnsupported)
}
