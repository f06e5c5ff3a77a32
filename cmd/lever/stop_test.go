package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/spec"
)

const apples = "Tom has 2 apples and buys 3 more. How many apples does he have?"

// editedModel returns a copy of a shared folder whose JSON files have other values under some keys; nil removes a key. A file that is
// given no keys is left out.
func editedModel(t *testing.T, edits map[string]map[string]any) string {
	t.Helper()
	src, dir := sharedModel(t, "lever-tiny-llama/draft"), t.TempDir()
	for _, name := range []string{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"} {
		content, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			t.Fatal(err)
		}
		edit, edited := edits[name]
		if edited && edit == nil {
			continue
		}
		if edited {
			var keys map[string]any
			if err := json.Unmarshal(content, &keys); err != nil {
				t.Fatal(err)
			}
			maps.Copy(keys, edit)
			maps.DeleteFunc(keys, func(_ string, value any) bool { return value == nil })
			if content, err = json.Marshal(keys); err != nil {
				t.Fatal(err)
			}
		}
		writeFile(t, filepath.Join(dir, name), content)
	}
	return dir
}

// A model whose files name other ends of a text than its chat template writes stops at the end of a turn, and none prints control tokens.
func TestAnswersEndWithTheTurn(t *testing.T) {
	const endOfText, endOfTurn = 4089, 4092
	ends := func(id any) map[string]map[string]any {
		return map[string]map[string]any{
			"config.json": {"eos_token_id": id}, "generation_config.json": {"eos_token_id": id}, "tokenizer_config.json": {"eos_token": "<|end_of_text|>"},
		}
	}
	noTurns := ends(endOfText)
	noTurns["tokenizer_config.json"]["chat_template"] = "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n" +
		"{{ m.content }};{% if m.role == 'user' %}<|eot_id|>{% endif %}{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
	configOnly := map[string]map[string]any{
		"config.json": {"eos_token_id": endOfTurn}, "generation_config.json": nil, "tokenizer_config.json": {"eos_token": nil},
	}
	want := runJSON(t, "--model", sharedModel(t, "lever-tiny-llama/draft"), "--max-tokens", "90", apples)
	if want.Finish != spec.FinishStop || want.Tokens >= 90 {
		t.Fatalf("the model itself ends by %q after %d tokens", want.Finish, want.Tokens)
	}
	for name, edits := range map[string]map[string]map[string]any{"the template's end": ends(endOfText), "the configuration's end": configOnly} {
		if got := runJSON(t, "--model", editedModel(t, edits), "--max-tokens", "90", apples); got.Finish != spec.FinishStop || got.Text != want.Text {
			t.Errorf("%s: it ends by %q after %d tokens, want %d: %q", name, got.Finish, got.Tokens, want.Tokens, got.Text)
		}
	}
	dir := editedModel(t, noTurns)
	got := runJSON(t, "--model", dir, "--max-tokens", "90", apples)
	if got.Finish != spec.FinishLength || strings.Contains(got.Text, "<|") {
		t.Errorf("nothing says where turns end: it ends by %q with the text %q", got.Finish, got.Text)
	}
	got = runJSON(t, "--model", dir, "--max-tokens", "90", "--stop", "<|eot_id|>", apples)
	if got.Finish != spec.FinishStop || strings.Contains(got.Text, "<|") || got.TokenIDs[got.Tokens-1] != endOfTurn {
		t.Errorf("with the control token as stop string it ends by %q after %d tokens: %q", got.Finish, got.Tokens, got.Text)
	}
}

// A text to continue begins with the beginning-of-text token where the model's files ask for it.
func TestRawBeginsAsTheFilesSay(t *testing.T) {
	tokens := func(add any) int {
		dir := editedModel(t, map[string]map[string]any{"tokenizer_config.json": {"add_bos_token": add}})
		return runJSON(t, "--model", dir, "--raw", "--max-tokens", "1", "def add(a, b):").PromptTokens
	}
	if with, without := tokens(true), tokens(false); with != 7 || without != 6 {
		t.Errorf("%d prompt tokens with a beginning of text and %d without, want 7 and 6", with, without)
	}
}
