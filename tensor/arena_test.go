package tensor_test

import (
	"runtime"
	"testing"

	"github.com/lever-go/lever/tensor"
)

// TestArena: what an arena's tensors give is zero at first, lies in the arena, and costs no memory once it has grown.
func TestArena(t *testing.T) {
	var arena tensor.Arena
	input := tensor.Must(tensor.FromFloat32s(ramp(1<<16), 256, 256))
	round := func() {
		defer arena.Reset()
		x := arena.Use(input)
		half := tensor.Must(tensor.Must(x.Transpose()).To(tensor.F16))
		more := tensor.Must(half.Clone())
		fresh := tensor.Must(arena.New(tensor.F32, 1<<16))
		if x.Arena() != &arena || more.Arena() != &arena || input.Arena() != nil {
			t.Fatal("a result lies elsewhere")
		}
		if v, err := more.At(3, 255); err != nil || v != 255*256 {
			t.Fatalf("got %v, %v", v, err)
		}
		words, err := fresh.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range words {
			if v != 0 {
				t.Fatalf("element %d of a new tensor is %v", i, v)
			}
			words[i] = 1
		}
	}
	round()
	round()
	var before, after runtime.MemStats
	const rounds = 20
	runtime.ReadMemStats(&before)
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / rounds; got > 16<<10 {
		t.Errorf("a round allocates %d bytes, and its tensors take %d", got, 512<<10)
	}
	if none := arena.Use(nil); none != nil {
		t.Errorf("got %v", none)
	}
}
