package layers

import (
	"context"
	"fmt"
)

// Embedder turns tokens into the first rows of the residual stream. [Embedding] is one.
type Embedder interface {
	// Width returns the number of elements of a row.
	Width() int
	// Check reports a token that has no row.
	Check(tokens []int32) error
	// Forward writes the row of each token to dst, [len(tokens)][Width].
	Forward(ctx context.Context, dst []float32, tokens []int32) error
}

// Embedding looks up the rows of a matrix [Rows][Width] by token id.
type Embedding struct {
	ws          *Workspace
	name        string
	rows, width int
	scale       float32
}

// NewEmbedding returns the look-up into the first rows rows of the matrix of that name; later rows are padding that no
// token has.
func NewEmbedding(ws *Workspace, name string, rows, width int) *Embedding {
	return NewScaledEmbedding(ws, name, rows, width, 1)
}

// NewScaledEmbedding returns a look-up as [NewEmbedding] does, of rows that are multiplied by scale.
func NewScaledEmbedding(ws *Workspace, name string, rows, width int, scale float32) *Embedding {
	ws.wiring.positive(name, rows, width)
	ws.wiring.tensor(ws.weights, name, rows, width, false)
	return &Embedding{ws: ws, name: name, rows: rows, width: width, scale: scale}
}

// Width returns the number of elements of a row.
func (e *Embedding) Width() int { return e.width }

// Check reports a token that has no row.
func (e *Embedding) Check(tokens []int32) error {
	for i, t := range tokens {
		if t < 0 || int(t) >= e.rows {
			return fmt.Errorf("layers: token %d of the batch: id %d is outside the vocabulary of %d", i, t, e.rows)
		}
	}
	return nil
}

// Forward writes the row of each token to dst, [len(tokens)][Width].
func (e *Embedding) Forward(ctx context.Context, dst []float32, tokens []int32) error {
	if err := e.Check(tokens); err != nil {
		return err
	}
	set := e.ws.Kernels()
	for i, t := range tokens {
		tile, err := e.ws.weights.Tile(ctx, e.name, int(t))
		if err == nil {
			err = tile.Check()
		}
		row := int(t) - tile.Row
		if err == nil && (row < 0 || row >= tile.Rows || tile.Cols != e.width) {
			err = fmt.Errorf("got rows %d..%d of %d columns, needs row %d of %d columns", tile.Row, tile.Row+tile.Rows, tile.Cols, t, e.width)
		}
		if err != nil {
			return fmt.Errorf("layers: read %s: %w", e.name, err)
		}
		to := dst[i*e.width : (i+1)*e.width]
		set.DequantizeRow(to, tile, row)
		if e.scale != 1 {
			set.Scale(to, e.scale)
		}
	}
	return nil
}
