package layers

import (
	"encoding/binary"
	"fmt"
	"io"
)

// State is what a layer keeps of texts beside keys and values, as convolutions and recurrences do. A [Decoder] tells it what becomes of
// the rows that the layer has computed. Sequences and pending rows have small numbers, which are used again; see [Rows]. [RowStates] is the usual one.
type State interface {
	// Commit makes the pending rows of path, by their numbers from a child of the last committed row down the tree, part of the text of a
	// sequence. Its other pending rows are dropped. An empty path drops all.
	Commit(sequence int, path []int)
	// Keeps reports whether the text of a sequence, which is longer, can be shortened to n rows, n > 0.
	Keeps(sequence, n int) bool
	// Truncate shortens the text of a sequence to n rows and drops its pending rows: none of the text, all of it, or a number that it Keeps.
	// Of a sequence that is new to it, n is 0.
	Truncate(sequence, n int)
	// Fork gives a sequence, which may be new, the text of another.
	Fork(sequence, from int)
	// WriteState writes what is kept of the text of a sequence. If that can't be saved, the error wraps ErrStateful.
	WriteState(w io.Writer, sequence int) error
	// ReadState replaces the text of a sequence by one of n rows, of which WriteState wrote what was kept. After an error Truncate(sequence, 0)
	// follows.
	ReadState(r io.Reader, sequence, n int) error
}

// Stateful is a [Layer] or a [Sublayer] that says what it keeps of the text beside keys and values: States returns the same values whenever it
// is called, and none if it keeps nothing. The layer of one's own returns those of its parts too. A text with a layer that says nothing can't be saved, and no other sequence be added.
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
// tree can follow any of them, and that of the last row of each text, so that a text can't be shortened, except to nothing.
//
// A layer computes the vector of row i of a pass from that of the row's parent, and parents come first:
//
//	states.Grow(rows)
//	for i := range rows.Len() {
//		next(states.At(rows.Pending[i]), states.At(rows.Parents[i]), x[i*width:(i+1)*width])
//	}
//
// It is not safe for concurrent use, except that At may be called concurrently after Grow. The memory of the most pending rows and of the most
// sequences that there were is kept.
type RowStates struct {
	size  int
	texts [][]float32 // by sequence: of the last row of its text; zeros if there is none
	rows  [][]float32 // by the number of a pending row
}

// NewRowStates returns a state of size elements for each row, with a sequence.
func NewRowStates(size int) *RowStates {
	s := &RowStates{size: max(size, 0)}
	s.Truncate(0, 0)
	return s
}

// Grow makes At ready for the rows of a pass.
func (s *RowStates) Grow(rows *Rows) {
	for _, row := range rows.Pending {
		s.rows = s.grown(s.rows, row)
	}
}

// grown returns vectors that have an element i.
func (s *RowStates) grown(vectors [][]float32, i int) [][]float32 {
	for len(vectors) <= i {
		vectors = append(vectors, make([]float32, s.size))
	}
	return vectors
}

// At returns the vector of a pending row, or of the last row of a text, by an element of [Rows].Pending or [Rows].Parents; before a text begins it
// is zero. The vector of a pending row holds anything until the layer writes it, and is valid until the next call of a method other than At and Grow.
func (s *RowStates) At(row int) []float32 {
	if row < 0 {
		return s.texts[-1-row]
	}
	return s.rows[row]
}

// Commit makes the vector of the last row of path that of the text.
func (s *RowStates) Commit(sequence int, path []int) {
	if len(path) > 0 {
		last := path[len(path)-1]
		s.texts[sequence], s.rows[last] = s.rows[last], s.texts[sequence]
	}
}

// Keeps reports false.
func (s *RowStates) Keeps(int, int) bool { return false }

// Truncate empties the state of a text if n is 0.
func (s *RowStates) Truncate(sequence, n int) {
	if s.texts = s.grown(s.texts, sequence); n == 0 {
		clear(s.texts[sequence])
	}
}

// Fork copies the vector of a text.
func (s *RowStates) Fork(sequence, from int) {
	s.texts = s.grown(s.texts, sequence)
	copy(s.texts[sequence], s.texts[from])
}

// WriteState writes the number of elements, as uint32, and the vector of the text, little-endian.
func (s *RowStates) WriteState(w io.Writer, sequence int) error {
	if err := binary.Write(w, binary.LittleEndian, uint32(s.size)); err != nil {
		return err
	}
	return binary.Write(w, binary.LittleEndian, s.texts[sequence])
}

// ReadState reads what WriteState wrote. If it has another number of elements, the error wraps [ErrState].
func (s *RowStates) ReadState(r io.Reader, sequence, _ int) error {
	var size uint32
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return err
	}
	if int(size) != s.size {
		return fmt.Errorf("layers: %w: it has %d elements for a row where there are %d", ErrState, size, s.size)
	}
	return binary.Read(r, binary.LittleEndian, s.texts[sequence])
}
