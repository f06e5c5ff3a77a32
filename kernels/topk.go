package kernels

// TopK selects the largest elements of x: ids[j] and vals[j] become the index and value of the j-th largest, the lower index
// first among equals. ids and vals have the same length, the number wanted. It returns how many there are, which is less
// when x is shorter or holds NaNs; those are passed over.
//
// The selection is a heap of the best so far, its root the worst of them; an element enters by beating the root, so that
// over a long x nearly all are dismissed by one comparison.
func (s *Set) TopK(ids []int32, vals []float32, x []float32) int {
	checkSame("TopK", len(ids), len(vals))
	k := len(ids)
	if k == 0 {
		return 0
	}
	h := topHeap{ids[:0], vals[:0]}
	i := 0
	for ; i < len(x) && len(h.ids) < k; i++ {
		if x[i] == x[i] {
			h.push(int32(i), x[i])
		}
	}
	for i < len(x) {
		i += s.k.IndexAbove(x[i:], h.vals[0])
		if i == len(x) {
			break
		}
		h.ids[0], h.vals[0] = int32(i), x[i]
		h.down(0)
		i++
	}

	// Heap sort: the worst goes to the end.
	found := len(h.ids)
	for n := found - 1; n > 0; n-- {
		h.swap(0, n)
		h.ids, h.vals = h.ids[:n], h.vals[:n]
		h.down(0)
	}
	return found
}

// topHeap is a binary heap with the worst element, the smallest, of equals that with the highest id, at its root.
type topHeap struct {
	ids  []int32
	vals []float32
}

func (h *topHeap) worse(i, j int) bool {
	return h.vals[i] < h.vals[j] || h.vals[i] == h.vals[j] && h.ids[i] > h.ids[j]
}

func (h *topHeap) swap(i, j int) {
	h.ids[i], h.ids[j] = h.ids[j], h.ids[i]
	h.vals[i], h.vals[j] = h.vals[j], h.vals[i]
}

func (h *topHeap) push(id int32, v float32) {
	h.ids, h.vals = append(h.ids, id), append(h.vals, v)
	for i := len(h.ids) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.worse(i, parent) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *topHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.ids) {
			return
		}
		if child+1 < len(h.ids) && h.worse(child+1, child) {
			child++
		}
		if !h.worse(child, i) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
