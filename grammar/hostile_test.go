package grammar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lever-go/lever/internal/giveway"
)

// hostile are schemas that are made to take much work. Those of large are known to be too large.
func hostile() (schemas map[string]string, large []string) {
	schemas = map[string]string{}
	pattern := func(name, pattern string) {
		text, _ := json.Marshal(map[string]any{"type": "string", "pattern": pattern})
		schemas["pattern "+name] = string(text)
	}
	list := func(n int, separator string, one func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = one(i)
		}
		return strings.Join(parts, separator)
	}
	definitions := func(n int, one func(i int) string, last string) string {
		return `{"$defs": {` + list(n, ", ", func(i int) string { return fmt.Sprintf(`"a%d": %s`, i, one(i)) }) + fmt.Sprintf(`, "a%d": %s}, "$ref": "#/$defs/a0"}`, n, last)
	}
	next := func(i int) string { return fmt.Sprintf(`{"$ref": "#/$defs/a%d"}`, i+1) }
	nest := func(n int, open, inner, shut string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}

	pattern("plain stars", strings.Repeat("[a-z]*", 300))
	pattern("nested stars", `(a*)*b`)
	pattern("many nested stars", nest(30, "(", "a*", ")*"))
	pattern("deep groups", nest(60, "(", "a", "){0,3}"))
	pattern("deeper groups", nest(1000, "(", "a", ")"))
	pattern("optional letters", strings.Repeat("a?", 1000)+strings.Repeat("a", 1000))
	pattern("counted options", `^(a?){4000}$`)
	pattern("counted counts", `([a-z]{0,64}){0,64}`)
	pattern("alternatives counted", `(a|b|c|d|e|f|g|h){0,4096}`)
	pattern("nested alternatives", nest(8, "(", "a|b", "){0,8}"))
	pattern("letters", `\p{L}{1,4096}`)
	pattern("many large sets", list(200, "", func(i int) string { return fmt.Sprintf(`[\p{L}\u%04x]`, 0x2600+i) }))
	pattern("many large sets repeated", list(40, "", func(i int) string { return fmt.Sprintf(`[\p{L}\u%04x]*`, 0x2600+i) }))
	pattern("exponential states", `(a|b)*a(a|b){60}`)
	pattern("two counts", `.{0,2000}x.{0,2000}`)
	pattern("words", `^(`+list(5000, "|", func(i int) string { return fmt.Sprintf("word%d", i*7919%100000) })+`)$`)
	pattern("words anywhere", list(3000, "|", func(i int) string { return fmt.Sprintf("w%d", i*7919%100000) }))
	pattern("any counted", `^(.|\n){4096}$`)
	pattern("ambiguous", `^(a|a|a|a)*(a|aa|aaa)*$`)
	pattern("look-ahead", list(20, "", func(i int) string { return fmt.Sprintf(`(?=.*[%c-z])`, 'a'+i) }))
	// Half of all tokens begin with a blank.
	pattern("of blanks and sets", `^(`+list(40, "|", func(i int) string { return fmt.Sprintf(` [a-z\u%04x]+%d`, 0x400+i, i) })+`)$`)
	pattern("of counts modulo others", `^(([^a]*a){11}|([^b]*b){13})*$`)
	pattern("without some letters", `^`+list(300, "", func(i int) string { return fmt.Sprintf("[^%c]", 'a'+i%26) })+`$`)
	schemas["multiples"] = `{"anyOf": [` + list(300, ", ", func(i int) string { return fmt.Sprintf(`{"type": "integer", "multipleOf": %d}`, i+2) }) + `]}`
	schemas["names of patterns"] = `{"type": "object", "minProperties": 30, "propertyNames": {"pattern": "^( [^a]*|[^b]*x|\\p{L}{3,40})$"}}`
	schemas["pattern and maxLength"] = `{"pattern": "(a|b)*c(a|b){20}", "maxLength": 4096}`
	schemas["pattern and minLength"] = `{"pattern": "` + strings.Repeat("[a-z]*", 100) + `", "minLength": 4096}`
	schemas["lengths"] = `{"type": "string", "minLength": 4096, "maxLength": 4096}`
	schemas["many classes"] = `{"type": "array", "minItems": 24, "prefixItems": [` + list(24, ", ", func(i int) string { return fmt.Sprintf(`{"pattern": "^([\\p{L}\\u%04x]|)$"}`, 0x2600+i) }) + `]}`
	schemas["many classes at once"] = `{"anyOf": [` + list(7, ", ", func(i int) string { return fmt.Sprintf(`{"pattern": "^[^%c]*%d$"}`, 'e'+i, i) }) + `]}`
	schemas["many classes unlike"] = `{"pattern": "^(` + list(60, "|", func(i int) string { return fmt.Sprintf(`[\\p{L}\\u%04x]*%c`, 0x2600+i, '0'+i%10) }) + `)$"}`
	schemas["many classes of many"] = `{"type": "object", "properties": {` + list(12000, ", ", func(i int) string { return fmt.Sprintf(`"p%d": {"pattern": "^[\\p{L}%d]*$"}`, i, i%3) }) + `}}`
	schemas["many lengths"] = `{"anyOf": [` + list(300, ", ", func(i int) string { return fmt.Sprintf(`{"type": "string", "minLength": %d}`, 3000+i) }) + `]}`

	schemas["anyOf twice"] = definitions(30, func(i int) string { return `{"anyOf": [` + next(i) + `, ` + next(i) + `]}` }, `{"type": "integer"}`)
	schemas["anyOf titled"] = definitions(30, func(i int) string {
		return `{"anyOf": [{"title": "x", "anyOf": [` + next(i) + `]}, {"title": "y", "anyOf": [` + next(i) + `]}]}`
	}, `{"type": "integer"}`)
	schemas["anyOf arrays"] = definitions(30, func(i int) string {
		return `{"anyOf": [{"type": "array", "items": ` + next(i) + `}, {"type": "array", "maxItems": 9, "items": ` + next(i) + `}]}`
	}, `{"type": "integer"}`)
	schemas["anyOf recursive"] = `{"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}, "minItems": 2}, {"type": "array", "maxItems": 7, "items": {"$ref": "#"}}, {"type": "null"}]}`
	schemas["anyOf equal"] = `{"anyOf": [` + list(10000, ", ", func(i int) string { return fmt.Sprintf(`{"type": "integer", "title": "x%d"}`, i) }) + `]}`
	schemas["anyOf patterns"] = `{"anyOf": [` + list(200, ", ", func(i int) string { return fmt.Sprintf(`{"type": "string", "pattern": "^[^a]*%d$"}`, i) }) + `]}`
	schemas["anyOf letters"] = `{"anyOf": [` + list(60, ", ", func(i int) string { return fmt.Sprintf(`{"type": "string", "pattern": "^[\\p{L}%d]+$"}`, i) }) + `]}`
	schemas["anyOf objects"] = `{"anyOf": [` + list(2000, ", ", func(i int) string {
		return fmt.Sprintf(`{"type": "object", "properties": {"kind": {"type": "string"}, "p%d": {"type": "integer"}}}`, i)
	}) + `]}`
	schemas["oneOf numbers"] = `{"oneOf": [` + list(200, ", ", func(i int) string {
		return fmt.Sprintf(`{"type": "integer", "minimum": %d, "maximum": %d}`, i*10, i*10+9)
	}) + `]}`
	schemas["allOf"] = `{"allOf": [` + list(300, ", ", func(i int) string {
		return fmt.Sprintf(`{"type": "object", "properties": {"p%d": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}`, i)
	}) + `]}`
	schemas["allOf of anyOf"] = `{"allOf": [` + list(20, ", ", func(i int) string {
		return fmt.Sprintf(`{"anyOf": [{"required": ["a%d"]}, {"required": ["b%d"]}, {"type": "array"}]}`, i, i)
	}) + `]}`

	schemas["references"] = definitions(2000, next, `{"type": "integer"}`)
	schemas["references to arrays"] = definitions(500, func(i int) string { return `{"type": "array", "items": ` + next(i) + `}` }, `{"type": "integer"}`)
	schemas["reference cycle"] = definitions(100, next, `{"$ref": "#/$defs/a0"}`)
	schemas["cycle of objects"] = definitions(100, func(i int) string {
		return `{"type": "object", "properties": {"x": ` + next(i) + `, "y": ` + next(i) + `}}`
	}, `{"$ref": "#/$defs/a0"}`)
	schemas["all to all"] = definitions(60, func(int) string {
		return `{"anyOf": [{"type": "null"}, ` + list(60, ", ", func(i int) string { return fmt.Sprintf(`{"type": "array", "items": {"$ref": "#/$defs/a%d"}}`, i) }) + `]}`
	}, `{"type": "null"}`)

	schemas["properties"] = `{"type": "object", "properties": {` + list(20000, ", ", func(i int) string { return fmt.Sprintf(`"p%d": {"type": "integer"}`, i) }) + `}}`
	schemas["properties and others"] = `{"type": "object", "additionalProperties": {"type": "null"}, "properties": {` + list(2000, ", ", func(i int) string { return fmt.Sprintf(`"p%d": {"type": "integer"}`, i) }) + `}}`
	schemas["properties counted"] = `{"type": "object", "minProperties": 40, "properties": {` + list(400, ", ", func(i int) string { return fmt.Sprintf(`"p%d": {"type": "integer"}`, i) }) + `}}`
	schemas["properties alike counted"] = `{"type": "object", "minProperties": 50, "properties": {` + list(100, ", ", func(i int) string { return fmt.Sprintf(`"%s%d": {"const": %d}`, strings.Repeat("a", 9000), i, i) }) + `}}`
	schemas["properties alike"] = `{"type": "object", "properties": {` + list(1000, ", ", func(i int) string { return fmt.Sprintf(`"%s%d": {"const": %d}`, strings.Repeat("a", 900), i, i) }) + `}}`
	schemas["properties in pairs"] = `{"type": "object", "properties": {` + list(1000, ", ", func(i int) string { return fmt.Sprintf(`"%d%s%d": {"const": %d}`, i/2, strings.Repeat("a", 900), i, i) }) + `}}`
	schemas["anyOf objects of many"] = `{"anyOf": [` + list(20, ", ", func(i int) string {
		return `{"type": "object", "properties": {` + list(500, ", ", func(k int) string { return fmt.Sprintf(`"p%d": {"const": %d}`, k, i) }) + `}}`
	}) + `]}`
	schemas["short properties"] = `{"type": "object", "properties": {` + list(20000, ", ", func(i int) string { return fmt.Sprintf(`"%c%c": {}`, 0x4E00+i/200, 0x3400+i%200) }) + `}}`
	schemas["nested objects"] = nest(60, `{"type": "object", "properties": {"a": {"type": "string"}, "b": `, `{"type": "integer"}`, `, "c": {}}}`)
	schemas["deep"] = nest(5000, `{"items": `, `{}`, `}`)
	schemas["required"] = `{"type": "object", "required": [` + list(5000, ", ", func(i int) string { return fmt.Sprintf(`"r%d"`, i) }) + `]}`
	schemas["arrays of arrays"] = nest(20, `{"type": "array", "minItems": 50, "maxItems": 4096, "items": `, `{}`, `}`)
	schemas["tuples"] = nest(3, `{"type": "array", "prefixItems": [`+list(200, ", ", func(i int) string { return `{"type": "integer"}` })+`], "items": `, `{"type": "integer"}`, `}`)
	schemas["enum"] = `{"enum": [` + list(20000, ", ", func(i int) string { return fmt.Sprintf(`"value %d"`, i*7919) }) + `]}`
	schemas["enum of objects"] = `{"enum": [` + list(3000, ", ", func(i int) string { return fmt.Sprintf(`{"a": %d, "b": [%d]}`, i, i) }) + `]}`
	schemas["const"] = `{"const": "` + strings.Repeat("long ", 1<<14) + `"}`
	schemas["longest const"] = `{"const": "` + strings.Repeat("long ", 1<<17+1<<16) + `"}`
	schemas["numbers"] = `{"anyOf": [` + list(1000, ", ", func(i int) string { return fmt.Sprintf(`{"type": "number", "minimum": %d.%d}`, i, i*7919) }) + `]}`
	return schemas, []string{"pattern counted options"}
}

