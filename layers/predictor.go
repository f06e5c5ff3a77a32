package layers

import (
	"fmt"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Predictor guesses which token follows a row from the residual stream inside a [Decoder]: the logit of token c is Out[c] · Down ·
// h/rms(h), a low-rank map to the output space of which only the rows of the tokens that are asked for are computed, and one for all
// others. It does for a [Hook]
// what final norm and head do after the last layer, and costs next to nothing.
//
// It is not safe for concurrent use. In steady use it does not allocate.
type Predictor struct {
	config PredictorConfig
	pool   *kernels.Pool
	gain   []float32 // all 1

	rows   int
	normed []float32 // [rows][width]
	input  kernels.Input
	low    []float32 // [rows][rank]
	out    []float32 // [rank]
}

// PredictorConfig describes a [Predictor].
type PredictorConfig struct {
	Layer   int     // after which it looks, counted from 0
	NormEps float32 // added to the mean of squares in rms
	Blend   BlendWeights
	Down    tensor.Packed // [rank][width]
	Out     tensor.Packed // [vocabulary+1][rank], the last row for another token than those that are asked for
}

// BlendWeights say how to combine what a draft and a predictor say of candidates, as found in training: with â the draft's chance of one, and s the
// predictor's softmax over the candidates and another token than these, their chances are in proportion to exp(Draft·log â + Predictor·log s),
// times exp(Other) for another token.
type BlendWeights struct{ Draft, Predictor, Other float64 }

// NewPredictor checks that the matrices fit a decoder of the given width. A nil pool computes on the calling goroutine; the pool stays the
// caller's, and the matrices are not copied.
func NewPredictor(c PredictorConfig, width int, pool *kernels.Pool) (*Predictor, error) {
	for _, m := range []tensor.Packed{c.Down, c.Out} {
		if err := m.Check(); err != nil {
			return nil, fmt.Errorf("layers: predictor: %w", err)
		}
	}
	if c.Down.Cols != width || c.Out.Cols != c.Down.Rows || c.Out.Rows < 2 {
		return nil, fmt.Errorf("layers: predictor: matrices [%d][%d] and [%d][%d] for a width of %d",
			c.Down.Rows, c.Down.Cols, c.Out.Rows, c.Out.Cols, width)
	}
	p := &Predictor{config: c, pool: pool, gain: make([]float32, width), out: make([]float32, c.Out.Cols)}
	for i := range p.gain {
		p.gain[i] = 1
	}
	return p, nil
}

// Layer returns the layer after which the predictor looks, counted from 0.
func (p *Predictor) Layer() int { return p.config.Layer }

// Vocab returns the number of tokens that the predictor can score.
func (p *Predictor) Vocab() int { return p.config.Out.Rows - 1 }

// Blend returns the weights with which its training ended.
func (p *Predictor) Blend() BlendWeights { return p.config.Blend }

// Look takes in the given rows of hidden, [any][width].
func (p *Predictor) Look(hidden []float32, rows []int) {
	width, rank := p.config.Down.Cols, p.config.Down.Rows
	if n := len(rows); n > p.rows {
		p.rows = n
		p.normed, p.low = make([]float32, n*width), make([]float32, n*rank)
	}
	for i, row := range rows {
		p.pool.Set().RMSNorm(p.normed[i*width:(i+1)*width], hidden[row*width:(row+1)*width], p.gain, p.config.NormEps)
	}
	p.input.Reset(p.normed, len(rows), width)
	kernels.MatMul(p.pool, p.low[:len(rows)*rank], rank, p.config.Down, &p.input)
}

// Score writes the logits of tokens after the i-th row of the latest Look to dst, [len(tokens)+1], and, as the last, that of another token.
func (p *Predictor) Score(dst []float32, i int, tokens []int32) {
	low := p.low[i*len(p.out):][:len(p.out)]
	for t := range dst[:len(tokens)+1] {
		row := p.Vocab()
		if t < len(tokens) {
			row = int(tokens[t])
		}
		p.pool.Set().DequantizeRow(p.out, p.config.Out, row)
		dst[t] = dot(p.out, low)
	}
}

// dot returns the inner product of vectors of one length.
func dot(a, b []float32) float32 {
	var sums [4]float32
	for len(a) >= 4 && len(b) >= 4 {
		for i := range sums {
			sums[i] += a[i] * b[i]
		}
		a, b = a[4:], b[4:]
	}
	for i := range a {
		sums[0] += a[i] * b[i]
	}
	return sums[0] + sums[1] + sums[2] + sums[3]
}
