package distill

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/lever-go/lever/internal/dryrun"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/earlyexit"
)

// mostCandidates is the number of a draft's candidates that a choice holds; with another token there are mostOptions.
const (
	mostCandidates = 15
	mostOptions    = mostCandidates + 1
)

// choice is what the target picked from after a node that it accepted.
type choice struct {
	sequence uint32
	picked   int     // in tokens; their number for another
	tokens   []int32 // candidates
	priors   []float32
	hidden   []float32 // of one exit, [width]
}

// choiceBytes returns the size of a choice in the file: sequence, picked, number of tokens, mostCandidates × token, mostOptions × log â, and the
// hidden states of all exits as F16.
func (s *sampleState) choiceBytes() int {
	return 4*(3+mostCandidates+mostOptions) + 2*len(s.Exits)*s.Width
}

// choiceRecorder writes the choices of greedy answers while a generator makes them. It prunes nothing.
type choiceRecorder struct {
	exit     *earlyexit.Pruner // knows how far to believe the draft
	writer   *sampleWriter
	layers   int
	hidden   [][]float32 // by exit, of all nodes of the pass
	sequence uint32
	records  bool
	err      error
}

func newChoiceRecorder(writer *sampleWriter, layers, vocab int) (*choiceRecorder, error) {
	blind := dryrun.Blind{After: writer.state.Exits[0], Tokens: vocab}
	exit, err := earlyexit.New(earlyexit.Options{Predictors: []earlyexit.Predictor{blind}, Layers: layers, Loss: 0.5})
	return &choiceRecorder{exit: exit, writer: writer, layers: layers, hidden: make([][]float32, len(writer.state.Exits))}, err
}

// begin names the answer that comes, and says whether its choices are written.
func (r *choiceRecorder) begin(sequence uint32, records bool) {
	r.sequence, r.records = sequence, records
}

func (r *choiceRecorder) Layers() int { return r.layers }

func (r *choiceRecorder) Begin(tree *spec.Tree, policy spec.Policy) []int {
	r.exit.Begin(tree, policy)
	return r.writer.state.Exits
}

func (r *choiceRecorder) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	at := slices.Index(r.writer.state.Exits, layer)
	r.hidden[at] = append(r.hidden[at][:0], hidden...)
	return nodes, nil
}

func (r *choiceRecorder) Observe(o spec.Observation) {
	if r.records {
		r.exit.Choices(o, func(c earlyexit.Choice) {
			if len(c.Tokens) <= mostCandidates && r.err == nil {
				r.err = r.write(c)
			}
		})
	}
	r.exit.Observe(o)
}

func (r *choiceRecorder) write(c earlyexit.Choice) error {
	record, put := r.writer.choices.record, binary.LittleEndian
	clear(record)
	put.PutUint32(record, r.sequence)
	put.PutUint32(record[4:], uint32(c.Picked))
	put.PutUint32(record[8:], uint32(len(c.Tokens)))
	for i, token := range c.Tokens {
		put.PutUint32(record[12+4*i:], uint32(token))
	}
	rest := record[12+4*mostCandidates:]
	for i, log := range c.Priors {
		put.PutUint32(rest[4*i:], math.Float32bits(float32(log)))
	}
	rest = rest[4*mostOptions:]
	width := r.writer.state.Width
	for i, hidden := range r.hidden {
		encodeHidden(rest[2*i*width:], hidden[c.Node*width:(c.Node+1)*width])
	}
	r.writer.state.Choices++
	return r.writer.choices.add()
}

// readChoices reads all choices in dir, with the hidden states of one exit.
func readChoices(dir string, exit int) ([]choice, error) {
	state, err := readState(dir)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(dir, choicesName))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	all, record := make([]choice, state.Choices), make([]byte, state.choiceBytes())
	for i := range all {
		if _, err := file.ReadAt(record, int64(i)*int64(len(record))); err != nil {
			return nil, fmt.Errorf("choice %d: %w", i, err)
		}
		if err := all[i].decode(record, exit, state.Width); err != nil {
			return nil, fmt.Errorf("choice %d: %w", i, err)
		}
	}
	return all, nil
}

func (c *choice) decode(record []byte, exit, width int) error {
	get := binary.LittleEndian
	c.sequence, c.picked = get.Uint32(record), int(get.Uint32(record[4:]))
	n := int(get.Uint32(record[8:]))
	if n > mostCandidates || c.picked > n {
		return fmt.Errorf("%d of %d candidates: %w", c.picked, n, fs.ErrInvalid)
	}
	c.tokens, c.priors, c.hidden = make([]int32, n), make([]float32, n+1), make([]float32, width)
	for i := range c.tokens {
		c.tokens[i] = int32(get.Uint32(record[12+4*i:]))
	}
	rest := record[12+4*mostCandidates:]
	for i := range c.priors {
		c.priors[i] = math.Float32frombits(get.Uint32(rest[4*i:]))
	}
	decodeHidden(c.hidden, rest[4*mostOptions+2*exit*width:])
	return nil
}
