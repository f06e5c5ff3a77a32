// Package spectest has language models, policies and machines that are made up, for tests of what speculates: package spec, its policies and
// its pruners. They are deterministic, take no time, and refuse whatever real ones refuse.
package spectest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/lever-go/lever/spec"
)

// HashModel is a deterministic language model over a small vocabulary: the logits after a sequence are a hash of it. Its
// "KV cache" holds a hash per row, made from the parent's, so that a wrong row in the cache changes all that follows; and it
// refuses whatever a real decoder refuses.
type HashModel struct {
	Seed                 uint64
	VocabSize, Positions int
	Levels               uint64 // logits take this many values: few give many ties
	// A draft hashes with DraftSeed where it disagrees, in the share Noise of 256 of all places.
	DraftSeed uint64
	Noise     uint64

	Committed []HashRow
	Pending   []HashRow
	MaxBatch  int // rows of a Forward; 0 means any number
	Keeps     int // tokens by which a sequence can be shortened; 0 means all

	Forwards, Rows, Projections int
	FailIn                      int // 1 = the next call of a method that may fail does
	LogitsHook                  func(logits []float32)
}

// HashRow is a row of a [HashModel].
type HashRow struct {
	State  uint64 // of the path that ends with the token
	Token  int32
	Parent int
	Depth  int
	Gone   bool // a hook dropped it
	Unread bool // nobody asks for its logits
}

// HashLayers is the number of layers that hooks see. A hidden state is the state itself, in pieces of 16 bits as numbers from 0 to 1.
const (
	HashLayers = 6
	HashWidth  = 4
)

// HiddenState returns what a hook sees of a row.
func HiddenState(state uint64) (hidden [HashWidth]float32) {
	for i := range hidden {
		hidden[i] = float32(uint16(state>>(16*i))) / (1 << 16)
	}
	return hidden
}

// StateOf is the inverse of HiddenState.
func StateOf(hidden []float32) (state uint64) {
	for i := range HashWidth {
		state |= uint64(hidden[i]*(1<<16)) << (16 * i)
	}
	return state
}

var ErrFault = errors.New("flash is gone")

// fault counts the calls of methods that may fail.
func (m *HashModel) fault() error {
	if m.FailIn--; m.FailIn == 0 {
		return ErrFault
	}
	return nil
}

func NewHashModel(seed uint64, vocab, context int) *HashModel {
	return &HashModel{Seed: seed, VocabSize: vocab, Positions: context, Levels: 64}
}

// NewDraftOf returns a draft that agrees with the target except in about noise of 256 places.
func NewDraftOf(target *HashModel, noise uint64) *HashModel {
	draft := *target
	draft.DraftSeed, draft.Noise = ^target.Seed, noise
	draft.Committed, draft.Pending = nil, nil
	return &draft
}

func Mix(a, b uint64) uint64 {
	x := a ^ b*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// After returns the state and depth after row, counted among pending rows; -1 is the last committed one.
func (m *HashModel) After(row int) (state uint64, depth int) {
	switch {
	case row >= 0:
		return m.Pending[row].State, m.Pending[row].Depth + 1
	case len(m.Committed) > 0:
		return m.Committed[len(m.Committed)-1].State, 0
	}
	return 1, 0
}

func (m *HashModel) Forward(ctx context.Context, b spec.Batch) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := m.fault(); err != nil {
		return 0, err
	}
	first := len(m.Pending)
	if len(b.Tokens) == 0 || b.Parents != nil && len(b.Parents) != len(b.Tokens) {
		return 0, fmt.Errorf("hash model: %d tokens, %d parents", len(b.Tokens), len(b.Parents))
	}
	if m.MaxBatch > 0 && len(b.Tokens) > m.MaxBatch {
		return 0, fmt.Errorf("hash model: batch of %d rows, at most %d", len(b.Tokens), m.MaxBatch)
	}
	for i, token := range b.Tokens {
		parent := first + i - 1
		if b.Parents != nil {
			parent = int(b.Parents[i])
		}
		if parent < -1 || parent >= len(m.Pending) || token < 0 || int(token) >= m.VocabSize {
			m.Pending = m.Pending[:first]
			return 0, fmt.Errorf("hash model: row %d: token %d, parent %d", i, token, parent)
		}
		state, depth := m.After(parent)
		if len(m.Committed)+depth >= m.Positions {
			m.Pending = m.Pending[:first]
			return 0, fmt.Errorf("hash model: position %d is outside the context", len(m.Committed)+depth)
		}
		unread := b.Last && i < len(b.Tokens)-1
		m.Pending = append(m.Pending, HashRow{State: Mix(state, uint64(token)+1), Token: token, Parent: parent, Depth: depth, Unread: unread})
	}
	for _, layer := range b.HookAfter {
		if err := m.hook(b.Hook, layer, first); err != nil {
			m.Pending = m.Pending[:first]
			return 0, err
		}
	}
	m.Forwards++
	m.Rows += len(b.Tokens)
	return first, nil
}

// hook lets a hook drop some of the rows from first on.
func (m *HashModel) hook(hook spec.Hook, layer, first int) error {
	var rows []int
	var hidden []float32
	for row := first; row < len(m.Pending); row++ {
		if !m.Pending[row].Gone {
			state := HiddenState(m.Pending[row].State)
			rows, hidden = append(rows, row), append(hidden, state[:]...)
		}
	}
	keep, err := hook(layer, slices.Clone(rows), hidden)
	if err != nil {
		return err
	}
	for _, row := range rows {
		parent := m.Pending[row].Parent
		m.Pending[row].Gone = !slices.Contains(keep, row) || parent >= first && m.Pending[parent].Gone
	}
	return nil
}

