package spectest

import (
	"context"
	"math/rand/v2"

	"github.com/lever-go/lever/spec"
)

// FreeModel costs next to nothing: its logits are copied from a few rows of random ones.
type FreeModel struct {
	vocab, committed, pending int
	Table                     [16][]float32
}

// NewFreeModel returns a model with so many tokens.
func NewFreeModel(vocab int) *FreeModel {
	m := &FreeModel{vocab: vocab}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range m.Table {
		m.Table[i] = make([]float32, vocab)
		for j := range m.Table[i] {
			m.Table[i][j] = float32(3 * random.NormFloat64())
		}
	}
	return m
}

func (m *FreeModel) Forward(_ context.Context, b spec.Batch) (int, error) {
	first := m.pending
	m.pending += len(b.Tokens)
	return first, nil
}

func (m *FreeModel) Project(_ context.Context, dst []float32, rows []int) error {
	for i, row := range rows {
		copy(dst[i*m.vocab:(i+1)*m.vocab], m.Table[(m.committed+row)%len(m.Table)])
	}
	return nil
}

func (m *FreeModel) Commit(path []int) error {
	m.committed, m.pending = m.committed+len(path), 0
	return nil
}

func (m *FreeModel) Truncate(n int) error {
	m.committed, m.pending = n, 0
	return nil
}

func (m *FreeModel) Tokens() []int32 { return nil }
func (m *FreeModel) Len() int        { return m.committed }
func (m *FreeModel) Context() int    { return 1 << 20 }
func (m *FreeModel) Vocab() int      { return m.vocab }
