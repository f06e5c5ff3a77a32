package spec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/lever-go/lever/layers"
)

// hashModel is a deterministic language model over a small vocabulary: the logits after a sequence are a hash of it. Its
// "KV cache" holds a hash per row, made from the parent's, so that a wrong row in the cache changes all that follows; and it
// refuses whatever a real decoder refuses.
type hashModel struct {
	seed           uint64
	vocab, context int
	levels         uint64 // logits take this many values: few give many ties
	// A draft hashes with draftSeed where it disagrees, in the share noise of 256 of all places.
	draftSeed uint64
	noise     uint64

	committed []hashRow
	pending   []hashRow
	maxBatch  int // rows of a Forward; 0 = any number

	forwards, rows, projections int
	failIn                      int // 1 = the next call of a method that may fail does
	logitsHook                  func(logits []float32)
}

type hashRow struct {
	state  uint64 // of the path that ends with the token
	token  int32
	parent int
	depth  int
	gone   bool // a hook dropped it
}

// hashLayers is the number of layers that hooks see. A hidden state is the state itself, in pieces of 16 bits as numbers from 0 to 1.
const (
	hashLayers = 6
	hashWidth  = 4
)

// hiddenState returns what a hook sees of a row.
func hiddenState(state uint64) (hidden [hashWidth]float32) {
	for i := range hidden {
		hidden[i] = float32(uint16(state>>(16*i))) / (1 << 16)
	}
	return hidden
}

// stateOf is the inverse of hiddenState.
func stateOf(hidden []float32) (state uint64) {
	for i := range hashWidth {
		state |= uint64(hidden[i]*(1<<16)) << (16 * i)
	}
	return state
}

var errFault = errors.New("flash is gone")

// fault counts the calls of methods that may fail.
func (m *hashModel) fault() error {
	if m.failIn--; m.failIn == 0 {
		return errFault
	}
	return nil
}

func newHashModel(seed uint64, vocab, context int) *hashModel {
	return &hashModel{seed: seed, vocab: vocab, context: context, levels: 64}
}

// newDraftOf returns a draft that agrees with the target except in about noise of 256 places.
func newDraftOf(target *hashModel, noise uint64) *hashModel {
	draft := *target
	draft.draftSeed, draft.noise = ^target.seed, noise
	draft.committed, draft.pending = nil, nil
	return &draft
}

func mix(a, b uint64) uint64 {
	x := a ^ b*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// after returns the state and depth after row, counted among pending rows; -1 is the last committed one.
func (m *hashModel) after(row int) (state uint64, depth int) {
	switch {
	case row >= 0:
		return m.pending[row].state, m.pending[row].depth + 1
	case len(m.committed) > 0:
		return m.committed[len(m.committed)-1].state, 0
	}
	return 1, 0
}

func (m *hashModel) Forward(ctx context.Context, b layers.Batch) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := m.fault(); err != nil {
		return 0, err
	}
	first := len(m.pending)
	if len(b.Tokens) == 0 || b.Parents != nil && len(b.Parents) != len(b.Tokens) {
		return 0, fmt.Errorf("hashModel: %d tokens, %d parents", len(b.Tokens), len(b.Parents))
	}
	if m.maxBatch > 0 && len(b.Tokens) > m.maxBatch {
		return 0, fmt.Errorf("hashModel: batch of %d rows, at most %d", len(b.Tokens), m.maxBatch)
	}
	for i, token := range b.Tokens {
		parent := first + i - 1
		if b.Parents != nil {
			parent = int(b.Parents[i])
		}
		if parent < -1 || parent >= len(m.pending) || token < 0 || int(token) >= m.vocab {
			m.pending = m.pending[:first]
			return 0, fmt.Errorf("hashModel: row %d: token %d, parent %d", i, token, parent)
		}
		state, depth := m.after(parent)
		if len(m.committed)+depth >= m.context {
			m.pending = m.pending[:first]
			return 0, fmt.Errorf("hashModel: position %d: %w", len(m.committed)+depth, layers.ErrContextFull)
		}
		m.pending = append(m.pending, hashRow{state: mix(state, uint64(token)+1), token: token, parent: parent, depth: depth})
	}
	for _, layer := range b.HookAfter {
		if err := m.hook(b.Hook, layer, first); err != nil {
			m.pending = m.pending[:first]
			return 0, err
		}
	}
	m.forwards++
	m.rows += len(b.Tokens)
	return first, nil
}

// hook lets a hook drop some of the rows from first on.
func (m *hashModel) hook(hook layers.Hook, layer, first int) error {
	var rows []int
	var hidden []float32
	for row := first; row < len(m.pending); row++ {
		if !m.pending[row].gone {
			state := hiddenState(m.pending[row].state)
			rows, hidden = append(rows, row), append(hidden, state[:]...)
		}
	}
	keep, err := hook(layer, slices.Clone(rows), hidden)
	if err != nil {
		return err
	}
	for _, row := range rows {
		parent := m.pending[row].parent
		m.pending[row].gone = !slices.Contains(keep, row) || parent >= first && m.pending[parent].gone
	}
	return nil
}

