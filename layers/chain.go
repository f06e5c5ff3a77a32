package layers

import "context"

// Chain is several layers that count as one, and run in order.
type Chain []Layer

// Forward runs the layers.
func (c Chain) Forward(ctx context.Context, x []float32, rows *Rows) error {
	for _, layer := range c {
		if err := layer.Forward(ctx, x, rows); err != nil {
			return err
		}
	}
	return nil
}

// OutputScale is a [Layer] that multiplies the residual stream by a learned number, the vector of that name of one element.
type OutputScale struct {
	ws    *Workspace
	scale *vector
}

// NewOutputScale returns the layer of the vector of that name.
func NewOutputScale(ws *Workspace, name string) *OutputScale {
	return &OutputScale{ws, newVector(ws, name, 1)}
}

// States returns nothing.
func (s *OutputScale) States() []State { return nil }

// Forward multiplies x, [rows.Len()][any], in place.
func (s *OutputScale) Forward(ctx context.Context, x []float32, _ *Rows) error {
	if err := s.scale.read(ctx); err != nil {
		return err
	}
	s.ws.Kernels().Scale(x, s.scale.values[0])
	return nil
}
