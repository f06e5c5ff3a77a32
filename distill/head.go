package distill

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// head is the target's output: what turns its last hidden states into logits.
type head struct {
	gain  []float32 // [width] of the final norm
	parts []tensor.Packed
	vocab int // rows, without those that pad
}

// loadHead copies the output of a model from its weights.
func loadHead(ctx context.Context, m *arch.Model, w layers.Weights, vocab int) (*head, error) {
	h := &head{gain: make([]float32, m.Width), vocab: vocab}
	for part, err := range w.Parts(ctx, arch.FinalNorm) {
		if err == nil {
			err = tensor.Decode(h.gain, part.Data, part.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("final norm: %w", err)
		}
	}
	for part, err := range w.Parts(ctx, m.HeadName()) {
		if err != nil {
			return nil, fmt.Errorf("output matrix: %w", err)
		}
		part.Data = bytes.Clone(part.Data)
		h.parts = append(h.parts, part)
	}
	return h, nil
}

// row writes the output row of a token, with the gain of the norm before it, to dst, [width].
func (h *head) row(dst []float32, token int) {
	for _, part := range h.parts {
		if token < part.Row+part.Rows {
			kernels.Default().DequantizeRow(dst, part, token-part.Row)
			break
		}
	}
	for i, gain := range h.gain {
		dst[i] *= gain
	}
}

// principal returns an orthonormal basis [width][rank] of the directions in which the output rows differ most, by subspace iteration on a
// sample of them: where training starts, as of all maps of this rank it keeps most of the logits.
func (h *head) principal(rank int, random *rand.Rand) []float32 {
	const most, rounds = 4096, 6
	width := len(h.gain)
	var rows []float32
	for i := range min(most, h.vocab) {
		token := i
		if h.vocab > most {
			token = random.IntN(h.vocab)
		}
		rows = append(rows, make([]float32, width)...)
		h.row(rows[i*width:], token)
	}
	basis := make([][]float64, rank)
	for i := range basis {
		basis[i] = make([]float64, width)
		for j := range basis[i] {
			basis[i][j] = random.NormFloat64()
		}
	}
	for range rounds {
		orthonormalise(basis)
		for i, v := range basis {
			next := make([]float64, width)
			for row := rows; len(row) > 0; row = row[width:] {
				along := 0.0
				for j, x := range row[:width] {
					along += float64(x) * v[j]
				}
				for j, x := range row[:width] {
					next[j] += along * float64(x)
				}
			}
			basis[i] = next
		}
	}
	orthonormalise(basis)
	flat := make([]float32, width*rank)
	for i, v := range basis {
		for j, x := range v {
			flat[j*rank+i] = float32(x)
		}
	}
	return flat
}

// orthonormalise makes vectors orthonormal, by Gram and Schmidt.
func orthonormalise(vectors [][]float64) {
	for i, v := range vectors {
		for _, u := range vectors[:i] {
			along := 0.0
			for j := range v {
				along += u[j] * v[j]
			}
			for j := range v {
				v[j] -= along * u[j]
			}
		}
		length := 0.0
		for _, x := range v {
			length += x * x
		}
		for j := range v {
			v[j] /= math.Sqrt(length)
		}
	}
}
