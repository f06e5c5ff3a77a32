package tokenizer

import (
	"math"
	"slices"
	"unicode/utf8"
)

// unigram is the scores of a vocabulary whose tokens do not merge: the tokens of a text are those with the highest sum of scores (Kudo
// 2018, "Subword Regularization").
type unigram struct {
	words        *prefixTree // of the tokens that text is made of
	scores       []float64
	unknownScore float64
	rounded      bool // sums are kept as float32, as SentencePiece does, which compares them before they are rounded; others keep float64
}

// unknownPenalty is how much worse an unknown character is than the worst token.
const unknownPenalty = 10

// newUnigram returns the model for the tokens of an index.
func newUnigram(index map[string]int32, scores []float64) *unigram {
	u := &unigram{words: newPrefixTree(index), scores: scores}
	least := math.Inf(1)
	for _, id := range index {
		least = min(least, scores[id])
	}
	u.unknownScore = least - unknownPenalty
	return u
}

// round returns a sum of scores as it is kept.
func (u *unigram) round(sum float64) float64 {
	if u.rounded {
		return float64(float32(sum))
	}
	return sum
}

// viterbi finds the best tokens of a text. Its buffer serves one text after another.
type viterbi struct{ best []bestToken }

// bestToken is the last token of the best sequence that ends at a place in the text.
type bestToken struct {
	score float64
	id    int32 // −1 for an unknown character
	from  int32 // where the token begins
	known bool  // some sequence ends here
}

// appendBest appends the tokens of piece to ids. Of several sequences with the same score the one with the longest last token counts.
// It may end before it has found them, as c says; then it appends nothing.
func (v *viterbi) appendBest(c *checks, ids []int32, piece string, t *Tokenizer) []int32 {
	u := t.unigram
	v.best = append(v.best[:0], make([]bestToken, len(piece)+1)...)
	v.best[0].known = true
	for at := 0; at < len(piece); {
		_, size := utf8.DecodeRuneInString(piece[at:])
		if !c.look(size) {
			return ids
		}
		score, single := v.best[at].score, false
		for node, i := int32(0), at; i < len(piece); i++ {
			var more bool
			if node, more = u.words.child(node, piece[i]); !more {
				break
			}
			if id := u.words.nodes[node].id; id >= 0 {
				single = single || i+1 == at+size
				v.reach(u, at, i+1, id, score+u.scores[id])
			}
		}
		if !single {
			v.reach(u, at, at+size, -1, u.round(score+u.unknownScore))
		}
		at += size
	}
	return v.appendPath(ids, piece, t)
}

// reach notes a token from one place to another, if it is better than what ends there.
func (v *viterbi) reach(u *unigram, from, to int, id int32, score float64) {
	if b := &v.best[to]; !b.known || score > b.score {
		*b = bestToken{u.round(score), id, int32(from), true}
	}
}

// appendPath appends the tokens of the best sequence, which is found from its end.
func (v *viterbi) appendPath(ids []int32, piece string, t *Tokenizer) []int32 {
	begin := len(ids)
	for at := int32(len(piece)); at > 0; {
		b := v.best[at]
		switch p := t.pieces; {
		case b.id >= 0:
			ids = append(ids, b.id)
		case t.fallsBack(piece[b.from:at]):
			for i := at - 1; i >= b.from; i-- {
				ids = append(ids, t.bytes[piece[i]])
			}
		case p.unknown >= 0 && (len(ids) == begin || !p.fuseUnknown || ids[len(ids)-1] != p.unknown):
			ids = append(ids, p.unknown)
		}
		at = b.from
	}
	slices.Reverse(ids[begin:])
	return ids
}
