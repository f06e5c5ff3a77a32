//go:build !((amd64 || arm64) && linux && (!android || cgo))

package opencl

import (
	"fmt"
	"runtime"
)

func openLibrary() (*library, error) {
	return nil, fmt.Errorf("no way to open the OpenCL library in a program built for %s/%s without cgo", runtime.GOOS, runtime.GOARCH)
}

//go:uintptrescapes
func (l *library) call(function, ...uintptr) uintptr {
	panic("opencl: never called: there is no library")
}