func (m *hashModel) Project(_ context.Context, dst []float32, rows []int) error {
	if err := m.fault(); err != nil {
		return err
	}
	if len(dst) != len(rows)*m.vocab {
		return fmt.Errorf("hashModel: %d logits for %d rows of %d", len(dst), len(rows), m.vocab)
	}
	for i, row := range rows {
		if row < 0 || row >= len(m.pending) || m.pending[row].gone {
			return fmt.Errorf("hashModel: project: row %d of %d", row, len(m.pending))
		}
		m.logits(dst[i*m.vocab:(i+1)*m.vocab], m.pending[row].state)
	}
	m.projections += len(rows)
	return nil
}

// logits are multiples of 1/16 from 0 up to, but not including, levels/16.
func (m *hashModel) logits(dst []float32, state uint64) {
	seed := m.seed
	if mix(state, m.draftSeed)%256 < m.noise {
		seed = m.draftSeed
	}
	for i := range dst {
		dst[i] = float32(mix(mix(seed, state), uint64(i))%m.levels) / 16
	}
	if m.logitsHook != nil {
		m.logitsHook(dst)
	}
}

func (m *hashModel) Commit(path []int) error {
	if err := m.fault(); err != nil {
		return err
	}
	last := -1
	for _, row := range path {
		if row < 0 || row >= len(m.pending) || m.pending[row].parent != last || m.pending[row].gone {
			return fmt.Errorf("hashModel: commit: %v is no path", path)
		}
		last = row
	}
	for _, row := range path {
		m.committed = append(m.committed, m.pending[row])
	}
	m.pending = m.pending[:0]
	return nil
}

func (m *hashModel) Truncate(n int) error {
	if err := m.fault(); err != nil {
		return err
	}
	if n < 0 || n > len(m.committed) {
		return fmt.Errorf("hashModel: truncate to %d of %d", n, len(m.committed))
	}
	m.committed, m.pending = m.committed[:n], m.pending[:0]
	return nil
}

func (m *hashModel) Len() int     { return len(m.committed) }
func (m *hashModel) Context() int { return m.context }
func (m *hashModel) Vocab() int   { return m.vocab }

// Tokens returns the committed sequence.
func (m *hashModel) Tokens() []int32 {
	var out []int32
	for _, row := range m.committed {
		out = append(out, row.token)
	}
	return out
}

// treePolicy grows a tree whose shape and tokens come from bytes, cycling through them. Half of the tokens are the target's
// most probable ones, so that deep paths get accepted.
type treePolicy struct {
	oracle *hashModel
	shape  []byte
	at     int
}

func (p *treePolicy) next() int {
	p.at = (p.at + 1) % len(p.shape)
	return int(p.shape[p.at])
}

func (p *treePolicy) Grow(_ context.Context, sequence []int32, tree *Tree, _ *Draft) error {
	if len(p.shape) == 0 {
		return nil
	}
	states := []uint64{1}
	for _, token := range sequence {
		states[0] = mix(states[0], uint64(token)+1)
	}
	logits := make([]float32, p.oracle.vocab)
	for range p.next() % 24 {
		// Mostly grow downwards.
		parent := tree.Len() - 1
		if p.next()%4 == 0 {
			parent = p.next() % tree.Len()
		}
		token := int32(p.next() % p.oracle.vocab)
		if p.next()%2 == 0 {
			p.oracle.logits(logits, states[parent])
			best, err := argmax(logits)
			if err != nil {
				return err
			}
			token = int32(best)
		}
		if _, err := tree.Add(parent, token, 0.5); err != nil {
			continue // full, or there already
		}
		states = append(states, mix(states[parent], uint64(token)+1))
	}
	return nil
}

// pieceDecoder gives each token some bytes and holds back incomplete characters.
type pieceDecoder struct {
	table []string
	rest  []byte
}

// newPieceDecoder draws a table over a few characters of one to four bytes, whole and cut.
func newPieceDecoder(seed uint64, vocab int) *pieceDecoder {
	pieces := []string{"a", "b", "ab", "aab", "", "\xc3", "\xa9", "é", "€a", "\xe2\x82", "\xac", "😀", "\xf0\x9f", "b€", "b\xc3"}
	d := &pieceDecoder{}
	random := rand.New(rand.NewPCG(seed, 1))
	for range vocab {
		d.table = append(d.table, pieces[random.IntN(len(pieces))])
	}
	return d
}

func (d *pieceDecoder) Next(token int32) string {
	d.rest = append(d.rest, d.table[token]...)
	whole := wholeCharacters(d.rest)
	text := string(d.rest[:whole])
	d.rest = slices.Delete(d.rest, 0, whole)
	return toValid(text)
}

func (d *pieceDecoder) Flush() string {
	text := toValid(string(d.rest))
	d.rest = d.rest[:0]
	return text
}
