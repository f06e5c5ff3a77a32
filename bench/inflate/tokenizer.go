package inflate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/tokenizer"
)

const (
	jsonFile   = "tokenizer.json"
	configFile = "tokenizer_config.json"
	ggufFile   = "tokenizer.gguf"
)

// vocabulary is the tokenizer of a store.
type vocabulary struct {
	own  map[string][]byte    // its files
	open *tokenizer.Tokenizer // made of them
}

func readVocabulary(files fs.FS) (v vocabulary, err error) {
	v.own = map[string][]byte{}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return v, fmt.Errorf("inflate: %w", err)
	}
	for _, e := range entries {
		if v.own[e.Name()], err = fs.ReadFile(files, e.Name()); err != nil {
			return v, fmt.Errorf("inflate: %w", err)
		}
	}
	if v.open, err = tokenizer.Open(files); err != nil {
		return v, fmt.Errorf("inflate: %w", err)
	}
	return v, nil
}

// addedToken names a token that no text contains.
func addedToken(id int) string { return fmt.Sprintf("<|added_%d|>", id) }

// files returns the tokenizer's files with tokens added up to a number of size.
func (v vocabulary) files(size int) (map[string][]byte, error) {
	files := maps.Clone(v.own)
	var err error
	switch {
	case files[jsonFile] != nil:
		files[jsonFile], err = padJSON(files[jsonFile], size)
	case files[ggufFile] != nil:
		var meta map[string]any
		if meta, err = v.metadata(size); err == nil {
			var buf bytes.Buffer
			err = gguf.Write(&buf, gguf.Content{Metadata: meta})
			files[ggufFile] = buf.Bytes()
		}
	default:
		err = errors.New("it is neither a tokenizer.json nor of a GGUF file")
	}
	if err != nil {
		return nil, fmt.Errorf("inflate: tokenizer: %w", err)
	}
	return files, nil
}

// jsonTokenizer is the part of a tokenizer.json that lists tokens.
type jsonTokenizer struct {
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Model struct {
		Vocab  map[string]int  `json:"vocab"`
		Merges json.RawMessage `json:"merges"`
	} `json:"model"`
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
}

// padJSON adds tokens to the vocabulary of a tokenizer.json.
func padJSON(text []byte, size int) ([]byte, error) {
	var known jsonTokenizer
	var all, model map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &known), json.Unmarshal(text, &all)); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(all["model"], &model); err != nil {
		return nil, err
	}
	taken := map[int]bool{}
	for _, id := range known.Model.Vocab {
		taken[id] = true
	}
	for _, t := range known.Added {
		taken[t.ID] = true
	}
	for id := range size {
		if !taken[id] {
			known.Model.Vocab[addedToken(id)] = id
		}
	}
	var err error
	if model["vocab"], err = json.Marshal(known.Model.Vocab); err != nil {
		return nil, err
	}
	if all["model"], err = json.Marshal(model); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// Kinds of tokens in GGUF files.
const (
	normalToken  = 1
	controlToken = 3
)

// metadata returns the keys tokenizer.* of a GGUF file, with tokens added up to a number of size.
func (v vocabulary) metadata(size int) (map[string]any, error) {
	meta := map[string]any{}
	var texts []string
	var kinds []int32
	if own := v.own[ggufFile]; own != nil {
		f, err := gguf.Read(bytes.NewReader(own), int64(len(own)))
		if err != nil {
			return nil, err
		}
		meta = f.Metadata
		texts, _ = meta["tokenizer.ggml.tokens"].([]string)
		kinds, _ = meta["tokenizer.ggml.token_type"].([]int32)
		if len(texts) != len(kinds) {
			return nil, errors.New("kinds of tokens are missing")
		}
	} else {
		var err error
		if texts, kinds, err = v.fromJSON(meta); err != nil {
			return nil, err
		}
	}
	for id := len(texts); id < size; id++ {
		texts, kinds = append(texts, addedToken(id)), append(kinds, normalToken)
	}
	meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"] = texts, kinds
	return meta, nil
}

// fromJSON fills in meta from a tokenizer.json, and returns its tokens.
func (v vocabulary) fromJSON(meta map[string]any) (texts []string, kinds []int32, err error) {
	var known jsonTokenizer
	if err := json.Unmarshal(v.own[jsonFile], &known); err != nil {
		return nil, nil, err
	}
	texts, kinds = make([]string, v.open.Size()), make([]int32, v.open.Size())
	for id := range texts {
		texts[id], kinds[id] = addedToken(id), normalToken
	}
	for text, id := range known.Model.Vocab {
		texts[id] = text
	}
	for _, t := range known.Added {
		texts[t.ID] = t.Content
		if t.Special {
			kinds[t.ID] = controlToken
		}
	}
	merges, err := readMerges(known.Model.Merges)
	if err != nil {
		return nil, nil, err
	}
	split := string(known.PreTokenizer)
	switch {
	case strings.Contains(split, `\\p{N}{1,3}`):
		meta["tokenizer.ggml.pre"] = "llama-bpe"
	case strings.Contains(split, `\\p{N}`):
		meta["tokenizer.ggml.pre"] = "qwen2"
	default:
		return nil, nil, errors.New("it splits words neither as Llama 3 nor as Qwen does")
	}
	meta["tokenizer.ggml.model"], meta["tokenizer.ggml.merges"] = "gpt2", merges
	meta["tokenizer.ggml.add_bos_token"] = v.open.AddBOS()
	if bos, ok := v.open.BOS(); ok {
		meta["tokenizer.ggml.bos_token_id"] = uint32(bos)
	}
	ends := v.open.EOS()
	for i, key := range []string{"eos_token_id", "eot_token_id"} {
		if i < len(ends) {
			meta["tokenizer.ggml."+key] = uint32(ends[i])
		}
	}
	var config struct {
		Template string `json:"chat_template"`
	}
	if text := v.own[configFile]; text != nil {
		if err := json.Unmarshal(text, &config); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", configFile, err)
		}
	}
	if config.Template != "" {
		meta["tokenizer.chat_template"] = config.Template
	}
	return texts, kinds, nil
}

// readMerges returns the merges as lines: they are that, or, in newer files, pairs.
func readMerges(text json.RawMessage) (lines []string, err error) {
	if json.Unmarshal(text, &lines) == nil {
		return lines, nil
	}
	var pairs [][2]string
	if err := json.Unmarshal(text, &pairs); err != nil {
		return nil, err
	}
	lines = nil
	for _, p := range pairs {
		lines = append(lines, p[0]+" "+p[1])
	}
	return lines, nil
}
