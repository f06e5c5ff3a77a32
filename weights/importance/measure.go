package importance

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// Options says how a model is measured. The zero value is usable.
type Options struct {
	Pool *kernels.Pool // workers; if it is nil, the calling goroutine computes. It stays the caller's
	// DRAM is the number of bytes for weights, as in [weights.StreamOptions].
	DRAM int64
	// Moments is the number of bytes for moments: pieces of columns are as wide as fit, from 1 to [MaxWidth]. The default is 2 GiB, of which usual models, whose
	// matrices share inputs, take about half.
	Moments       int64
	Progress      func(done, total int) // is called with tokens after each piece of text, unless it is nil
	Architectures []*arch.Architecture  // that the store may be of, beside those of package arch
}

const (
	// MaxWidth is the most columns of a piece.
	MaxWidth       = 2048
	defaultMoments = 2 << 30

	// piece is the number of tokens that are computed at once, and headRows the number of those that the head is measured with.
	piece    = 64
	headRows = 8
)

// Measure runs the model of a store over sequences of tokens, each of which begins a text of its own, and returns the moments of what each matrix
// is multiplied with, by the names of the matrices in the store. Matrices with the same input, such as the projections to queries, keys and values, have the same
// moments. Experts that no token was routed to are missing. Sequences longer than the context are cut.
func Measure(ctx context.Context, store *weights.Store, sequences [][]int32, o Options) (Of, error) {
	fail := func(err error) error { return fmt.Errorf("importance: %w", err) }
	m, err := arch.Parse(store.Config(), o.Architectures...)
	if err != nil {
		return nil, fail(err)
	}
	stream, err := store.Stream(ctx, weights.StreamOptions{DRAM: o.DRAM})
	if err != nil {
		return nil, fail(err)
	}
	s := &sums{pool: o.Pool, of: map[string]*sum{}, width: width(m, o.Moments)}
	longest := 1
	for _, tokens := range sequences {
		longest = max(longest, len(tokens))
	}
	d, err := m.Decoder(stream, arch.Options{Pool: o.Pool, Context: min(longest, m.MaxPositions), MaxBatch: piece, KV: tensor.F32, Observer: s.add})
	if err == nil {
		err = measure(ctx, d, cut(sequences, m.MaxPositions), o.Progress)
		d.Close()
	}
	if err = errors.Join(err, stream.Close()); err != nil {
		return nil, fail(err)
	}
	return s.moments(), nil
}

// width returns the width of pieces with which the moments of a model take at most so many bytes. That matrices share moments is not known yet.
func width(m *arch.Model, bytes int64) int {
	if bytes == 0 {
		bytes = defaultMoments
	}
	for w := MaxWidth; w > 1; w /= 2 {
		values := 0
		for _, step := range m.Steps[1:] {
			for _, x := range step {
				if !x.Vector {
					values += tensor.MomentsLen(x.Cols, w)
				}
			}
		}
		if int64(values)*4 <= bytes {
			return w
		}
	}
	return 1
}

// cut returns sequences of at most the given number of tokens.
func cut(sequences [][]int32, most int) (all [][]int32) {
	for _, tokens := range sequences {
		all = append(all, tokens[:min(len(tokens), most)])
	}
	return all
}

func measure(ctx context.Context, d *layers.Decoder, sequences [][]int32, progress func(done, total int)) error {
	done, total := 0, 0
	for _, tokens := range sequences {
		total += len(tokens)
	}
	logits := make([]float32, headRows*d.Vocab())
	for _, tokens := range sequences {
		if err := d.Truncate(0); err != nil {
			return err
		}
		for len(tokens) > 0 {
			n := min(piece, len(tokens))
			first, err := d.Forward(ctx, layers.Batch{Tokens: tokens[:n]})
			if err != nil {
				return err
			}
			path := make([]int, n)
			for i := range path {
				path[i] = first + i
			}
			some := path[max(0, n-headRows):]
			if err := d.Project(ctx, logits[:len(some)*d.Vocab()], some); err != nil {
				return err
			}
			if err := d.Commit(path); err != nil {
				return err
			}
			tokens, done = tokens[n:], done+n
			if progress != nil {
				progress(done, total)
			}
		}
	}
	return nil
}

// sums adds up products of columns.
type sums struct {
	pool  *kernels.Pool
	width int
	of    map[string]*sum // by matrix
	last  *sum
}

type sum struct {
	rows    int
	moments tensor.Moments
}

// add is a [layers.Observer].
func (s *sums) add(matrix string, x []float32, rows, cols int, again bool) {
	if again {
		s.of[matrix] = s.last
		return
	}
	of := s.of[matrix]
	if of == nil {
		of = &sum{moments: tensor.Moments{Width: s.width, Values: make([]float32, tensor.MomentsLen(cols, s.width))}}
		s.of[matrix] = of
	}
	s.last = of
	of.rows += rows
	s.pool.Run(cols, func(_, c int) {
		moments, first := of.moments.Column(c)
		r := 0
		for ; r+4 <= rows; r += 4 {
			addFour(moments, x[r*cols+first:], x[(r+1)*cols+first:], x[(r+2)*cols+first:], x[(r+3)*cols+first:])
		}
		for ; r < rows; r++ {
			row := x[r*cols+first:][:len(moments)]
			for i, v := range row {
				moments[i] += row[len(row)-1] * v
			}
		}
	})
}

// addFour adds the products of four rows with their last element; rows are as long as the sum.
func addFour(sum, a, b, c, d []float32) {
	n := len(sum)
	a, b, c, d = a[:n], b[:n], c[:n], d[:n]
	lastA, lastB, lastC, lastD := a[n-1], b[n-1], c[n-1], d[n-1]
	for i, s := range sum {
		sum[i] = s + lastA*a[i] + lastB*b[i] + (lastC*c[i] + lastD*d[i])
	}
}

// moments makes means of the sums.
func (s *sums) moments() Of {
	of, done := Of{}, map[*sum]*tensor.Moments{}
	for matrix, sum := range s.of {
		if done[sum] == nil {
			done[sum] = &sum.moments
			for i := range sum.moments.Values {
				sum.moments.Values[i] /= float32(sum.rows)
			}
		}
		of[matrix] = done[sum]
	}
	return of
}
