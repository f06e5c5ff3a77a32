package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// vocabularies are the files that Open takes a vocabulary from, in order of preference.
var vocabularies = []struct {
	pattern string
	load    func(data []byte) (*Tokenizer, error)
}{
	{"tokenizer.json", fromJSON},
	{"tokenizer.gguf", fromGGUFFile},
	{"tokenizer.model", fromModelFile},
	{"tekken.json", fromTekken},
	{"*.tiktoken", func(data []byte) (*Tokenizer, error) { return fromTiktoken(data, Qwen) }},
}

// Open makes the tokenizer of a model from its files: the vocabulary from the first of tokenizer.json, tokenizer.gguf,
// tokenizer.model, tekken.json and *.tiktoken that exists, then, where they exist, generation_config.json and config.json (stop tokens),
// tokenizer_config.json (beginning and end of sequence, chat templates) and chat_template.jinja. Every token that one of them names
// as an end, and the one that the chat template writes after an assistant's turn, ends a text; only where the two configurations name
// none, tokens with the usual names do. Errors name the file; without a vocabulary the error wraps [fs.ErrNotExist].
func Open(fsys fs.FS) (*Tokenizer, error) {
	t, err := openVocabulary(fsys)
	if err != nil {
		return nil, err
	}
	guessed := t.eos
	t.eos = nil
	err = errors.Join(apply(fsys, "generation_config.json", t.applyGenerationConfig), apply(fsys, "config.json", t.applyModelConfig))
	if len(t.eos) == 0 {
		t.eos = guessed
	}
	err = errors.Join(err, apply(fsys, "tokenizer_config.json", t.applyTokenizerConfig), apply(fsys, "chat_template.jinja", t.applyTemplateFile))
	if err != nil {
		return nil, err
	}
	t.addEndOfTurn()
	return t, nil
}

// fromModelFile makes a tokenizer from a tokenizer.model, which is a model of SentencePiece or the tiktoken file of a Llama-3.
func fromModelFile(data []byte) (*Tokenizer, error) {
	if isBinary(data) {
		return fromSentencePiece(data)
	}
	return fromTiktoken(data, Llama3)
}

// apply applies the content of a file, if there is one.
func apply(fsys fs.FS, name string, to func(data []byte) error) error {
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = to(data)
	}
	if err != nil {
		return fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return nil
}

func openVocabulary(fsys fs.FS) (*Tokenizer, error) {
	for _, l := range vocabularies {
		names, err := fs.Glob(fsys, l.pattern)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: look for %s: %w", l.pattern, err)
		}
		if len(names) == 0 {
			continue
		}
		data, err := fs.ReadFile(fsys, names[0])
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
		t, err := l.load(data)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", path.Base(names[0]), err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("tokenizer: no tokenizer.json, tokenizer.gguf, tokenizer.model, tekken.json or *.tiktoken; put the tokenizer's files from the model's repository beside its weights: %w", fs.ErrNotExist)
}

// Check reports the error with which [Open] would refuse the files, for who converts a model and wants to know beforehand.
func Check(fsys fs.FS) error {
	_, err := Open(fsys)
	return err
}

// stopIDs is what eos_token_id can be: a number, a list of numbers, or null.
type stopIDs []int32

func (s *stopIDs) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if data[0] != '[' {
		data = fmt.Appendf(nil, "[%s]", data)
	}
	if err := json.Unmarshal(data, (*[]int32)(s)); err != nil {
		return fmt.Errorf("eos_token_id: %w", err)
	}
	return nil
}

// applyGenerationConfig takes over the stop tokens, and the beginning of sequence, which tokenizer_config.json can still revoke.
func (t *Tokenizer) applyGenerationConfig(data []byte) error {
	var config struct {
		BOS *int32  `json:"bos_token_id"`
		EOS stopIDs `json:"eos_token_id"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return jsonError(err)
	}
	if config.BOS != nil {
		if err := t.checkID("bos_token_id", *config.BOS); err != nil {
			return err
		}
		if t.bos < 0 {
			t.bos = *config.BOS
		}
	}
	for _, id := range config.EOS {
		if err := t.checkID("eos_token_id", id); err != nil {
			return err
		}
		t.addEOS(id)
	}
	return nil
}

// applyModelConfig takes over the stop tokens of a model's configuration. Those that are no tokens, as in the configuration of a model
// whose vocabulary was cut later, can't be generated and don't matter.
func (t *Tokenizer) applyModelConfig(data []byte) error {
	type ends struct {
		EOS stopIDs `json:"eos_token_id"`
	}
	var config struct {
		ends
		Text ends `json:"text_config"` // of a model for images or sounds, too
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return jsonError(err)
	}
	for _, id := range append(config.EOS, config.Text.EOS...) {
		if t.Token(id) != "" {
			t.addEOS(id)
		}
	}
	return nil
}

func (t *Tokenizer) checkID(key string, id int32) error {
	if t.Token(id) == "" {
		return fmt.Errorf("%s %d is no token, in a vocabulary of %d: %w", key, id, t.Size(), ErrInvalid)
	}
	return nil
}

// applyTokenizerConfig takes over the tokens that begin and end a sequence, and the chat templates.
func (t *Tokenizer) applyTokenizerConfig(data []byte) error {
	var config struct {
		BOS      json.RawMessage `json:"bos_token"`
		EOS      json.RawMessage `json:"eos_token"`
		AddBOS   *bool           `json:"add_bos_token"`
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return jsonError(err)
	}
	if string(config.BOS) == "null" {
		t.bos = -1
	}
	if id, ok, err := t.configToken("bos_token", config.BOS); err != nil {
		return err
	} else if ok {
		t.bos = id
	}
	if id, ok, err := t.configToken("eos_token", config.EOS); err != nil {
		return err
	} else if ok {
		t.addEOS(id)
		t.eosToken = id
	}
	if config.AddBOS != nil {
		t.addBOS = *config.AddBOS
	}
	return t.applyTemplateField(config.Template)
}

// configToken returns the id of a token that is written as its text or as an object with its "content".
func (t *Tokenizer) configToken(key string, raw json.RawMessage) (id int32, ok bool, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return 0, false, nil
	}
	var text string
	if raw[0] == '{' {
		var object struct {
			Content string `json:"content"`
		}
		err = json.Unmarshal(raw, &object)
		text = object.Content
	} else {
		err = json.Unmarshal(raw, &text)
	}
	if err != nil {
		return 0, false, fmt.Errorf("%s: %w", key, jsonError(err))
	}
	id, ok = t.Special(text)
	if !ok {
		if id, ok = t.index[text]; !ok {
			return 0, false, fmt.Errorf("%s %q is not in the vocabulary: %w", key, shorten(text), ErrInvalid)
		}
	}
	return id, true, nil
}
