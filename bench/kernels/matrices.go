package kernels

import (
	"fmt"
	"slices"
	"time"

	"github.com/lever-go/lever/bench/inflate"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/tensor"
)

// matrix is the size of a projection.
type matrix struct{ rows, cols int }

func (x matrix) String() string { return fmt.Sprintf("%d×%d", x.rows, x.cols) }

// matrices returns the projections that are measured: the last of the FFN, and of the others one of each size.
func (m *meter) matrices(s inflate.Shape) []matrix {
	all := []matrix{{s.Width, s.FFN}, {s.FFN, s.Width}, {s.Width, s.Heads * s.HeadDim}}
	if m.Short {
		all = all[:1]
	}
	return all
}

// lengths returns the numbers of keys at which attention is measured.
func (m *meter) lengths() []int {
	if m.Short {
		return []int{1024}
	}
	return []int{256, 1024, 8192}
}

// total returns the number of measurements.
func (m *meter) total() (n int) {
	for _, s := range m.Models {
		for _, size := range m.matrices(s) {
			for _, d := range types {
				if size.cols%d.BlockElems() == 0 {
					n += len(batches)
				}
			}
		}
		n += len(m.lengths()) + len(m.rowOperations(s))
	}
	return n * len(m.Kernels)
}

// probe is the rows and columns of a matrix that stays in the caches.
const probe = 512

// longest is what a call may be expected to take. The definition takes minutes for what other sets do in milliseconds.
const longest = 100 * time.Millisecond

// products measures matrix products.
func (m *meter) products() error {
	memory := m.memory()
	return m.eachSet(func(set string, p *Peak) error {
		rates := map[tensor.DType]float64{}
		for _, d := range types { // with weights that stay in the caches
			const n = 64
			r := m.product(Result{}, memory[:tensor.PackedBytes(d, probe, probe)], d, matrix{probe, probe}, n)
			rates[d] = probe * probe * n / r.Seconds
			*p.of(d) = max(*p.of(d), rates[d])
		}
		for _, s := range m.Models {
			// Other users of the memory make its rate vary, so that it is measured as often as the products are.
			reading := m.seconds(func() { profile.ReadMemory(m.pool, memory) })
			m.data.Reads = append(m.data.Reads, float64(len(memory))/reading)
			for _, size := range m.matrices(s) {
				for _, d := range types {
					if size.cols%d.BlockElems() != 0 {
						continue
					}
					for _, n := range batches {
						if err := m.ctx.Err(); err != nil {
							return err
						}
						r := Result{Kernels: set, Model: s.Name, Op: "matmul", Type: d.String(), Shape: size.String(), Rows: n}
						r.MACs, r.Bytes = size.rows*size.cols*n, tensor.PackedBytes(d, size.rows, size.cols)
						if float64(r.MACs)/rates[d] <= longest.Seconds() {
							r = m.product(r, memory, d, size, n)
							*p.of(d) = max(*p.of(d), float64(r.MACs)/r.Seconds)
						}
						m.add(r)
					}
				}
			}
		}
		return nil
	})
}

// product takes the time of a product of n rows with matrices that lie one after the other in memory, each in its turn.
func (m *meter) product(r Result, memory []byte, d tensor.DType, size matrix, n int) Result {
	w := tensor.Packed{Type: d, Rows: size.rows, Cols: size.cols}
	bytes := tensor.PackedBytes(d, w.Rows, w.Cols)
	dst := make([]float32, n*w.Rows)
	var in kernels.Input
	in.Reset(m.normal(n*w.Cols), n, w.Cols)
	r.Seconds = m.seconds(func() {
		w.Data = m.turn(memory, bytes)
		kernels.MatMul(m.pool, dst, w.Rows, w, &in)
	})
	return r
}

// memory returns bytes for the largest matrix, and as many as are asked for: whole MiB.
func (m *meter) memory() []byte {
	largest := tensor.PackedBytes(tensor.F16, probe, probe)
	for _, s := range m.Models {
		for _, size := range m.matrices(s) {
			largest = max(largest, tensor.PackedBytes(tensor.F16, size.rows, size.cols))
		}
	}
	const mib = 1 << 20
	memory := make([]byte, (max(m.Memory, largest)+mib-1)/mib*mib)
	m.fill(memory)
	return memory
}

// fill makes x weights of whatever type, with small and finite scales: every F16 number is.
func (m *meter) fill(x []byte) {
	filled := min(len(x), 1<<20)
	for i := range x[:filled] {
		x[i] = 0x20 | byte(m.rng.Uint32()&0xf)
	}
	for ; filled > 0 && filled < len(x); filled *= 2 {
		copy(x[filled:], x[:filled])
	}
}

// turn returns the next of the parts of memory of so many bytes.
func (m *meter) turn(memory []byte, bytes int) []byte {
	m.next = (m.next + 1) % (len(memory) / bytes)
	return memory[m.next*bytes : (m.next+1)*bytes]
}

// normal returns n normally distributed numbers.
func (m *meter) normal(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(m.rng.NormFloat64())
	}
	return x
}

// pageLen is that of the caches of package layers.
const pageLen = 256

// attention measures one row of all heads over a cache in F16.
func (m *meter) attention() error {
	for _, s := range m.Models {
		page := s.KVHeads * pageLen * s.HeadDim
		for _, keys := range m.lengths() {
			elems := page * (keys / pageLen)
			caches := m.caches(max(1, m.Memory/(4*elems)), keys/pageLen, page, s)
			q, dst := m.normal(s.Heads*s.HeadDim), make([]float32, s.Heads*s.HeadDim)
			scratch := make([]kernels.AttentionScratch, m.pool.Workers())
			group := s.Heads / s.KVHeads
			attend := func(worker, head int) {
				m.pool.Set().Attention(dst, q, &caches[m.next], head*group, group, head, kernels.Visible{Prefix: keys}, 0.1, &scratch[worker])
			}
			err := m.eachSet(func(set string, _ *Peak) error {
				r := Result{Kernels: set, Model: s.Name, Op: "attention", Type: tensor.F16.String(), Rows: 1, Bytes: 4 * elems}
				r.Shape, r.MACs = fmt.Sprintf("%s of %d, %d keys", plural.Of(s.Heads, "head"), s.HeadDim, keys), 2*keys*s.Heads*s.HeadDim
				r.Seconds = m.seconds(func() {
					m.next = (m.next + 1) % len(caches)
					m.pool.Run(s.KVHeads, attend)
				})
				m.add(r)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// caches returns n caches of so many pages, each of page elements.
func (m *meter) caches(n, pages, page int, s inflate.Shape) []kernels.KV {
	numbers := make([]uint16, page)
	kernels.Default().F32ToF16(numbers, m.normal(page))
	all := make([]kernels.KV, n)
	for i := range all {
		all[i] = kernels.KV{HeadDim: s.HeadDim, KVHeads: s.KVHeads, PageLen: pageLen}
		for range pages {
			all[i].K, all[i].V = append(all[i].K, slices.Clone(numbers)), append(all[i].V, slices.Clone(numbers))
		}
	}
	return all
}
