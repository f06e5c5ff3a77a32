package grammar

import (
	"errors"
	"testing"
)

// Forms take the texts that they are put together of, and no others; schemas with the same names for their parts do not mix.
func TestForms(t *testing.T) {
	v := testVocabulary(t)
	number := Value([]byte(`{"$ref": "#/$defs/x", "$defs": {"x": {"type": "integer", "minimum": 1, "maximum": 3}}}`))
	flag := Value([]byte(`{"$ref": "#/$defs/x", "$defs": {"x": {"type": "boolean"}}}`))
	g, err := v.Grammar(t.Context(), Sequence(Literal("<"), List(Choice(Sequence(Literal("n="), number), Sequence(Literal("not="), flag)), "; "), Literal(">")))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"<n=1>": true, "<not=true>": true, "<n=3; not=false; n=1>": true,
		"<>": false, "<n=4>": false, "<n=true>": false, "<not=1>": false, "<n=1;n=2>": false, "<n=1; >": false, "n=1": false, "<n=1>>": false,
	} {
		if got := accepts(g, text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	m := g.Matcher(t.Context())
	if state := m.Follow(0, "<n="); state < 0 || m.Follow(state, "2; not=tr") < 0 || m.Follow(state, "9") >= 0 {
		t.Error("texts are not followed as they are cut")
	}
	if _, err := v.Grammar(t.Context(), Value([]byte(`{"contains": {"const": 1}, "type": "array"}`))); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a schema that can't be enforced: %v", err)
	}
	if _, err := v.Grammar(t.Context(), Value([]byte(`false`))); err == nil {
		t.Error("a form without a text was taken")
	}
}
