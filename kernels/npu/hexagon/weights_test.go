//go:build linux

package hexagon

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/blocktest"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// watched counts the bytes of weights that it multiplies with, and those of them that were copied for that.
type watched struct {
	*reference
	d            *Device
	used, copied atomic.Int64
	release      chan struct{} // if not nil, closed when it is to compute
}

func (w *watched) Call(scalars uint32, in []byte) (fastrpc.Code, error) {
	if w.release != nil {
		<-w.release
	}
	number := func(from []byte, i int) uint32 { return binary.LittleEndian.Uint32(from[4*i:]) }
	for i := number(in, 2); i != number(in, 3) && number(in, 4) == 0; i++ {
		m := w.at(number(in, 0)+i%slots*messageBytes, messageBytes)
		bytes := int64(tensor.PackedBytes(types[number(m, 0)], int(number(m, 3)), int(number(m, 2))))
		w.used.Add(bytes)
		if w.isCopy(number(m, 4)) {
			w.copied.Add(bytes)
		}
	}
	return w.reference.Call(scalars, in)
}

func (w *watched) isCopy(address uint32) bool {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return !slices.ContainsFunc(w.d.weights, func(m *residentWeights) bool {
		return m.there && address >= m.memory.Address() && address-m.memory.Address() < uint32(m.size)
	})
}

// TestCopies counts what is copied for a token: of a model in memory nothing, of one that is streamed what is, and of one that the DSP has too few
// addresses for, the rest. The text is the same.
func TestCopies(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store, err := weights.Open(t.Context(), pair.Target, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const dram, tokens = 10 << 20, 4
	plan, err := store.PlanFor(weights.StreamOptions{DRAM: dram, HeadOnce: true})
	if err != nil {
		t.Fatal(err)
	}
	var text []int32
	streamed := float64(plan.Streamed) / float64(plan.Pass)
	for _, test := range []struct {
		name        string
		dram        int64
		space       int
		least, most float64 // share of the weights that is copied
	}{
		{"in memory", 0, 0, 0, 0},
		{"streamed", dram, 0, 0.9 * streamed, 1.02 * streamed},
		{"with few addresses", 0, 12 << 20, 0.2, 0.7},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &watched{reference: newReference()}
			k := fastrpctest.New(deviceFiles[0], w)
			k.Space = test.space
			w.d = openWith(t, k)
			result := generateWith(t, lever.Config{Model: pair.Target, DRAM: test.dram}, w.d, tokens, nil)
			if text == nil {
				text = result.TokenIDs
			}
			if s := result.NPUStats; !slices.Equal(result.TokenIDs, text) || s.Fallbacks != 0 || s.Lost {
				t.Errorf("tokens %v, want %v; statistics %+v", result.TokenIDs, text, s)
			}
			used, copied := w.used.Load(), w.copied.Load()
			t.Logf("for a token %d bytes of weights are used, of which %d are copied", used/tokens, copied/tokens)
			if share := float64(copied) / float64(used); share < test.least || share > test.most {
				t.Errorf("%.2f of the weights are copied; want %.2f to %.2f", share, test.least, test.most)
			}
			nothingLeft(t, k)
		})
	}
}

// TestLetGo gives memory for weights until the DSP has no addresses left. What else needs some gets those of the weights that were used least
// recently, and products with these are as before.
func TestLetGo(t *testing.T) {
	const pieces, rows, cols = 4, 1024, 256 // of leastWeights bytes and some
	size := tensor.PackedBytes(tensor.Q8_0, rows, cols)
	k := fastrpctest.New(deviceFiles[0], nil)
	w := &watched{reference: newReference()}
	k.Processor, k.Space = w, pieces*size+20<<12
	w.d = openWith(t, k)
	rng := rand.New(rand.NewPCG(1, 2))
	p, err := w.d.Compile(npu.Product{Type: tensor.Q8_0, Rows: rows, Cols: cols}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var all []npu.Buffer
	var matrices []tensor.Packed
	for {
		b, err := w.d.AllocWeights(tensor.Q8_0, size)
		if errors.Is(err, npu.ErrOutOfMemory) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		m := blocktest.Pack(blocktest.Random(rng, tensor.Q8_0, rows, cols, func() float32 { return 0.01 }), tensor.Q8_0, rows, cols)
		m.Data = b.Bytes()[:copy(b.Bytes(), m.Data)]
		if err := b.Flush(0, size); err != nil {
			t.Fatal(err)
		}
		all, matrices = append(all, b), append(matrices, m)
	}
	if len(all) != pieces {
		t.Fatalf("%d pieces of memory, want %d", len(all), pieces)
	}
	x, err := w.d.Alloc(4 * cols)
	if err != nil {
		t.Fatal(err)
	}
	y, err := w.d.Alloc(4 * rows)
	if err != nil {
		t.Fatal(err)
	}
	values := normal(rng, cols)
	floats(x.Bytes(), values)
	if err := x.Flush(0, 4*cols); err != nil {
		t.Fatal(err)
	}
	multiply := func(i int) (copied bool) {
		t.Helper()
		before := w.copied.Load()
		e, err := p.Submit(t.Context(), 1, npu.Operands{W: matrices[i], X: x, Y: y})
		if err == nil {
			err = e.Wait(t.Context())
		}
		if err = errors.Join(err, y.Invalidate(0, 4*rows)); err != nil {
			t.Fatal(err)
		}
		var in kernels.Input
		in.Reset(values, 1, cols)
		want := make([]byte, 4*rows)
		result := make([]float32, rows)
		kernels.MatMul(nil, result, rows, matrices[i], &in)
		floats(want, result)
		if !slices.Equal(y.Bytes(), want) {
			t.Errorf("another product with weights %d", i)
		}
		return w.copied.Load() > before
	}
	for _, i := range []int{2, 0, 3, 1} {
		if multiply(i) {
			t.Errorf("weights %d are copied while there are addresses for all", i)
		}
	}
	more, err := w.d.Alloc(size) // at the place of weights 2
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{1, 3, 0} {
		if multiply(i) {
			t.Errorf("weights %d are copied, though others were used less recently", i)
		}
	}
	if !multiply(2) { // the copy is at the place of weights 1
		t.Error("weights 2 are not copied, though their addresses were needed")
	}
	for i, want := range []bool{false, true, true, false} {
		if got := multiply(i); got != want {
			t.Errorf("weights %d are copied: %v, want %v", i, got, want)
		}
	}
	// What is in use keeps its addresses, even if nothing else has any.
	w.release = make(chan struct{})
	e, err := p.Submit(t.Context(), 1, npu.Operands{W: matrices[3], X: x, Y: y})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.d.Alloc(pieces * size); !errors.Is(err, npu.ErrOutOfMemory) {
		t.Errorf("more memory than there are addresses: %v", err)
	}
	close(w.release)
	if err := e.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	for i := range pieces {
		if got := multiply(i); got != (i != 3) {
			t.Errorf("in the end weights %d are copied: %v", i, got)
		}
	}
	for _, b := range append(all, x, y, more) {
		if err := b.Free(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(p.Close(), w.d.Close()); err != nil {
		t.Error(err)
	}
	nothingLeft(t, k)
}

// floats writes numbers as the DSP reads them.
func floats(to []byte, values []float32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(to[4*i:], math.Float32bits(v))
	}
}
