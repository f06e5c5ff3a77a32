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
	DRAM          int64
	Progress      func(done, total int) // is called with tokens after each piece of text, unless it is nil
	Architectures []*arch.Architecture  // that the store may be of, beside those of package arch
}

// piece is the number of tokens that are computed at once, and headRows the number of those that the head is measured with.
const (
	piece    = 64
	headRows = 8
)

// Measure runs the model of a store over sequences of tokens, each of which begins a text of its own, and returns the mean square of what each column
// of each matrix is multiplied with, by the names of the matrices in the store. Experts that no token was routed to are missing. Sequences longer
// than the context are cut.
func Measure(ctx context.Context, store *weights.Store, sequences [][]int32, o Options) (map[string][]float32, error) {
	fail := func(err error) error { return fmt.Errorf("importance: %w", err) }
	m, err := arch.Parse(store.Config(), o.Architectures...)
	if err != nil {
		return nil, fail(err)
	}
	stream, err := store.Stream(ctx, weights.StreamOptions{DRAM: o.DRAM})
	if err != nil {
		return nil, fail(err)
	}
	s := sums{}
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
	return s.means(), nil
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

// sums are, by matrix, sums of squares.
type sums map[string]*sum

type sum struct {
	rows    int
	squares []float64
}

// add is a [layers.Observer].
func (s sums) add(matrix string, x []float32, rows, cols int) {
	of := s[matrix]
	if of == nil {
		of = &sum{squares: make([]float64, cols)}
		s[matrix] = of
	}
	of.rows += rows
	for ; rows > 0; rows, x = rows-1, x[cols:] {
		for i, v := range x[:cols] {
			of.squares[i] += float64(v) * float64(v)
		}
	}
}

func (s sums) means() map[string][]float32 {
	means := map[string][]float32{}
	for matrix, of := range s {
		mean := make([]float32, len(of.squares))
		for i, square := range of.squares {
			mean[i] = float32(square / float64(of.rows))
		}
		means[matrix] = mean
	}
	return means
}
