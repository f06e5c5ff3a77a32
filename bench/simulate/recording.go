package simulate

import (
	"context"
	"fmt"
	"math"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
)

// RecordedModel is a model that remembers the tokens after every path it was asked for. It implements [spec.Decoder]: a pass computes nothing unless its
// logits are asked for and not known yet. Logits are those of the kept tokens; the others share the rest of the probability evenly.
// It is not safe for concurrent use.
type RecordedModel struct {
	model spec.Decoder // if nil, what is not known yet stays so
	about tracedModel
	known map[uint64]outlook

	committed []int32
	states    []uint64 // after each committed token; the first is that of none
	pending   []row
	logits    []float32
	asked     int // paths that the model computed
}

// outlook is what a model expects after a path, the likeliest first.
type outlook struct {
	tokens []int32
	probs  []float32
	rest   float32 // logit of any other token
}

// row is a pending row.
type row struct {
	token  int32
	parent int // pending row, or −1
	state  uint64
}

// NewRecordedModel returns a recording of model, which nobody else may use, with the keep likeliest tokens of each path.
func NewRecordedModel(model spec.Decoder, keep int) *RecordedModel {
	return newRecording(model, tracedModel{Vocab: model.Vocab(), Context: model.Context(), Kept: min(keep, model.Vocab())})
}

func newRecording(model spec.Decoder, about tracedModel) *RecordedModel {
	return &RecordedModel{model: model, about: about, known: map[uint64]outlook{}, states: []uint64{1}}
}

// next returns the state after another token: a hash of the path.
func next(state uint64, token int32) uint64 {
	state ^= uint64(token) + 0x9e3779b97f4a7c15
	state *= 0xbf58476d1ce4e5b9
	state ^= state >> 29
	state *= 0x94d049bb133111eb
	return state ^ state>>32
}

// Forward adds pending rows.
func (r *RecordedModel) Forward(_ context.Context, b spec.Batch) (first int, err error) {
	first = len(r.pending)
	for i, token := range b.Tokens {
		parent := len(r.pending) - 1
		if b.Parents != nil {
			parent = int(b.Parents[i])
		}
		if parent >= len(r.pending) || parent < -1 {
			return 0, fmt.Errorf("simulate: row %d has parent %d", len(r.pending), parent)
		}
		state := r.states[len(r.committed)]
		if parent >= 0 {
			state = r.pending[parent].state
		}
		r.pending = append(r.pending, row{token, parent, next(state, token)})
	}
	return first, nil
}

// Project writes logits, [len(rows)][Vocab].
func (r *RecordedModel) Project(ctx context.Context, dst []float32, rows []int) error {
	if err := r.learn(ctx, rows); err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	vocab := r.Vocab()
	for i, at := range rows {
		o := r.known[r.pending[at].state]
		logits := dst[i*vocab : (i+1)*vocab]
		for j := range logits {
			logits[j] = o.rest
		}
		for j, token := range o.tokens {
			logits[token] = float32(math.Log(float64(max(o.probs[j], math.SmallestNonzeroFloat32))))
		}
	}
	return nil
}

// learn computes what is not known after rows, in one forward with their ancestors.
func (r *RecordedModel) learn(ctx context.Context, rows []int) error {
	place := map[int]int32{} // of pending rows in the batch
	var batch spec.Batch
	var unknown, project []int
	var add func(at int) int32
	add = func(at int) int32 {
		if at < 0 {
			return -1
		}
		if i, ok := place[at]; ok {
			return i
		}
		parent := add(r.pending[at].parent)
		place[at] = int32(len(batch.Tokens))
		batch.Tokens, batch.Parents = append(batch.Tokens, r.pending[at].token), append(batch.Parents, parent)
		return place[at]
	}
	for _, at := range rows {
		if _, ok := r.known[r.pending[at].state]; !ok {
			unknown = append(unknown, at)
			project = append(project, int(add(at)))
		}
	}
	switch {
	case len(unknown) == 0:
		return nil
	case r.model == nil:
		return fmt.Errorf("%s: %w", r.about.Name, ErrNotRecorded)
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	if _, err := r.model.Forward(ctx, batch); err != nil {
		return err
	}
	vocab := r.Vocab()
	r.logits = append(r.logits[:0], make([]float32, len(project)*vocab)...)
	if err := r.model.Project(ctx, r.logits, project); err != nil {
		return err
	}
	for i, at := range unknown {
		r.known[r.pending[at].state] = r.look(r.logits[i*vocab : (i+1)*vocab])
	}
	r.asked += len(unknown)
	return r.model.Commit(nil)
}

// look keeps the likeliest tokens. It overwrites logits.
func (r *RecordedModel) look(logits []float32) outlook {
	o := outlook{tokens: make([]int32, r.about.Kept), probs: make([]float32, r.about.Kept)}
	kernels.Default().TopK(o.tokens, o.probs, logits)
	kernels.Default().Softmax(logits)
	rest := 1.0
	for i, token := range o.tokens {
		o.probs[i] = logits[token]
		rest -= float64(logits[token])
	}
	const none = 1e-30
	o.rest = float32(math.Log(max(none, rest/float64(max(1, len(logits)-r.about.Kept)))))
	return o
}

// catchUp brings the model to the committed text.
func (r *RecordedModel) catchUp(ctx context.Context) error {
	const maxBatch = 128
	held := r.model.Tokens()
	n := 0
	for n < len(held) && n < len(r.committed) && held[n] == r.committed[n] {
		n++
	}
	if err := r.model.Truncate(n); err != nil {
		return err
	}
	for n < len(r.committed) {
		tokens := r.committed[n:min(n+maxBatch, len(r.committed))]
		if _, err := r.model.Forward(ctx, spec.Batch{Tokens: tokens}); err != nil {
			return err
		}
		path := make([]int, len(tokens))
		for i := range path {
			path[i] = i
		}
		if err := r.model.Commit(path); err != nil {
			return err
		}
		n += len(tokens)
	}
	return nil
}

// Commit keeps the pending rows of path.
func (r *RecordedModel) Commit(path []int) error {
	for _, at := range path {
		r.committed = append(r.committed, r.pending[at].token)
		r.states = append(r.states, r.pending[at].state)
	}
	r.pending = r.pending[:0]
	return nil
}

// Truncate keeps the first n committed tokens.
func (r *RecordedModel) Truncate(n int) error {
	r.committed, r.states, r.pending = r.committed[:n], r.states[:n+1], r.pending[:0]
	return nil
}

// Len returns the number of committed tokens.
func (r *RecordedModel) Len() int { return len(r.committed) }

// Tokens returns the committed tokens.
func (r *RecordedModel) Tokens() []int32 { return r.committed }

// Context returns the number of positions.
func (r *RecordedModel) Context() int { return r.about.Context }

// Vocab returns the number of tokens.
func (r *RecordedModel) Vocab() int { return r.about.Vocab }
