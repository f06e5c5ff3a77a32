package opencl_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/nputest"
	"github.com/lever-go/lever/kernels/npu/opencl"
)

func TestMain(m *testing.M) {
	// PoCL keeps compiled kernels; those of these tests are none of the user's.
	cache, err := os.MkdirTemp("", "opencl")
	if err != nil {
		panic(err)
	}
	os.Setenv("POCL_CACHE_DIR", cache)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		os.RemoveAll(cache)
		os.Exit(status)
	}))
}

// open opens a device, and skips the test where there is none.
func open(t testing.TB) *opencl.Device {
	t.Helper()
	d, err := opencl.Open("")
	if err != nil {
		t.Skipf("skipped: %v (Debian: ocl-icd-libopencl1, pocl-opencl-icd)", err)
	}
	return d
}

func TestConformance(t *testing.T) {
	if err := open(t).Close(); err != nil {
		t.Fatal(err)
	}
	nputest.TestDevice(t, func() (npu.Device, error) { return npu.Open(t.Context(), "opencl") })
}
