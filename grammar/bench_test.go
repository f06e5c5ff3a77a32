package grammar

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/tokenizer"
)

// llama3 returns the vocabulary of Llama-3: 128,000 tokens.
func llama3(b testing.TB) (*tokenizer.Tokenizer, *Vocabulary) {
	b.Helper()
	tok, err := tokenizer.Open(os.DirFS(filepath.Dir(testdata.Shared(b, "data/tokenizers/llama3/tokenizer.model"))))
	if err != nil {
		b.Fatal(err)
	}
	spell := func(token int32) string {
		if tok.IsSpecial(token) {
			return ""
		}
		return tok.Token(token)
	}
	v, err := NewVocabulary(tok.Size(), spell, tok.EOS())
	if err != nil {
		b.Fatal(err)
	}
	return tok, v
}

// What a mask costs while a text is followed, token by token, by a matcher that is new and has to put together all masks; the
// grammar is new too, or has been used before.
func BenchmarkMask(b *testing.B) {
	tok, v := llama3(b)
	oneLine := `{"name": "Ada Lovelace, \"the first\" programmer", "born": 1815, "topics": ["mathematics", "engines", "poetry"], "note": null}`
	lines := "{\n  \"name\": \"Ada Lovelace, \\\"the first\\\" programmer\",\n  \"born\": 1815,\n  \"topics\": [\n    {\"a\": [\"mathematics\"]},\n    \"engines\"\n  ]\n}"
	schema := `{"type": "object", "required": ["name", "born", "topics", "note"], "properties": {"name": {"type": "string"}, "born": {"type": "integer"},
		"topics": {"type": "array", "items": {"type": "string"}}, "note": {"type": ["string", "null"]}}}`
	limited := strings.ReplaceAll(schema, `"string"`, `"string", "maxLength": 100`)
	limited = strings.ReplaceAll(limited, `["string", "maxLength": 100, "null"]`, `"null"`)
	pattern := strings.ReplaceAll(limited, `"maxLength": 100`, `"maxLength": 100, "pattern": "^[\\p{L} \",]*$"`)
	compile := func(schema string) func() (*Grammar, error) {
		return func() (*Grammar, error) { return v.JSONSchema(context.Background(), []byte(schema)) }
	}
	counted := strings.ReplaceAll(pattern, `]*$"`, `]{1,200}$"`)
	for _, c := range []struct {
		name, text string
		grammar    func() (*Grammar, error)
	}{
		{"json", lines, func() (*Grammar, error) { return v.JSON(), nil }},
		{"schema", oneLine, compile(schema)},
		{"maxLength", oneLine, compile(limited)},
		{"pattern", oneLine, compile(pattern)},
		{"counted", oneLine, compile(counted)},
	} {
		tokens := append(tok.Encode(c.text, tokenizer.EncodeOptions{}), tok.EOS()[0])
		for _, used := range []string{"new", "used"} {
			b.Run("grammar="+c.name+"/"+used, func(b *testing.B) {
				g, err := c.grammar()
				if err != nil {
					b.Fatal(err)
				}
				masks := 0
				for b.Loop() {
					if used == "new" {
						if g, err = c.grammar(); err != nil {
							b.Fatal(err)
						}
					}
					m, state := g.Matcher(context.Background()), 0
					for _, token := range tokens {
						m.Allowed(state)
						masks++
						if next := m.Next(state, token); next >= 0 {
							state = next
						} else { // where another cut into tokens is forced
							break
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(masks), "us/mask")
				b.ReportMetric(float64(masks)/float64(b.N), "masks/op")
			})
		}
	}
}
