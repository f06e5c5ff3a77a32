package tokenizer

import (
	"slices"
	"testing"
)

// A tag of HTML that is a token ends no text, and begins none.
func TestTagsAreNoEnds(t *testing.T) {
	for _, control := range []bool{false, true} {
		data := editedJSON(t, func(doc map[string]any) {
			doc["added_tokens"] = append(doc["added_tokens"].([]any), map[string]any{"id": tinySize, "content": "</s>", "special": control})
		})
		tok, err := FromJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(tok.EOS(), tinySize); got != control {
			t.Errorf("control %v: </s> ends a text: %v", control, got)
		}
	}
}
