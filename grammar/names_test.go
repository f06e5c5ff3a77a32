package grammar

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Members come in the order of the schema, each at most once, those that are required always, and as many as there may be: of all lists of names,
// these are accepted and no others.
func TestNamesOfMembers(t *testing.T) {
	v := testVocabulary(t)
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[ab"é]{0,4}`), 1, 12, rapid.ID).Draw(t, "names")
		required := make([]bool, len(names))
		var properties, wanted []string
		for i, name := range names {
			properties = append(properties, fmt.Sprintf(`%s: {"const": %d}`, quoted(name), i))
			if required[i] = rapid.IntRange(0, 4).Draw(t, "required") == 0; required[i] {
				wanted = append(wanted, quoted(name))
			}
		}
		least, most := 0, len(names)
		counts := ""
		if rapid.Bool().Draw(t, "counted") {
			least, most = rapid.IntRange(0, 3).Draw(t, "least"), rapid.IntRange(3, 6).Draw(t, "most")
			counts = fmt.Sprintf(`, "minProperties": %d, "maxProperties": %d`, least, most)
		}
		schema := fmt.Sprintf(`{"type": "object", "properties": {%s}, "required": [%s]%s}`, strings.Join(properties, ", "), strings.Join(wanted, ", "), counts)
		g, err := v.JSONSchema(t.Context(), []byte(schema))
		if err != nil {
			t.Skip() // more are required than there may be
		}
		for range 20 {
			picked := rapid.SliceOfN(rapid.IntRange(0, len(names)-1), 0, 6).Draw(t, "picked")
			if rapid.Bool().Draw(t, "ordered") {
				slices.Sort(picked)
				picked = slices.Compact(picked)
			}
			var members []string
			right := len(picked) >= least && len(picked) <= most
			for i, p := range picked {
				members = append(members, fmt.Sprintf(`%s: %d`, quoted(names[p]), p))
				right = right && (i == 0 || picked[i-1] < p)
			}
			for i := range names {
				right = right && (!required[i] || slices.Contains(picked, i))
			}
			text := "{" + strings.Join(members, ", ") + "}"
			if got := accepts(g, text); got != right {
				t.Fatalf("%s: %s is accepted: %v, want %v", schema, text, got, right)
			}
		}
	})
}

// A chain in which one text begins with another one stays as it is.
func TestChainOfTextsThatBeginAlike(t *testing.T) {
	v := testVocabulary(t)
	g := &graph{work: newWork(t.Context(), compileSteps), sets: slices.Clone(commonSets())}
	g.node()
	texts := []string{"ab", "abc", "b", "ba"}
	end := g.node()
	g.end(end)
	next := end
	for _, text := range texts {
		n := g.node()
		g.fix(n, g.keep(text+"-"[:len(text)%2]), end)
		g.skip(n, next)
		next = n
	}
	grammar := v.grammar(g, next)
	for _, text := range []string{"ab", "abc-", "b-", "ba", ""} {
		if !accepts(grammar, text) {
			t.Errorf("%q is refused", text)
		}
	}
	for _, text := range []string{"a", "abc", "abb-", "-"} {
		if accepts(grammar, text) {
			t.Errorf("%q is accepted", text)
		}
	}
}
