//go:build !(linux && (arm64 || amd64))

package fastrpc

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu"
)

// System returns a kernel that has no DSP.
func System() Kernel { return system{} }

type system struct{}

var errSystem = fmt.Errorf("FastRPC is Linux's and Android's on arm64, this is %s/%s: %w", runtime.GOOS, runtime.GOARCH, npu.ErrUnsupported)

func (system) Open(string) (int, error)                { return 0, errSystem }
func (system) Ioctl(int, uint32, unsafe.Pointer) error { return errSystem }
func (system) Map(int, int) ([]byte, error)            { return nil, errSystem }
func (system) Unmap([]byte) error                      { return errSystem }
func (system) Close(int) error                         { return errSystem }
func (system) ReadFile(string) ([]byte, error)         { return nil, errSystem }
