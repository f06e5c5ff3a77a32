package tokenizer

import (
	"encoding/json"
	"slices"
	"testing"
)

// Added tokens of the tiny vocabulary, beside which other names are tried.
const (
	endOfText  = tinyBOS + 1
	endOfTurn  = tinyBOS + 4
	thinkBegin = tinyBOS + 5 // not a control token
)

const (
	llamaTurns = `{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>{{ m.content }}<|eot_id|>{% endfor %}`
	// Ends a turn only where another one follows, and after white space.
	openTurns = `{% for m in messages %}{{ m.role }}: {{ m.content }}{% if not loop.last %}` + "\n" + `<|eot_id|>{% endif %}{% endfor %}`
	plain     = `{% for m in messages %}{{ m.role }}: {{ m.content }}; {% endfor %}<|eot_id|>`
	refuses   = `{{ raise_exception('no') }}`
	thinks    = `{% for m in messages %}{{ m.content }}<think>{% endfor %}`
)

func TestStopTokens(t *testing.T) {
	for _, test := range []struct {
		name                            string
		template                        string
		generation, model, tokenizerEOS string
		want                            []int32
	}{
		{"a template ends turns otherwise than the files say", llamaTurns, `277`, `277`, "<|end_of_text|>", []int32{endOfText, endOfTurn}},
		{"turns that are ended when the next one comes", openTurns, `277`, ``, "", []int32{endOfText, endOfTurn}},
		{"text between turn and token", plain, `277`, ``, "", []int32{endOfText}},
		{"a template that refuses", refuses, `277`, ``, "", []int32{endOfText}},
		{"a token that is no control token", thinks, `277`, ``, "", []int32{endOfText, thinkBegin}},
		{"only the model's configuration", plain, ``, `5`, "", []int32{5}},
		{"a list in the model's configuration", plain, ``, `[5, 6, 5]`, "", []int32{5, 6}},
		{"both configurations", plain, `[5]`, `[6]`, "", []int32{5, 6}},
		{"a part's configuration", plain, ``, `6, "text_config": {"eos_token_id": [5, 6]}`, "", []int32{6, 5}},
		{"one that is no token", plain, `5`, `[283, -1]`, "", []int32{5}},
		{"null", plain, ``, `null`, "", []int32{endOfText, endOfTurn}},
		{"all of them", llamaTurns, `5`, `6`, "<|end_of_text|>", []int32{5, 6, endOfText, endOfTurn}},
	} {
		var files []string
		add := func(name, key, value string) {
			if value != "" {
				files = append(files, name, `{"`+key+`": `+value+`}`)
			}
		}
		add("generation_config.json", "eos_token_id", test.generation)
		add("config.json", "eos_token_id", test.model)
		if test.tokenizerEOS != "" {
			add("tokenizer_config.json", "eos_token", `"`+test.tokenizerEOS+`"`)
		}
		files = append(files, "chat_template.jinja", test.template)
		tok, err := Open(withFiles(t, files...))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if got := tok.EOS(); !slices.Equal(got, test.want) {
			t.Errorf("%s: EOS() = %v, want %v", test.name, got, test.want)
		}
	}
}

func TestStopTokensOfGGUF(t *testing.T) {
	meta := tinyMetadata(t)
	tokens := slices.Clone(meta["tokenizer.ggml.tokens"].([]string))
	tokens[endOfTurn] = "<|turn_over|>" // no name that anyone knows
	meta["tokenizer.ggml.tokens"] = tokens
	meta["tokenizer.ggml.eos_token_id"] = uint32(endOfText)
	meta["tokenizer.chat_template"] = `{% for m in messages %}{{ m.content }}<|turn_over|>{% endfor %}`
	tok, err := FromGGUF(meta)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{endOfText, endOfTurn}; !slices.Equal(tok.EOS(), want) {
		t.Errorf("EOS() = %v, want %v", tok.EOS(), want)
	}
}

func TestAddBOSOfPostProcessor(t *testing.T) {
	template := map[string]any{"type": "TemplateProcessing", "single": []any{
		map[string]any{"SpecialToken": map[string]any{"id": "<|begin_of_text|>", "type_id": 0}}, map[string]any{"Sequence": map[string]any{"id": "A"}},
	}}
	level := map[string]any{"type": "ByteLevel"}
	for _, test := range []struct {
		name   string
		post   any
		config string
		want   bool
	}{
		{"a template", template, `{}`, true},
		{"in a sequence", map[string]any{"type": "Sequence", "processors": []any{level, template}}, `{}`, true},
		{"none with the token", level, `{"bos_token": "<|begin_of_text|>"}`, false},
		{"not said, with the usual name", nil, `{"bos_token": "<|begin_of_text|>"}`, true},
		{"revoked", template, `{"add_bos_token": false}`, false},
		{"asked for", level, `{"bos_token": "<|eot_id|>", "add_bos_token": true}`, true},
	} {
		files := withFiles(t, "tokenizer_config.json", test.config)
		files["tokenizer.json"].Data = editedJSON(t, func(doc map[string]any) { doc["post_processor"] = test.post })
		tok, err := Open(files)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if tok.AddBOS() != test.want {
			t.Errorf("%s: AddBOS() = %v", test.name, tok.AddBOS())
		}
	}
}

// Tags of thoughts stay in a text whose control tokens are left out, also where they are control tokens.
func TestStreamKeepsThoughts(t *testing.T) {
	data := editedJSON(t, func(doc map[string]any) {
		for _, a := range doc["added_tokens"].([]any) {
			a.(map[string]any)["special"] = true
		}
	})
	tok, err := FromJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	stream, got := tok.NewStream(), ""
	stream.SkipSpecial = true
	for _, id := range tok.Encode("<think>a</think>b<|eot_id|>", EncodeOptions{ParseSpecial: true}) {
		got += stream.Next(id)
	}
	if want := "<think>a</think>b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A model's configuration is read as generously as it is written, and no further.
func TestStopIDs(t *testing.T) {
	for text, ok := range map[string]bool{`1`: true, `[1, 2]`: true, `[]`: true, `null`: true, `"1"`: false, `1.5`: false, `{}`: false, `[null, "x"]`: false} {
		var ids stopIDs
		if err := json.Unmarshal([]byte(text), &ids); (err == nil) != ok {
			t.Errorf("%s: %v gives %v", text, ids, err)
		}
	}
}
