package tokenizer

import (
	"testing"

	"pgregory.net/rapid"
)

// A prefixTree finds the tokens with which a text begins, and no others.
func TestPrefixTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00é\U0010ffff")), 1, 6, -1)
		index := map[string]int32{}
		for i, text := range rapid.SliceOfN(token, 0, 40).Draw(t, "tokens") {
			index[text] = int32(i)
		}
		tree := newPrefixTree(index)
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00é\U0010ffff")), 0, 12, -1).Draw(t, "text")
		node, inside := int32(0), true
		for n := 1; n <= len(text); n++ {
			want, known := index[text[:n]]
			got := int32(-1)
			if inside {
				if node, inside = tree.child(node, text[n-1]); inside {
					got = tree.nodes[node].id
				}
			}
			if known != (got >= 0) || known && got != want {
				t.Fatalf("%q: token %d, want %d (%v)", text[:n], got, want, known)
			}
		}
	})
}
