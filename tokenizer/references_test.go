package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReferences compares whole sets of texts with what other programs made of them. The folder in LEVER_TOKENIZER_REFERENCES has
// strings.json, a list of texts, and for each tokenizer a folder NAME with its files and a list of lists of ids, NAME.json.
func TestReferences(t *testing.T) {
	root := os.Getenv("LEVER_TOKENIZER_REFERENCES")
	if root == "" {
		t.Skip("skipped: LEVER_TOKENIZER_REFERENCES does not name a folder with tokenizers and what others made of texts")
	}
	texts := readJSON[[]string](t, filepath.Join(root, "strings.json"))
	files, _ := filepath.Glob(filepath.Join(root, "*.json"))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if name == "strings" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			tok := openDir(t, filepath.Join(root, name))
			_, err := os.Stat(filepath.Join(root, name, "tokenizer.model"))
			special := err != nil // SentencePiece itself takes no control token from text
			all := readJSON[[][]int32](t, file)
			wrong := 0
			for i, want := range all {
				got := tok.Encode(texts[i], EncodeOptions{ParseSpecial: special})
				if slices.Equal(got, want) {
					continue
				}
				if wrong++; wrong <= 10 {
					t.Errorf("Encode(%q)\n got %v %q\nwant %v %q", texts[i], got, spelled(tok, got), want, spelled(tok, want))
				}
			}
			t.Logf("%d of %d texts differ", wrong, len(all))
		})
	}
}

func spelled(tok *Tokenizer, ids []int32) []string {
	var out []string
	for _, id := range ids {
		out = append(out, tok.Token(id))
	}
	return out
}
