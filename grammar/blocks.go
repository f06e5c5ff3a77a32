package grammar

// blocks is a list that grows without moving what it has, beyond its first block: a machine may keep a hundred megabytes, which would be copied
// within one mask.
type blocks[T any] struct {
	of     [][]T // all full but the last
	length int
}

const (
	blockBits   = 10
	blockLength = 1 << blockBits
)

// at returns where the i-th is: until the next one is added, or for good if that is not in the first block.
func (b *blocks[T]) at(i int32) *T { return &b.of[i>>blockBits][i%blockLength] }

// add adds one, and returns its number.
func (b *blocks[T]) add(x T) int32 {
	last := b.length >> blockBits
	if last == len(b.of) {
		b.of = append(b.of, nil)
		if last > 0 {
			b.of[last] = make([]T, 0, blockLength)
		}
	}
	b.of[last] = append(b.of[last], x)
	b.length++
	return int32(b.length - 1)
}

// cut leaves none but the first one.
func (b *blocks[T]) cut() {
	clear(b.of[0][1:])
	clear(b.of[1:])
	b.of[0], b.of, b.length = b.of[0][:1], b.of[:1], 1
}
