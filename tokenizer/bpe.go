package tokenizer

import (
	"math"
	"unicode/utf8"
)

// merge says that two neighbouring tokens become the token id; the lowest rank merges first.
type merge struct{ rank, id int32 }

// noMerge is the rank of a pair that does not merge.
const noMerge = math.MaxInt32

// pairKey is the key of a pair of tokens in the table of merges.
func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// merger merges the tokens of one piece. Its buffers serve one piece after another.
type merger struct {
	symbols []symbol
	queue   []uint64 // binary heap of rank<<32 | index; entries whose rank is no longer the symbol's are stale
}

// symbol is a token of the piece, linked to its neighbours by index; -1 ends the list.
type symbol struct {
	id         int32
	prev, next int32
	rank       int32 // of the merge with the next symbol
}

// appendMerged appends the tokens of piece to ids: starting from single bytes or characters, the pair of lowest rank merges, the
// leftmost of several, until no pair merges (Sennrich et al. 2016). Takes O(n log n) for n bytes. It may end before all have merged, as c says.
func (m *merger) appendMerged(c *checks, ids []int32, piece string, t *Tokenizer) []int32 {
	m.symbols = m.symbols[:0]
	if t.pieces == nil {
		for i := range len(piece) {
			m.add(t.bytes[piece[i]])
		}
	} else {
		m.addCharacters(piece, t)
	}
	n := int32(len(m.symbols))
	if n == 0 {
		return ids
	}
	m.symbols[n-1].next = -1
	m.queue = m.queue[:0]
	for i := int32(0); i < n-1 && c.look(1); i++ {
		m.offer(t, i)
	}

	for len(m.queue) > 0 && c.look(1) {
		top := m.pop()
		i := int32(uint32(top))
		left := &m.symbols[i]
		if left.rank != int32(top>>32) {
			continue
		}
		right := &m.symbols[left.next]
		left.id = t.merges[pairKey(left.id, right.id)].id
		left.next = right.next
		right.rank = noMerge
		if left.next >= 0 {
			m.symbols[left.next].prev = i
		}
		m.offer(t, i)
		if left.prev >= 0 {
			m.offer(t, left.prev)
		}
	}
	for i := int32(0); i >= 0; i = m.symbols[i].next {
		ids = append(ids, m.symbols[i].id)
	}
	return ids
}

// add appends a symbol to the piece.
func (m *merger) add(id int32) {
	i := int32(len(m.symbols))
	m.symbols = append(m.symbols, symbol{id: id, prev: i - 1, next: i + 1, rank: noMerge})
}

// addCharacters adds the characters of piece: one that is no token as its bytes, where these are tokens, else as the unknown token, of
// which several in a row are one. Without an unknown token, it is left out.
func (m *merger) addCharacters(piece string, t *Tokenizer) {
	for piece != "" {
		_, n := utf8.DecodeRuneInString(piece)
		id, ok := t.index[piece[:n]]
		switch {
		case ok:
			m.add(id)
		case t.fallsBack(piece[:n]):
			for i := range n {
				m.add(t.bytes[piece[i]])
			}
		case t.pieces.unknown >= 0:
			if last := len(m.symbols) - 1; last < 0 || !t.pieces.fuseUnknown || m.symbols[last].id != t.pieces.unknown {
				m.add(t.pieces.unknown)
			}
		}
		piece = piece[n:]
	}
}

// offer finds the rank of symbol i with its successor and queues it where they merge.
func (m *merger) offer(t *Tokenizer, i int32) {
	s := &m.symbols[i]
	s.rank = noMerge
	if s.next < 0 {
		return
	}
	if to, ok := t.merges[pairKey(s.id, m.symbols[s.next].id)]; ok {
		s.rank = to.rank
		m.push(uint64(uint32(to.rank))<<32 | uint64(uint32(i)))
	}
}

// push adds v to the queue.
func (m *merger) push(v uint64) {
	m.queue = append(m.queue, v)
	q, i := m.queue, len(m.queue)-1
	for i > 0 && q[(i-1)/2] > v {
		q[i] = q[(i-1)/2]
		i = (i - 1) / 2
	}
	q[i] = v
}

// pop removes the least entry of the queue.
func (m *merger) pop() uint64 {
	q := m.queue
	top, last := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	m.queue = q
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1] < q[child] {
			child++
		}
		if q[child] >= last {
			break
		}
		q[i] = q[child]
		i = child
	}
	if len(q) > 0 {
		q[i] = last
	}
	return top
}