// bounded follows a grammar along random tokens, and fails if a call takes more work than it may. It returns the matcher's error.
func bounded(t *testing.T, v *Vocabulary, g *Grammar, seed uint64) error {
	t.Helper()
	m := g.Matcher(t.Context())
	random := rand.New(rand.NewPCG(seed, 1))
	check := func() {
		if most := 3 * v.matchSteps(); m.work.steps > most {
			t.Fatalf("%d steps, more than %d", m.work.steps, most)
		}
	}
	for state, n := 0, 0; n < 200; n++ {
		choices := allowed(m.Allowed(state))
		check()
		if m.Err() != nil {
			return m.Err()
		}
		token := choices[random.IntN(len(choices))]
		if slices.Contains(v.end, token) {
			break
		}
		state = m.Next(state, token)
		check()
		if state < 0 && m.Err() == nil {
			t.Fatalf("token %d is allowed and refused", token)
		}
	}
	return m.Err()
}

// What is not refused within a bound of steps can be followed within one.
func TestHostileSchemas(t *testing.T) {
	v := testVocabulary(t)
	schemas, large := hostile()
	if len(schemas) < 50 {
		t.Fatalf("only %d schemas", len(schemas))
	}
	tooLarge := map[string]bool{}
	for name, schema := range schemas {
		t.Run(name, func(t *testing.T) {
			w := newWork(t.Context(), compileSteps)
			g, err := v.schema(w, []byte(schema))
			t.Logf("%d bytes, %d steps: %.200v", len(schema), w.steps, err)
			if most := 2 * compileSteps; w.steps > most {
				t.Errorf("%d steps, more than %d", w.steps, most)
			}
			if tooLarge[name] = errors.Is(err, ErrTooLarge); err != nil {
				return
			}
			if g.automaton.size() > maxSize {
				t.Errorf("%d bytes, more than %d", g.automaton.size(), maxSize)
			}
			err = bounded(t, v, g, 1)
			t.Logf("%d nodes, %d bytes: %v", len(g.automaton.nodes), g.Size(), err)
			if err != nil && !errors.Is(err, ErrTooLarge) {
				t.Error(err)
			}
		})
	}
	for _, name := range large {
		if !tooLarge[name] {
			t.Errorf("%s is not refused", name)
		}
	}
}

