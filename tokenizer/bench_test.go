package tokenizer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
)

// prompts returns the questions of the shared data: English text.
func prompts(b *testing.B) string {
	b.Helper()
	var text strings.Builder
	for _, name := range []string{"gsm8k", "mt_bench", "mbpp", "humaneval"} {
		data, err := os.ReadFile(testdata.Shared(b, "data/prompts/"+name+".jsonl"))
		if err != nil {
			b.Fatal(err)
		}
		text.WriteString(strings.ReplaceAll(string(data), `\n`, "\n"))
	}
	return text.String()
}

// goSource returns source of Go's standard library.
func goSource(b *testing.B) string {
	b.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("skipped: needs the go command: %v", err)
	}
	var text strings.Builder
	for _, folder := range []string{"net/http", "go/types", "encoding/json"} {
		names, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src", folder, "*.go"))
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			text.Write(data)
		}
	}
	if text.Len() == 0 {
		b.Skip("skipped: no source of the standard library here")
	}
	return text.String()
}

var realVocabularies = []string{"data/tokenizers/llama3", "data/tokenizers/qwen", "models/lever-tiny-llama/target"}

// BenchmarkEncode encodes with the cache of pieces as an earlier pass over the same text left it (warm), and empty (cold).
func BenchmarkEncode(b *testing.B) {
	for _, vocabulary := range realVocabularies {
		for _, text := range []struct {
			name string
			make func(*testing.B) string
		}{{"prompts", prompts}, {"go", goSource}} {
			for _, cache := range []string{"warm", "cold"} {
				b.Run(fmt.Sprintf("text=%s/vocabulary=%s/cache=%s", text.name, filepath.Base(vocabulary), cache), func(b *testing.B) {
					tok := openDir(b, testdata.Shared(b, vocabulary))
					s := text.make(b)
					b.SetBytes(int64(len(s)))
					b.ReportAllocs()
					for b.Loop() {
						if cache == "cold" {
							tok.cache = newPieceCache()
						}
						tok.Encode(s, EncodeOptions{})
					}
				})
			}
		}
	}
}

// BenchmarkEncodeReferences encodes with the tokenizers of TestReferences, and BenchmarkEncodePieces with those of testdata.
func BenchmarkEncodeReferences(b *testing.B) {
	dirs, _ := filepath.Glob(filepath.Join(os.Getenv("LEVER_TOKENIZER_REFERENCES"), "*", "tokenizer.*"))
	if len(dirs) == 0 {
		b.Skip("skipped: LEVER_TOKENIZER_REFERENCES does not name a folder with tokenizers")
	}
	text := prompts(b)
	for _, dir := range dirs {
		if dir = filepath.Dir(dir); filepath.Base(dir) != "." {
			b.Run("vocabulary="+filepath.Base(dir), func(b *testing.B) { benchmarkCold(b, openDir(b, dir), text) })
		}
	}
}

func BenchmarkEncodePieces(b *testing.B) {
	for _, name := range []string{"bpe", "unigram"} {
		for _, text := range hostileTexts {
			for _, size := range []int{10_000, 100_000} {
				b.Run(fmt.Sprintf("text=%s/vocabulary=%s/bytes=%d", text.name, name, size), func(b *testing.B) {
					benchmarkCold(b, openModel(b, name), text.make(size))
				})
			}
		}
	}
}

// benchmarkCold encodes with an empty cache of pieces.
func benchmarkCold(b *testing.B, tok *Tokenizer, text string) {
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tok.cache = newPieceCache()
		tok.Encode(text, EncodeOptions{ParseSpecial: true})
	}
}

func BenchmarkDecode(b *testing.B) {
	tok := openDir(b, testdata.Shared(b, realVocabularies[0]))
	ids := tok.Encode(prompts(b), EncodeOptions{})
	b.SetBytes(int64(len(tok.Decode(ids))))
	for b.Loop() {
		tok.Decode(ids)
	}
}

func BenchmarkStream(b *testing.B) {
	tok := openDir(b, testdata.Shared(b, realVocabularies[0]))
	ids := tok.Encode(prompts(b), EncodeOptions{})
	b.SetBytes(int64(len(tok.Decode(ids))))
	for b.Loop() {
		stream := tok.NewStream()
		for _, id := range ids {
			stream.Next(id)
		}
	}
}

// BenchmarkHostile has texts made to defeat a tokenizer, in two sizes whose MB/s should be alike.
func BenchmarkHostile(b *testing.B) {
	for _, vocabulary := range realVocabularies[:2] {
		for _, text := range hostileTexts {
			for _, size := range []int{10_000, 100_000} {
				b.Run(fmt.Sprintf("text=%s/vocabulary=%s/bytes=%d", text.name, filepath.Base(vocabulary), size), func(b *testing.B) {
					tok := openDir(b, testdata.Shared(b, vocabulary))
					s := text.make(size)
					b.SetBytes(int64(len(s)))
					for b.Loop() {
						tok.Encode(s, EncodeOptions{ParseSpecial: true})
					}
				})
			}
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, vocabulary := range realVocabularies {
		b.Run("vocabulary="+filepath.Base(vocabulary), func(b *testing.B) {
			dir := testdata.Shared(b, vocabulary)
			b.ReportAllocs()
			for b.Loop() {
				openDir(b, dir)
			}
		})
	}
}

func BenchmarkChat(b *testing.B) {
	tok := withTemplate(b, thinkingTemplate)
	b.ReportAllocs()
	for b.Loop() {
		if prompt, err := tok.Chat(b.Context(), conversation, ChatOptions{AddGenerationPrompt: true}); err != nil || prompt.Fallback != nil {
			b.Fatal(err, prompt.Fallback)
		}
	}
}
