package host_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lever-go/lever/kernels/npu"
	_ "github.com/lever-go/lever/kernels/npu/host"
	"github.com/lever-go/lever/kernels/npu/nputest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	nputest.TestDevice(t, func() (npu.Device, error) { return npu.Open(t.Context(), "host") })
}
