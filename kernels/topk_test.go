package kernels_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/kernels"
)

// wantTop sorts the indices of all numbers in x, the largest and lowest first.
func wantTop(x []float32) []int32 {
	var ids []int32
	for i, v := range x {
		if v == v {
			ids = append(ids, int32(i))
		}
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch {
		case x[a] > x[b]:
			return -1
		case x[a] < x[b]:
			return 1
		}
		return 0
	})
	return ids
}

func checkTop(t rapid.TB, set *kernels.Set, x []float32, k int) {
	t.Helper()
	want := wantTop(x)
	if len(x) > 0 {
		first := int32(0)
		if len(want) > 0 {
			first = want[0]
		}
		if got := set.Argmax(x); got != int(first) {
			t.Fatalf("Argmax of %d elements is %d, want %d", len(x), got, first)
		}
	}
	ids, vals := make([]int32, k), make([]float32, k)
	n := set.TopK(ids, vals, x)
	if n != min(k, len(want)) || !slices.Equal(ids[:n], want[:n]) {
		t.Fatalf("top %d of %v: %v, want %v", k, x, ids[:n], want[:min(k, len(want))])
	}
	for j, id := range ids[:n] {
		if vals[j] != x[id] {
			t.Fatalf("value of %d is %v, want %v", id, vals[j], x[id])
		}
	}
}

func TestTopK(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	eachOwn(t, "TopK", func(t *testing.T, set *kernels.Set) {
		rng := newRand()
		for n := range 100 {
			x := normal(rng, n)
			for _, k := range []int{0, 1, 2, 7, 40, n, n + 3} {
				checkTop(t, set, x, k)
			}
		}
		for _, x := range [][]float32{
			{}, {nan}, {nan, nan, nan}, {nan, -inf}, {-inf, nan, -inf}, {nan, 1, nan, 1}, {inf, nan, inf}, {0, float32(math.Copysign(0, -1))},
			slices.Repeat([]float32{7}, 50), slices.Repeat([]float32{-inf}, 50), append(slices.Repeat([]float32{nan}, 50), 1),
		} {
			for k := range 5 {
				checkTop(t, set, x, k)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			// Few distinct values: most elements have equals.
			x := rapid.SliceOf(rapid.Map(rapid.IntRange(-4, 5), func(i int) float32 {
				if i == 5 {
					return nan
				}
				return float32(i)
			})).Draw(t, "x")
			checkTop(t, set, x, rapid.IntRange(0, 20).Draw(t, "k"))
		})
		logits := normal(rng, 150000)
		checkTop(t, set, logits, 64)
		ids, vals := make([]int32, 64), make([]float32, 64)
		if allocs := testing.AllocsPerRun(3, func() { set.TopK(ids, vals, logits) }); allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
	})
	if panicOf(func() { kernels.Default().Argmax(nil) }) == nil {
		t.Error("Argmax of nothing was accepted")
	}
	if panicOf(func() { kernels.Default().TopK(make([]int32, 2), make([]float32, 3), nil) }) == nil {
		t.Error("TopK with uneven outputs was accepted")
	}
}

func FuzzTopK(f *testing.F) {
	f.Add([]byte{1, 2, 3, 2, 1}, byte(3))
	f.Add([]byte{255, 255, 0, 128}, byte(9))
	f.Fuzz(func(t *testing.T, data []byte, k byte) {
		x := make([]float32, len(data))
		for i, b := range data {
			x[i] = float32(int8(b))
			if b == 255 {
				x[i] = float32(math.NaN())
			}
		}
		for _, set := range kernels.AllSets() {
			checkTop(t, set, x, int(k))
		}
	})
}

func ExampleSet_TopK() {
	ids, vals := make([]int32, 2), make([]float32, 2)
	n := kernels.Default().TopK(ids, vals, []float32{0.5, 3, -1, 3, 2})
	fmt.Println(n, ids, vals)
	// Output: 2 [1 3] [3 3]
}
