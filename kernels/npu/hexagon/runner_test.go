package hexagon

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const emulator = "qemu-hexagon-static"

// Kernels by their numbers in src/runner.c.
const (
	matMulQ4 = iota
	matMulQ8
	quantize
)

// A dsp runs kernels under emulation.
type dsp struct {
	t   testing.TB
	in  io.Writer
	out io.Reader
}

// newDSP starts the emulator with options, and skips the test where there is none.
func newDSP(t testing.TB, options ...string) *dsp {
	t.Helper()
	in, out := startEmulator(t, "testdata/runner", options...)
	return &dsp{t: t, in: in, out: out}
}

// needEmulator skips a test where there is no emulator.
func needEmulator(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath(emulator); err != nil {
		t.Skipf("skipped: the kernels run under emulation: %v (Debian: qemu-user-static)", err)
	}
}

// startEmulator runs a program for the DSP.
func startEmulator(t testing.TB, program string, options ...string) (io.WriteCloser, io.Reader) {
	t.Helper()
	needEmulator(t)
	if os.Getenv("QEMU_CPU") == "" { // the emulator reads it
		options = append(options, "-cpu", "v67")
	}
	cmd := exec.Command(emulator, append(options, program)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", emulator, err, stderr.String())
		}
	})
	return in, out
}

// A memory is what a kernel works on: regions with guard bytes between them.
type memory struct {
	data    []byte
	regions [][2]int
}

const (
	guardBytes = 160
	guardByte  = 0xa5
)

// add appends a region that begins off bytes behind a multiple of 128 and returns its address.
func (m *memory) add(b []byte, off int) uint32 {
	m.guard()
	for len(m.data)%128 != off {
		m.data = append(m.data, guardByte)
	}
	at := len(m.data)
	m.data = append(m.data, b...)
	m.regions = append(m.regions, [2]int{at, at + len(b)})
	return uint32(at)
}

func (m *memory) addFloats(x []float32, off int) uint32 { return m.add(floatBytes(x), off) }

func (m *memory) guard() { m.data = append(m.data, bytes.Repeat([]byte{guardByte}, guardBytes)...) }

// call runs a kernel that may change the first of m's regions and no other byte, and returns that region.
func (d *dsp) call(m *memory, kernel int, args ...uint32) []byte {
	d.t.Helper()
	m.guard()
	header := make([]uint32, 9)
	header[0] = uint32(kernel)
	copy(header[1:8], args)
	header[8] = uint32(len(m.data))
	before := bytes.Clone(m.data)
	if err := binary.Write(d.in, binary.LittleEndian, header); err != nil {
		d.t.Fatal(err)
	}
	sent := make(chan error)
	go func() {
		_, err := d.in.Write(before)
		sent <- err
	}()
	_, err := io.ReadFull(d.out, m.data)
	if sendErr := <-sent; sendErr != nil || err != nil {
		d.t.Fatalf("the runner broke off: %v, %v", sendErr, err)
	}
	from, to := m.regions[0][0], m.regions[0][1]
	for i, b := range m.data {
		if (i < from || i >= to) && b != before[i] {
			d.t.Fatalf("byte %d, outside the result at %d..%d, was overwritten", i, from, to)
		}
	}
	return m.data[from:to]
}

func (d *dsp) callFloats(m *memory, kernel int, args ...uint32) []float32 {
	d.t.Helper()
	b := d.call(m, kernel, args...)
	x := make([]float32, len(b)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x
}

func floatBytes(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}
