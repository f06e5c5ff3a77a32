package tokenizer

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

// Bounds of the cache: at most cacheSlots pieces of at most cachePiece bytes each, about 2 MiB when full.
const (
	cacheSlots = 1 << 14 // a power of two
	cachePiece = 32
)

// pieceCache remembers the tokens of the pieces seen last. Each piece has one slot, and a newcomer takes it over, so that
// readers and writers need no lock.
type pieceCache struct {
	seed  maphash.Seed
	slots [cacheSlots]atomic.Pointer[cachedPiece]
}

type cachedPiece struct {
	text string
	ids  []int32
}

func newPieceCache() *pieceCache { return &pieceCache{seed: maphash.MakeSeed()} }

// slot returns where the tokens of piece are kept, if it is kept at all.
func (c *pieceCache) slot(piece string) *atomic.Pointer[cachedPiece] {
	return &c.slots[maphash.String(c.seed, piece)%cacheSlots]
}

// newCachedPiece copies its arguments, so that an entry does not keep a whole text alive.
func newCachedPiece(piece string, ids []int32) *cachedPiece {
	return &cachedPiece{text: strings.Clone(piece), ids: slices.Clone(ids)}
}