func (m *HashModel) Project(_ context.Context, dst []float32, rows []int) error {
	if err := m.fault(); err != nil {
		return err
	}
	if len(dst) != len(rows)*m.VocabSize {
		return fmt.Errorf("hash model: %d logits for %d rows of %d", len(dst), len(rows), m.VocabSize)
	}
	for i, row := range rows {
		if row < 0 || row >= len(m.Pending) || m.Pending[row].Gone || m.Pending[row].Unread {
			return fmt.Errorf("hash model: project: row %d of %d", row, len(m.Pending))
		}
		m.Logits(dst[i*m.VocabSize:(i+1)*m.VocabSize], m.Pending[row].State)
	}
	m.Projections += len(rows)
	return nil
}

// Logits are multiples of 1/16 from 0 up to, but not including, levels/16.
func (m *HashModel) Logits(dst []float32, state uint64) {
	seed := m.Seed
	if Mix(state, m.DraftSeed)%256 < m.Noise {
		seed = m.DraftSeed
	}
	for i := range dst {
		dst[i] = float32(Mix(Mix(seed, state), uint64(i))%m.Levels) / 16
	}
	if m.LogitsHook != nil {
		m.LogitsHook(dst)
	}
}

func (m *HashModel) Commit(path []int) error {
	if err := m.fault(); err != nil {
		return err
	}
	last := -1
	for _, row := range path {
		if row < 0 || row >= len(m.Pending) || m.Pending[row].Parent != last || m.Pending[row].Gone {
			return fmt.Errorf("hash model: commit: %v is no path", path)
		}
		last = row
	}
	for _, row := range path {
		m.Committed = append(m.Committed, m.Pending[row])
	}
	m.Pending = m.Pending[:0]
	return nil
}

func (m *HashModel) Truncate(n int) error {
	if err := m.fault(); err != nil {
		return err
	}
	if n < 0 || n > len(m.Committed) {
		return fmt.Errorf("hash model: truncate to %d of %d", n, len(m.Committed))
	}
	if m.Keeps > 0 && n > 0 && n < len(m.Committed)-m.Keeps {
		return fmt.Errorf("hash model: truncate to %d of %d, of which it keeps the last %d", n, len(m.Committed), m.Keeps)
	}
	m.Committed, m.Pending = m.Committed[:n], m.Pending[:0]
	return nil
}

func (m *HashModel) Len() int     { return len(m.Committed) }
func (m *HashModel) Context() int { return m.Positions }
func (m *HashModel) Vocab() int   { return m.VocabSize }

// Tokens returns the committed sequence.
func (m *HashModel) Tokens() []int32 {
	var out []int32
	for _, row := range m.Committed {
		out = append(out, row.Token)
	}
	return out
}

// TreePolicy grows a tree whose shape and tokens come from bytes, cycling through them. Half of the tokens are the target's
// most probable ones, so that deep paths get accepted.
type TreePolicy struct {
	Oracle *HashModel
	Shape  []byte
	at     int
}

func (p *TreePolicy) next() int {
	p.at = (p.at + 1) % len(p.Shape)
	return int(p.Shape[p.at])
}

func (p *TreePolicy) Grow(_ context.Context, sequence []int32, tree *spec.Tree, _ *spec.Draft) error {
	if len(p.Shape) == 0 {
		return nil
	}
	states := []uint64{1}
	for _, token := range sequence {
		states[0] = Mix(states[0], uint64(token)+1)
	}
	logits := make([]float32, p.Oracle.VocabSize)
	for range p.next() % 24 {
		// Mostly grow downwards.
		parent := tree.Len() - 1
		if p.next()%4 == 0 {
			parent = p.next() % tree.Len()
		}
		token := int32(p.next() % p.Oracle.VocabSize)
		if p.next()%2 == 0 {
			p.Oracle.Logits(logits, states[parent])
			token = int32(slices.Index(logits, slices.Max(logits)))
		}
		if _, err := tree.Add(parent, token, 0.5); err != nil {
			continue // full, or there already
		}
		states = append(states, Mix(states[parent], uint64(token)+1))
	}
	return nil
}

// PieceDecoder gives each token some bytes and holds back incomplete characters.
type PieceDecoder struct {
	table []string
	rest  []byte
}

// NewPieceDecoder draws a table over a few characters of one to four bytes, whole and cut.
func NewPieceDecoder(seed uint64, vocab int) *PieceDecoder {
	pieces := []string{"a", "b", "ab", "aab", "", "\xc3", "\xa9", "é", "€a", "\xe2\x82", "\xac", "😀", "\xf0\x9f", "b€", "b\xc3"}
	d := &PieceDecoder{}
	random := rand.New(rand.NewPCG(seed, 1))
	for range vocab {
		d.table = append(d.table, pieces[random.IntN(len(pieces))])
	}
	return d
}

func (d *PieceDecoder) Next(token int32) string {
	d.rest = append(d.rest, d.table[token]...)
	whole := wholeCharacters(d.rest)
	text := string(d.rest[:whole])
	d.rest = slices.Delete(d.rest, 0, whole)
	return toValid(text)
}

func (d *PieceDecoder) Flush() string {
	text := toValid(string(d.rest))
	d.rest = d.rest[:0]
	return text
}
