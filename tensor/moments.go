package tensor

import (
	"fmt"
	"math"
)

// Moments are second moments of what a matrix is multiplied with: for two columns a and b, the mean of x[a]·x[b] over rows x of activations. They are
// known of columns that lie in one piece; a piece is Width columns, the last one may be less.
type Moments struct {
	Width int
	// Values are, for each column, the moments with the columns of its piece up to itself: 1 for the first column of a piece, 2 for the second, and so on.
	Values []float32
}

// MomentsLen returns the number of values of moments of so many columns.
func MomentsLen(cols, width int) int {
	return cols/width*triangle(width) + triangle(cols%width)
}

// triangle returns the number of pairs of n columns, those of a column with itself included.
func triangle(n int) int { return n * (n + 1) / 2 }

// Cols returns the number of columns, or an error if no number of columns has so many values.
func (m *Moments) Cols() (int, error) {
	if m.Width >= 1 && m.Width <= math.MaxInt32 {
		whole, rest := len(m.Values)/triangle(m.Width), len(m.Values)%triangle(m.Width)
		if last := (int(math.Sqrt(float64(8*rest+1))) - 1) / 2; triangle(last) == rest {
			return whole*m.Width + last, nil
		}
	}
	return 0, fmt.Errorf("tensor: moments: %w: %d values of pieces of %d columns", ErrShape, len(m.Values), m.Width)
}

// Check refuses values that no moments have, with [ErrShape] or [ErrNotFinite].
func (m *Moments) Check() error {
	cols, err := m.Cols()
	if err != nil {
		return err
	}
	for c := range cols {
		row, first := m.Column(c)
		for i, x := range row {
			if !(x >= -math.MaxFloat32 && x <= math.MaxFloat32) || row[len(row)-1] < 0 {
				return fmt.Errorf("tensor: moments: %w: %v of columns %d and %d", ErrNotFinite, x, c, first+i)
			}
		}
	}
	return nil
}

// Column returns the moments of column c, a view of Values, with the columns from first on up to itself.
func (m *Moments) Column(c int) (moments []float32, first int) {
	first = c - c%m.Width
	return m.Values[c/m.Width*triangle(m.Width)+triangle(c-first):][:c-first+1], first
}

// pieces calls f with the first column of each piece and the values of the piece.
func (m *Moments) pieces(cols int, f func(first, width int, values []float32)) {
	values := m.Values
	for first := 0; first < cols; first += m.Width {
		width := min(m.Width, cols-first)
		f(first, width, values[:triangle(width)])
		values = values[triangle(width):]
	}
}

// Importance is what encoders take of [Moments]. It is safe for concurrent use.
type Importance struct {
	cols, width int
	weights     []float32 // of columns
	// factors are, for each column, what of the errors of the columns before it in its piece its rounding makes up for. They lie as moments do; those of a
	// column with itself have no meaning.
	factors []float32
}

// Mean squares of columns are taken as larger than they are, by the fraction damping, and by the fraction floor of their mean in a piece. That keeps what was
// measured with little text from leading to large corrections.
const damping, floor = 0.07, 1e-4

// Importance factors the moments: time grows as the square of Width times the columns.
//
// The square error of a product of a row, whose columns have errors e, is e·H·e with moments H. With H = R·D·Rᵀ, R upper triangular with ones on its
// diagonal, it is Σ D[c]·(e·R)[c]², of which each term can be made small by rounding column c once the errors of the columns before it are known. This is the rounding
// of GPTQ (Frantar et al., 2023, arXiv:2210.17323) as QuIP states it (Chee et al., 2023, arXiv:2307.13304, section 3).
func (m *Moments) Importance() (*Importance, error) {
	cols, err := m.Cols()
	if err != nil {
		return nil, err
	}
	i := &Importance{cols: cols, width: m.Width, weights: make([]float32, cols)}
	if m.Width > 1 {
		i.factors = make([]float32, len(m.Values))
	}
	at := 0
	m.pieces(cols, func(first, width int, values []float32) {
		var factors []float32
		if i.factors != nil {
			factors = i.factors[at:][:len(values)]
		}
		factor(i.weights[first:][:width], factors, values)
		at += len(values)
	})
	return i, nil
}

// factor writes the weights and factors of a piece.
func factor(weights, factors, moments []float32) {
	n := len(weights)
	mean := 0.0
	for c := range n {
		weights[c] = moments[triangle(c)+c]
		mean += float64(weights[c]) / float64(n)
	}
	if factors == nil || mean == 0 {
		return
	}
	h := make([]float64, len(moments))
	for i, v := range moments {
		h[i] = float64(v)
	}
	for c := n - 1; c >= 0; c-- {
		row := h[triangle(c):][:c+1]
		added := damping*float64(weights[c]) + floor*mean
		pivot := max(row[c]+added, added/2) // rounding may have left less than nothing
		weights[c] = float32(pivot)
		for a := range c {
			factor := row[a] / pivot
			subtract(h[triangle(a):][:a+1], row, factor)
			factors[triangle(c)+a] = float32(factor)
		}
	}
}

// subtract subtracts factor·x from y.
func subtract(y, x []float64, factor float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] -= factor * x[i]
	}
}
