package tokenizer

import (
	"encoding/json"
	"fmt"

	"github.com/lever-go/lever/internal/plural"
)

// tekkenFile is a tekken.json of Mistral: the tokens of a tiktoken file, by rank, behind so many special tokens.
type tekkenFile struct {
	Config struct {
		Pattern  string `json:"pattern"`
		Size     int    `json:"default_vocab_size"`
		Specials int    `json:"default_num_special_tokens"`
	} `json:"config"`
	Vocab []struct {
		Rank  int    `json:"rank"`
		Bytes []byte `json:"token_bytes"`
	} `json:"vocab"`
	Special []struct {
		Rank    int    `json:"rank"`
		Text    string `json:"token_str"`
		Control *bool  `json:"is_control"` // true where absent
	} `json:"special_tokens"`
}

// tekkenSpecial are the first special tokens of files that list none.
var tekkenSpecial = []string{"<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
	"[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]",
	"[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"}

// fromTekken makes a tokenizer from a tekken.json.
func fromTekken(data []byte) (*Tokenizer, error) {
	var f tekkenFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, jsonError(err)
	}
	c := f.Config
	if c.Specials < 0 || c.Specials > len(data) || c.Size < c.Specials {
		return nil, fmt.Errorf("config: %s in a vocabulary of %d: %w", plural.Of(c.Specials, "special token"), c.Size, ErrInvalid)
	}
	split, err := splitterFor(c.Pattern)
	if err != nil {
		return nil, fmt.Errorf("config.pattern: %w", err)
	}
	d := definition{split: []splitter{split}, ignoreMerges: true, added: f.specials()}
	d.tokens = make([]string, c.Specials)
	for rank, row := range f.Vocab[:min(len(f.Vocab), c.Size-c.Specials)] {
		if row.Rank != rank || len(row.Bytes) == 0 {
			return nil, fmt.Errorf("vocab: row %d has rank %d and %s: %w", rank, row.Rank, plural.Of(len(row.Bytes), "byte"), ErrInvalid)
		}
		d.tokens = append(d.tokens, string(row.Bytes))
	}
	d.merges = rankedMerges(d.tokens)
	t, err := d.build()
	if err != nil {
		return nil, err
	}
	return t, nil
}

// specials returns the special tokens that f lists, or those that all models have; the rest of their ids have names that text never has.
func (f *tekkenFile) specials() []added {
	tokens := make([]added, f.Config.Specials)
	for id := range tokens {
		tokens[id] = added{text: fmt.Sprintf("<SPECIAL_%d>", id), id: int32(id), control: true}
		if f.Special == nil && id < len(tekkenSpecial) {
			tokens[id].text = tekkenSpecial[id]
		}
	}
	for _, s := range f.Special {
		if s.Rank < 0 || s.Rank >= len(tokens) {
			tokens = append(tokens, added{text: s.Text, id: int32(s.Rank), control: true}) // build reports it
			continue
		}
		tokens[s.Rank].text = s.Text
		tokens[s.Rank].control = s.Control == nil || *s.Control
	}
	return tokens
}
