package tokenizer

import "fmt"

// Compatible reports why the tokens of b cannot stand for those of a, as speculation needs, and nil if they can: every id that
// is ordinary text in either must be the same bytes in both. One vocabulary may be longer by added or absent tokens, and where
// both have an added token, its text may differ: such names are given out late and a reserved one may be in use in the other.
func Compatible(a, b *Tokenizer) error {
	for id := range int32(max(a.Size(), b.Size())) {
		textA, textB := a.Token(id), b.Token(id)
		if textA == textB || a.extra(id) && b.extra(id) {
			continue
		}
		return fmt.Errorf("tokenizer: vocabularies differ: token %d is %q in the first and %q in the second", id, textA, textB)
	}
	return nil
}

// extra reports whether id is not ordinary text: an added token, or none.
func (t *Tokenizer) extra(id int32) bool {
	_, isAdded := t.control[id]
	return isAdded || t.Token(id) == ""
}
