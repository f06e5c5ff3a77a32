package layers

import (
	"encoding/binary"
	"fmt"
	"io"
)

// State is what a layer keeps of the text beside keys and values, as convolutions and recurrences do. A [Decoder] tells it what becomes of
// the rows that the layer has computed, which are the pending rows of its [KVCache]. [RowStates] is the usual one.
type State interface {
	// Commit makes the pending rows of path, from a child of the last committed row down the tree, part of the text and drops the others.
	// An empty path drops all.
	Commit(path []int)
	// Rollback keeps the first n pending rows and drops the others. Rows may be dropped of which the layer has seen nothing.
	Rollback(n int)
	// Keeps reports whether the text, which is longer, can be shortened to n rows, n > 0.
	Keeps(n int) bool
	// Truncate shortens the text to n rows and drops all pending rows: none of the text, all of it, or a number that it Keeps.
	Truncate(n int)
	// WriteState writes what is kept of the text. If that can't be saved, the error wraps ErrStateful.
	WriteState(w io.Writer) error
	// ReadState replaces the text by one of n rows, of which WriteState wrote what was kept. After an error Truncate(0) follows.
	ReadState(r io.Reader, n int) error
}

// Stateful is a [Layer] or a [Sublayer] that says what it keeps of the text beside keys and values: States returns the same values whenever it
// is called, and none if it keeps nothing. The layer of one's own returns those of its parts too. A text with a layer that says nothing can't be saved.
type Stateful interface {
	States() []State
}

// statesOf returns the states in a layer or sublayer. says is false if that is not known.
func statesOf(part any) (states []State, says bool) {
	switch p := part.(type) {
	case *Block:
		return statesOfAll(p.branches[0].sublayer, p.branches[1].sublayer)
	case *AltUpBlock:
		return statesOfAll(p.config.Mixer, p.config.MLP)
	case Chain:
		return statesOfAll(p...)
	case Stateful:
		return p.States(), true
	}
	return nil, false
}

// statesOfAll returns those in several parts. says is false unless all of them say.
func statesOfAll[P any](parts ...P) (states []State, says bool) {
	says = true
	for _, part := range parts {
		inside, known := statesOf(part)
		states, says = append(states, inside...), says && known
	}
	return states, says
}

// RowStates is a [State] of one vector per row, which stands for the text up to the row. It keeps those of the pending rows, so that rows of a
// tree can follow any of them, and that of the last row of the text, so that a text can't be shortened, except to nothing.
//
// A layer computes the vector of row i of a pass from that of the row's parent, and parents come first:
//
//	states.Grow(rows)
//	for i := range rows.Len() {
//		next(states.At(rows.Pending[i]), states.At(rows.Parents[i]), x[i*width:(i+1)*width])
//	}
//
// It is not safe for concurrent use, except that At may be called concurrently after Grow. The memory of the most pending rows that there were
// is kept.
type RowStates struct {
	text []float32   // of the last row of the text; zeros if there is none
	rows [][]float32 // of the pending rows
}

// NewRowStates returns a state of size elements for each row.
func NewRowStates(size int) *RowStates { return &RowStates{text: make([]float32, max(size, 0))} }

// Grow makes At ready for the rows of a pass.
func (s *RowStates) Grow(rows *Rows) {
	for _, row := range rows.Pending {
		for len(s.rows) <= row {
			s.rows = append(s.rows, make([]float32, len(s.text)))
		}
	}
}

// At returns the vector of a pending row, or of the last row of the text for −1; before the text begins it is zero. The vector of a pending row
// holds anything until the layer writes it, and is valid until the next call of a method other than At and Grow.
func (s *RowStates) At(pending int) []float32 {
	if pending < 0 {
		return s.text
	}
	return s.rows[pending]
}

// Commit makes the vector of the last row of path that of the text.
func (s *RowStates) Commit(path []int) {
	if len(path) > 0 {
		last := path[len(path)-1]
		s.text, s.rows[last] = s.rows[last], s.text
	}
}

// Rollback does nothing: rows to come overwrite those that are dropped.
func (s *RowStates) Rollback(int) {}

// Keeps reports false.
func (s *RowStates) Keeps(int) bool { return false }

// Truncate empties the state if n is 0.
func (s *RowStates) Truncate(n int) {
	if n == 0 {
		clear(s.text)
	}
}

// WriteState writes the number of elements, as uint32, and the vector of the text, little-endian.
func (s *RowStates) WriteState(w io.Writer) error {
	if err := binary.Write(w, binary.LittleEndian, uint32(len(s.text))); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, s.text)
}

// ReadState reads what WriteState wrote. If it has another number of elements, the error wraps [ErrState].
func (s *RowStates) ReadState(r io.Reader, _ int) error {
	var size uint32
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return err
	}
	if int(size) != len(s.text) {
		return fmt.Errorf("layers: %w: it has %d elements for a row where there are %d", ErrState, size, len(s.text))
	}
	return binary.Read(r, binary.LittleEndian, s.text)
}
