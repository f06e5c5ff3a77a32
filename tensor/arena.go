package tensor

import "fmt"

// Arena is memory that is used again, for code that computes the same things over and over. The results of functions whose argument is an
// arena's tensor are the arena's too, those of package tensor/ops included, and so are views: a computation is put into an arena by its inputs
// alone.
//
//	var arena tensor.Arena
//	for {
//		x := arena.Use(input)
//		h, err := ops.Add(x, bias) // in the arena
//		…
//		arena.Reset() // h is gone
//	}
//
// The zero value is ready for use. It grows to the size of the largest round; from then on, only the descriptions of tensors are allocated. An Arena
// and its tensors are for one goroutine at a time. A nil Arena stands for memory of the garbage collector's.
type Arena struct {
	slabs [][]uint64 // full but for the last one
	used  int        // words of the last slab
}

// Use returns a view of t whose results are the arena's. The elements of t stay where they are.
func (a *Arena) Use(t *Tensor) *Tensor {
	if t.check() != nil {
		return t
	}
	view := t.view(t.shape, t.strides)
	view.arena = a
	return view
}

// New is the function [New] in the arena's memory.
func (a *Arena) New(d DType, shape ...int) (*Tensor, error) {
	t, err := a.zeros(d, shape)
	if err != nil {
		return nil, fmt.Errorf("tensor: new: %w", err)
	}
	return t, nil
}

// Reset takes all memory back. The tensors that were made in it since the last Reset must not be used any more.
func (a *Arena) Reset() {
	if len(a.slabs) > 1 { // one slab of the size of all serves the next round
		n := 0
		for _, slab := range a.slabs {
			n += len(slab)
		}
		a.slabs = [][]uint64{make([]uint64, n)}
	}
	a.used = 0
}

// zeros is New without the operation in its errors.
func (a *Arena) zeros(d DType, shape []int) (*Tensor, error) {
	size, err := storageBytes(d, shape)
	if err != nil {
		return nil, err
	}
	t, err := Wrap(bytesOf(a.words((size + 7) / 8))[:size], d, shape...)
	if err != nil {
		return nil, err
	}
	t.arena = a
	return t, nil
}

// words returns n zeros, whose alignment suits elements of any type.
func (a *Arena) words(n int) []uint64 {
	if a == nil {
		return make([]uint64, n)
	}
	last := len(a.slabs) - 1
	if last < 0 || a.used+n > len(a.slabs[last]) {
		a.slabs = append(a.slabs, make([]uint64, n))
		a.used, last = 0, last+1
	}
	words := a.slabs[last][a.used : a.used+n : a.used+n]
	a.used += n
	clear(words)
	return words
}

// Arena returns the arena whose memory the results of t take, nil if there is none.
func (t *Tensor) Arena() *Arena {
	if t == nil {
		return nil
	}
	return t.arena
}
