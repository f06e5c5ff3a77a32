//go:build (amd64 || arm64) && linux && (!android || cgo)

package opencl

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/ebitengine/purego"
)

// candidates are the names under which the loader or the driver of a vendor is found.
func candidates() []string {
	if runtime.GOOS == "android" {
		return []string{"libOpenCL.so", "/vendor/lib64/libOpenCL.so", "/system/vendor/lib64/libOpenCL.so", "/vendor/lib64/egl/libGLES_mali.so", "libOpenCL-pixel.so"}
	}
	return []string{"libOpenCL.so.1", "libOpenCL.so"}
}

// openLibrary opens the system's OpenCL at the first call.
var openLibrary = sync.OnceValues(func() (*library, error) {
	var tried []error
	for _, name := range candidates() {
		lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			tried = append(tried, err)
			continue
		}
		l := &library{}
		for f := range functions {
			if l.address[f], err = purego.Dlsym(lib, functionNames[f]); err != nil {
				tried = append(tried, fmt.Errorf("%s: %w", name, err))
				break
			}
		}
		if err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no OpenCL library on this system: %w", errors.Join(tried...))
})

// call calls a function of OpenCL whose arguments are integers and pointers, and returns its result. What pointers that are converted in
// the argument list point to stays in place during the call, not longer.
//
//go:uintptrescapes
func (l *library) call(f function, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(l.address[f], args...)
	return r
}
