package fastrpc

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/lever-go/lever/kernels/npu"
)

// Code is a status of the DSP's runtime (AEEStdErr.h).
type Code uint32

// Codes that mean something to the host. Those of the DSP begin at 0x80000400.
const (
	codeNoMemory       Code = 0x80000402
	codeBadState       Code = 0x8000040d
	codeBadParameter   Code = 0x8000040e
	codeUnsupported    Code = 0x80000414
	codeNotAllowed     Code = 0x8000042b
	codeException      Code = 0x80000430
	codeNoModule       Code = 0x8000043e
	codeNoSymbol       Code = 0x80000442
	codeNoFile         Code = 0x80000445
	codeBadELF         Code = 0x80000452
	codeMap            Code = 0x80000465
	codeNoSharedMemory Code = 0x80000468
	codeUnsupportedAPI Code = 0x8000046c
	codeUnsigned       Code = 0x80000481
)

var codeNames = map[Code]string{
	codeNoMemory: "no memory", codeBadState: "bad state", codeBadParameter: "bad parameter", codeUnsupported: "unsupported",
	codeNotAllowed: "not allowed", codeException: "the program has crashed", codeNoModule: "no such module", codeNoSymbol: "no such symbol",
	codeNoFile: "no such file", codeBadELF: "not a program for this DSP", codeMap: "memory cannot be mapped", codeNoSharedMemory: "no shared memory",
	codeUnsupportedAPI: "unsupported call", codeUnsigned: "the module is not signed",
}

func (c Code) Error() string {
	if name, ok := codeNames[c]; ok {
		return fmt.Sprintf("the DSP's code %#x (%s)", uint32(c), name)
	}
	return fmt.Sprintf("the DSP's code %#x", uint32(c))
}

// kind returns the error of package npu that a cause amounts to, or otherwise.
func kind(cause, otherwise error) error {
	for _, known := range []error{npu.ErrUnsupported, ErrNoAddresses, npu.ErrOutOfMemory, npu.ErrLost} {
		if errors.Is(cause, known) {
			return known
		}
	}
	if errors.Is(cause, fs.ErrClosed) {
		return nil
	}
	var code Code
	if errors.As(cause, &code) {
		switch code {
		case codeNoMemory, codeMap, codeNoSharedMemory:
			return memoryKind(otherwise)
		case codeBadState, codeException:
			return npu.ErrLost
		}
		return otherwise
	}
	var errno syscall.Errno
	if errors.As(cause, &errno) {
		switch errno {
		case syscall.ENOMEM, syscall.ENOSPC:
			return memoryKind(otherwise)
		case syscall.EPIPE, syscall.ECONNRESET, syscall.ENODEV, syscall.EBADF, syscall.ETIMEDOUT:
			return npu.ErrLost
		}
	}
	return otherwise
}

// memoryKind returns otherwise where that says more than that memory is missing.
func memoryKind(otherwise error) error {
	if errors.Is(otherwise, npu.ErrOutOfMemory) {
		return otherwise
	}
	return npu.ErrOutOfMemory
}

// failed returns the error of doing something, with what it amounts to if that is not plain from the cause.
func failed(doing string, cause, otherwise error) error {
	if cause == nil {
		return nil
	}
	k := kind(cause, otherwise)
	if k == nil || errors.Is(cause, k) {
		return fmt.Errorf("%s: %w", doing, cause)
	}
	return fmt.Errorf("%s: %w: %w", doing, k, cause)
}

// advice says what to do about an error of opening a device or a process on the DSP.
func advice(cause error) string {
	var errno syscall.Errno
	var code Code
	switch {
	case errors.As(cause, &code) && code == codeUnsigned, errors.Is(cause, syscall.ECONNREFUSED):
		return "this DSP runs only what the phone's maker has signed; nothing can be done about that without the maker"
	case errors.As(cause, &code):
		return "the DSP refused; a restart of the phone brings it into a known state"
	case !errors.As(cause, &errno):
		return ""
	case errno == syscall.EACCES || errno == syscall.EPERM:
		return "the system keeps this program from the device: Android lets apps use it whose manifest has <uses-native-library android:name=\"libcdsprpc.so\">, and adb shell where SELinux allows it; on Linux run as root or change the device's group"
	case errno == syscall.EBUSY:
		return "all sessions are taken: end other programs that use the DSP"
	case errno == syscall.ENOTTY || errno == syscall.EINVAL:
		return "this kernel's driver is older than what this program knows (it needs FASTRPC_IOCTL_MEM_MAP: Linux 6.1, or Android with Linux 5.4)"
	}
	return ""
}
