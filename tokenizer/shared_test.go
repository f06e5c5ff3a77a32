package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
)

// vector is one line of a reference: a text and its ids.
type vector struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

func readJSON[T any](t testing.TB, path string) (v T) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func openDir(t testing.TB, dir string) *Tokenizer {
	t.Helper()
	tok, err := Open(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func checkVectors(t *testing.T, tok *Tokenizer, vectors []vector, opts EncodeOptions) {
	t.Helper()
	for _, v := range vectors {
		ids := tok.Encode(v.Text, opts)
		if !slices.Equal(ids, v.IDs) {
			t.Errorf("Encode(%.60q) = %v, want %v", v.Text, ids, v.IDs)
		}
		if text := tok.Decode(v.IDs); text != v.Text && tok.normal == nil {
			t.Errorf("Decode(Encode(%.60q)) = %.60q", v.Text, text)
		}
	}
}

func TestRealVocabularies(t *testing.T) {
	for _, test := range []struct {
		folder string
		size   int
		ids    map[string]int32
		eos    []int32
	}{
		{"llama3", 128256, map[string]int32{"<|begin_of_text|>": 128000, "<|start_header_id|>": 128006, "<|end_header_id|>": 128007,
			"<|eot_id|>": 128009, "<|python_tag|>": 128010, "<|reserved_special_token_247|>": 128255}, []int32{128001, 128008, 128009}},
		{"qwen", 151669, map[string]int32{"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<tool_call>": 151657,
			"<think>": 151667, "</think>": 151668}, []int32{151645, 151643}},
	} {
		t.Run(test.folder, func(t *testing.T) {
			dir := testdata.Shared(t, "data/tokenizers/"+test.folder)
			tok := openDir(t, dir)
			checkVectors(t, tok, readJSON[[]vector](t, filepath.Join(dir, "vectors.json")), EncodeOptions{})
			if tok.Size() != test.size {
				t.Errorf("Size() = %d, want %d", tok.Size(), test.size)
			}
			for name, want := range test.ids {
				if id, ok := tok.Special(name); !ok || id != want {
					t.Errorf("Special(%q) = %d, %v, want %d", name, id, ok, want)
				}
			}
			if !slices.Equal(tok.EOS(), test.eos) {
				t.Errorf("EOS() = %v, want %v", tok.EOS(), test.eos)
			}
		})
	}
}

var sharedModels = []string{"models/lever-tiny-llama/target", "models/lever-tiny-llama/draft", "models/qwen3-random"}

func TestSharedModels(t *testing.T) {
	for _, name := range sharedModels {
		t.Run(name, func(t *testing.T) {
			dir := testdata.Shared(t, name)
			tok := openDir(t, dir)
			checkVectors(t, tok, readJSON[[]vector](t, filepath.Join(dir, "tokenizer_reference.json")), EncodeOptions{ParseSpecial: true})
			if bos, ok := tok.BOS(); bos != 4088 || !ok || !tok.AddBOS() {
				t.Errorf("BOS() = %d, %v, AddBOS() = %v", bos, ok, tok.AddBOS())
			}
			if !slices.Equal(tok.EOS(), []int32{4089, 4092}) {
				t.Errorf("EOS() = %v", tok.EOS())
			}
			if tok.Size() != 4096 {
				t.Errorf("Size() = %d", tok.Size())
			}
		})
	}
}

// TestReferencePrompts compares whole inputs, chat template included, with what the models were run on.
func TestReferencePrompts(t *testing.T) {
	for _, name := range sharedModels {
		t.Run(name, func(t *testing.T) {
			dir := testdata.Shared(t, name)
			tok := openDir(t, dir)
			reference := readJSON[struct {
				Cases []struct {
					Kind       string  `json:"kind"`
					Prompt     string  `json:"prompt"`
					IDs        []int32 `json:"ids"`
					Greedy     []int32 `json:"greedy"`
					GreedyText string  `json:"greedy_text"`
				} `json:"cases"`
			}](t, filepath.Join(dir, "reference.json"))
			for _, c := range reference.Cases {
				text, opts := c.Prompt, EncodeOptions{AddBOS: true}
				if c.Kind == "chat" {
					prompt, err := tok.Chat(t.Context(), []Message{{Role: "user", Content: c.Prompt}}, ChatOptions{AddGenerationPrompt: true})
					if err != nil || prompt.Builtin != "" {
						t.Fatalf("Chat gives %+v, %v", prompt, err)
					}
					text, opts = prompt.Text, EncodeOptions{ParseSpecial: true}
				}
				if ids := tok.Encode(text, opts); !slices.Equal(ids, c.IDs) {
					t.Errorf("%s %.40q: input %v, want %v", c.Kind, c.Prompt, ids, c.IDs)
				}
				stream, streamed := tok.NewStream(), ""
				for _, id := range c.Greedy {
					streamed += stream.Next(id)
				}
				if streamed += stream.Flush(); streamed != c.GreedyText {
					t.Errorf("%s %.40q: text %q, want %q", c.Kind, c.Prompt, streamed, c.GreedyText)
				}
			}
		})
	}
}

// Templates that use what real ones are made of write the conversation, with another role for the answer.
func TestSharedTemplates(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata.Shared(t, "cases/model-files/templates"), "*.jinja"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	const question, answer = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nOne?<|eot_id|>", "<|start_header_id|>helper<|end_header_id|>\n\n"
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		prompt, err := withTemplate(t, string(source)).Chat(t.Context(), conversation[1:2], ChatOptions{AddGenerationPrompt: true})
		if err != nil || prompt.Fallback != nil || prompt.Text != question+answer {
			t.Errorf("%s: got %q, %v, %v", filepath.Base(file), prompt.Text, prompt.Fallback, err)
		}
	}
}
