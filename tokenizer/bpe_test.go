package tokenizer

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naiveMerge merges the leftmost pair of lowest rank until none is left: the definition.
func naiveMerge(t *Tokenizer, piece string) []int32 {
	var ids []int32
	for i := range len(piece) {
		ids = append(ids, t.bytes[piece[i]])
	}
	for {
		at, best := -1, merge{}
		for i := range len(ids) - 1 {
			if m, ok := t.merges[pairKey(ids[i], ids[i+1])]; ok && (at < 0 || m.rank < best.rank) {
				at, best = i, m
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, best.id)
	}
}

// randomMerges returns a tokenizer of the 256 bytes with random merges over a few letters, ranks not unique.
func randomMerges(t *rapid.T) *Tokenizer {
	tok := &Tokenizer{merges: map[uint64]merge{}}
	for b := range tok.bytes {
		tok.bytes[b] = int32(b)
	}
	ids := []int32{'a', 'b', 'c'}
	for i := range rapid.IntRange(1, 30).Draw(t, "merges") {
		left := rapid.SampledFrom(ids).Draw(t, fmt.Sprintf("left %d", i))
		right := rapid.SampledFrom(ids).Draw(t, fmt.Sprintf("right %d", i))
		id := int32(256 + i)
		tok.merges[pairKey(left, right)] = merge{rank: rapid.Int32Range(0, 20).Draw(t, fmt.Sprintf("rank %d", i)), id: id}
		ids = append(ids, id)
	}
	return tok
}

func TestMergeEqualsDefinition(t *testing.T) {
	var m merger // reused, as an encoder does
	rapid.Check(t, func(t *rapid.T) {
		tok := randomMerges(t)
		piece := rapid.StringMatching(`[abc]{1,60}`).Draw(t, "piece")
		if got, want := m.appendMerged(&checks{ctx: context.Background()}, nil, piece, tok), naiveMerge(tok, piece); !slices.Equal(got, want) {
			t.Fatalf("%q merges into %v, want %v", piece, got, want)
		}
	})
}