// With a vocabulary of the usual size, the masks of schemas that want the most of them stay within the steps that there may be.
func TestHostileMasks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	_, v := llama3(t)
	schemas, _ := hostile()
	for _, name := range []string{"all to all", "many classes of many", "pattern of blanks and sets"} {
		g, err := v.JSONSchema(t.Context(), []byte(schemas[name]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		most := 0
		for seed := range uint64(4) {
			m := g.Matcher(t.Context())
			random := rand.New(rand.NewPCG(seed, 1))
			for state, n := 0, 0; n < 40 && state >= 0; n++ {
				choices := allowed(m.Allowed(state))
				most = max(most, m.work.steps)
				state = m.Next(state, choices[random.IntN(len(choices))])
				most = max(most, m.work.steps)
			}
			if m.Err() != nil || most > v.matchSteps() {
				t.Errorf("%s: %d steps, more than %d: %v", name, most, v.matchSteps(), m.Err())
			}
		}
		t.Logf("%s: %d steps", name, most)
	}
}

// A pattern without a letter that most tokens have, which is looked for in each of them, does not end a text.
func TestMasksWithoutACommonLetter(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a second")
	}
	_, v := llama3(t)
	for _, pattern := range []string{`^[^e]*e?0$`, `^[^e]*(e[^a]*(a[^t]*)?)?0$`, `^([^e]*e[^e]*e)*$`, `^(([^a]*a){11}|([^b]*b){13})*$`} {
		g, err := v.JSONSchema(t.Context(), []byte(`{"pattern": "`+pattern+`"}`))
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		m := g.Matcher(t.Context())
		random := rand.New(rand.NewPCG(1, 1))
		for state, n := 0, 0; n < 20 && state >= 0; n++ {
			choices := allowed(m.Allowed(state))
			state = m.Next(state, choices[random.IntN(len(choices))])
		}
		if err := m.Err(); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// The mask of a pattern is what trying each token of a large vocabulary gives, whatever takes the characters with which a token leaves a set.
func TestMaskOfPatterns(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	_, v := llama3(t)
	for _, pattern := range []string{
		`^[^k]*0$`, `^[^k]*k?0$`, `^[^,]+,[^,]+$`, `^[A-Z][a-z]+ [^x]*$`, `^[^é]*é$`, `^[^é]*[é-ü]$`, `^[^k]{0,3}k$`, `^[^k]*\n"[^f]*$`, `^([^k]*thk|[^q]*q|\p{L}+)$`, `^[^k]*kende$`,
		`^ [^k]*0$`, `^\p{L}+( \p{L}+)*$`, `^( ?[a-z]{0,2}){2}x`, `^( [^k]*k|[a-f ]+g| \p{Lu}\p{Ll}*)$`, `^[ a]\p{L}{2,3}$`, `^ [^k]*( [^f]*)?$`,
		`^([^k]*k[^k]*k)*$`, `^([^k]*kx?[^f]*f)*0$`, `^(([^a]*a){11}|([^b]*b){13})*$`, `^([^k,]*(,[^f]*f|k))*$`, `^([^é]*é[^k])*$`,
	} {
		schema, err := json.Marshal(map[string]string{"pattern": pattern})
		if err != nil {
			t.Fatal(err)
		}
		g, err := v.JSONSchema(t.Context(), schema)
		if err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		m := g.Matcher(t.Context())
		random := rand.New(rand.NewPCG(1, 1))
		for state, n := 0, 0; n < 4 && m.states[state].state != 0; n++ {
			mask := slices.Clone(m.Allowed(state))
			choices := allowed(mask)
			if m.Err() != nil {
				t.Fatalf("%s: %v", pattern, m.Err())
			}
			if m.forced(state) < 0 {
				for token := range int32(v.size) {
					at := m.states[state].state
					m.work.steps = 0
					for i := 0; i < len(v.text[token]) && at != dead; i++ {
						at = m.machine.step(at, v.text[token][i])
					}
					if in := mask[token/64]>>(token%64)&1 == 1; v.text[token] != "" && in != (at != dead) {
						t.Fatalf("%s: token %q after %d tokens: in the mask %v", pattern, v.text[token], n, in)
					}
				}
			}
			m.work.steps = 0
			state = m.Next(state, choices[random.IntN(len(choices))])
		}
	}
}

// Large schemas of the usual kinds compile within the bound, in time that grows as they do.
func TestLargeSchemas(t *testing.T) {
	v := testVocabulary(t)
	list := func(n int, format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(parts, ", ")
	}
	for name, c := range map[string]struct {
		n      int
		schema func(n int) string
	}{
		"optional properties": {20000, func(n int) string {
			return `{"type": "object", "properties": {` + list(n, `"p%d": {"type": "integer"}`) + `}}`
		}},
		"optional texts": {20000, func(n int) string {
			return `{"type": "object", "properties": {` + list(n, `"property_%d": {"type": "string", "title": "a"}`) + `}}`
		}},
		"definitions": {3000, func(n int) string {
			var text strings.Builder
			for i := range n {
				fmt.Fprintf(&text, `, "d%d": {"type": "object", "properties": {"name": {"type": "string"}, "all": {"type": "array", "items": {"$ref": "#/$defs/d%d"}}}}`, i, (i+1)%n)
			}
			return `{"$ref": "#/$defs/d0", "$defs": {` + text.String()[2:] + `}}`
		}},
		"required properties": {20000, func(n int) string {
			return `{"type": "object", "required": [` + list(n, `"p%d"`) + `], "properties": {` + list(n, `"p%d": {"type": "integer"}`) + `}}`
		}},
		"enum of strings": {50000, func(n int) string { return `{"enum": [` + list(n, `"value %d"`) + `]}` }},
		"enum of numbers": {50000, func(n int) string { return `{"enum": [` + list(n, `%d`) + `]}` }},
		"anyOf equal":     {10000, func(n int) string { return `{"anyOf": [` + list(n, `{"type": "integer", "title": "x%d"}`) + `]}` }},
		"anyOf constants": {10000, func(n int) string { return `{"anyOf": [` + list(n, `{"const": "x%d"}`) + `]}` }},
		"oneOf constants": {10000, func(n int) string { return `{"oneOf": [` + list(n, `{"type": "string", "const": "x%d"}`) + `]}` }},
		"oneOf with a kind": {2000, func(n int) string {
			return `{"oneOf": [` + list(n, `{"properties": {"kind": {"const": "k%d"}, "a": {"type": "string"}}, "required": ["kind"]}`) + `]}`
		}},
		"constant": {maxSchema - 32, func(n int) string { return `{"const": "` + strings.Repeat("x", n) + `"}` }},
	} {
		t.Run(name, func(t *testing.T) {
			var steps [2]int
			for i := range steps {
				w := newWork(t.Context(), compileSteps)
				schema := c.schema(c.n * (i + 1) / 2)
				g, err := v.schema(w, []byte(schema))
				if err == nil {
					err = bounded(t, v, g, 1)
				}
				if err != nil {
					t.Fatalf("%d bytes: %v", len(schema), err)
				}
				steps[i] = w.steps
			}
			if t.Logf("%d steps", steps); steps[1] > steps[0]*5/2 {
				t.Errorf("%d steps, and for twice as many %d", steps[0], steps[1])
			}
		})
	}
}

// Long patterns are read in time that grows as they do: nothing looks through all that follows at each character.
func TestLongPatterns(t *testing.T) {
	v := testVocabulary(t)
	for _, part := range []string{"1", "{", `\\u0061`, "a{2}", `\\x61`} {
		schema := `{"pattern": "^` + strings.Repeat(part, 900_000/len(part)) + `$"}`
		w := newWork(t.Context(), compileSteps)
		if _, err := v.schema(w, []byte(schema)); err == nil || w.steps > 2*compileSteps {
			t.Errorf("%.20s: %d steps, %v", part, w.steps, err)
		}
	}
}

// A pattern of which many parts can take one character is followed as easily as any, or refused before there is a text.
func TestPatternsOfManyParts(t *testing.T) {
	v := testVocabulary(t)
	words := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("w%d", i*7919%100000))
		}
		return strings.Join(all, "|")
	}
	for pattern, large := range map[string]bool{
		strings.Repeat("[a-z]*", 300):             false,
		`[^a]*`:                                   false,
		`.{0,2000}x.{0,2000}`:                     false,
		`\p{L}{1,4096}`:                           false,
		strings.Repeat("a?", 1000) + "a":          false,
		"^" + strings.Repeat("[a-z]*", 300) + "$": false,
		"^(" + words(200) + ")$":                  false,
		words(3000):                               true,
		"^" + strings.Repeat("a?", 1000) + "b*" + "(a|b)$": true,
	} {
		schema, err := json.Marshal(map[string]string{"type": "string", "pattern": pattern})
		if err != nil {
			t.Fatal(err)
		}
		g, err := v.JSONSchema(t.Context(), schema)
		if errors.Is(err, ErrTooLarge) != large {
			t.Errorf("%.40s: %v", pattern, err)
		}
		if err != nil {
			continue
		}
		for seed := range uint64(5) {
			if err := bounded(t, v, g, seed); err != nil {
				t.Errorf("%.40s: %v", pattern, err)
			}
		}
	}
}

// When the context is done, compiling and matching end with its error.
func TestContextEndsTheWork(t *testing.T) {
	v := testVocabulary(t)
	schemas, _ := hostile()
	ctx, cancel := context.WithCancel(t.Context())
	g, err := v.JSONSchema(ctx, []byte(`{"type": "string"}`))
	if err != nil {
		t.Fatal(err)
	}
	m := g.Matcher(ctx)
	state := m.Next(0, '"')
	cancel()
	if mask := allowed(m.Allowed(state)); !errors.Is(m.Err(), context.Canceled) || len(mask) != 2 || mask[0] != eos {
		t.Errorf("%v, %v is allowed", m.Err(), mask)
	}
	if next := m.Next(state, 'a'); next >= 0 {
		t.Errorf("state %d after the end", next)
	}
	if _, err := v.JSONSchema(ctx, []byte(schemas["properties"])); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Others go first while a large slice grows, and nothing of it is lost.
func TestGrowingGivesWay(t *testing.T) {
	var slice []int32
	grew, gave := 0, 0
	w := newWork(giveway.With(t.Context(), func() { gave++ }), compileSteps)
	for i := range int32(1 << 20) {
		before, had := gave, cap(slice)
		slice = append(roomy(w, slice, 1), i)
		if cap(slice) == had {
			continue
		}
		grew++
		if pieces := (len(slice) - 1 + copiedAtOnce - 1) / copiedAtOnce; gave-before != pieces {
			t.Fatalf("gave way %d times while %d numbers were copied", gave-before, len(slice)-1)
		}
	}
	if grew > 22 {
		t.Errorf("grew %d times", grew)
	}
	for i, n := range slice {
		if n != int32(i) {
			t.Fatalf("%d in the place of %d", n, i)
		}
	}
}

// A list of blocks keeps what was added, in its place, however many more are added, in pieces that are soon allocated.
func TestBlocks(t *testing.T) {
	var list blocks[int32]
	var places []*int32
	for i := range int32(5 * blockLength) {
		if list.add(i) != i {
			t.Fatalf("%d has another number", i)
		}
		if i >= blockLength {
			places = append(places, list.at(i))
		}
	}
	for i := range int32(list.length) {
		if *list.at(i) != i || i >= blockLength && list.at(i) != places[i-blockLength] {
			t.Fatalf("%d is lost or was moved", i)
		}
	}
	for _, block := range list.of {
		if cap(block) > 2*blockLength {
			t.Errorf("a block has room for %d", cap(block))
		}
	}
	list.cut()
	if list.length != 1 || *list.at(0) != 0 || list.add(7) != 1 || *list.at(1) != 7 || len(list.of) != 1 {
		t.Error("more than the first one is left")
	}
}

// No schema, and no pattern, takes more work than it may.
func FuzzWork(f *testing.F) {
	schemas, _ := hostile()
	for _, schema := range schemas {
		if len(schema) < 1<<12 {
			f.Add(schema, uint64(1))
		}
	}
	v := testVocabulary(f)
	f.Fuzz(func(t *testing.T, schema string, seed uint64) {
		w := newWork(t.Context(), compileSteps)
		g, err := v.schema(w, []byte(schema))
		if most := 2 * compileSteps; w.steps > most {
			t.Errorf("%d steps, more than %d", w.steps, most)
		}
		if err == nil {
			err = bounded(t, v, g, seed)
		}
		if w.err != nil && !errors.Is(w.err, ErrTooLarge) {
			t.Error(err)
		}
	})
}

// Many goroutines may use a grammar, which has a size that stays within bounds.
func TestGrammarIsSharedByMatchers(t *testing.T) {
	v := testVocabulary(t)
	g, err := v.JSONSchema(t.Context(), []byte(`{"type": "array", "items": {"type": "object", "properties": {"a": {"pattern": "^\\p{L}{1,9}$"}, "b": {}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	before := g.Size()
	var group sync.WaitGroup
	for seed := range uint64(8) {
		group.Go(func() {
			if err := bounded(t, v, g, seed); err != nil {
				t.Error(err)
			}
			g.Size()
		})
	}
	group.Wait()
	if after := g.Size(); before <= 0 || after <= before || after > before+2*mostLearned {
		t.Errorf("%d bytes, %d before", after, before)
	}
	g.mu.Lock()
	g.learned.bytes = mostLearned + 1
	g.mu.Unlock()
	if err := bounded(t, v, g, 9); err != nil || g.Size() > mostLearned {
		t.Errorf("%d bytes are kept: %v", g.Size(), err)
	}
}
