package tokenizer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
)

// Family says what a tiktoken file leaves open: its pattern, its normalisation and its special tokens.
type Family int

// The families whose tiktoken files are read.
const (
	Llama3 Family = iota // tokenizer.model of Llama-3 to 3.3
	Qwen                 // qwen.tiktoken of Qwen to Qwen3
)

// FromTiktoken makes a tokenizer from the content of a tiktoken file: lines of a token in base64 and its rank, which is its
// id. The family's special tokens follow the last rank.
func FromTiktoken(data []byte, family Family) (*Tokenizer, error) {
	t, err := fromTiktoken(data, family)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tiktoken file: %w", err)
	}
	return t, nil
}

func fromTiktoken(data []byte, family Family) (*Tokenizer, error) {
	tokens, err := parseTiktoken(data)
	if err != nil {
		return nil, err
	}
	d := definition{merges: rankedMerges(tokens)}
	switch family {
	case Llama3:
		d.split, d.ignoreMerges, d.added = []splitter{scanner(splitLlama3)}, true, llama3Added()
	case Qwen:
		d.split, d.normal, d.added = []splitter{scanner(splitQwen)}, normalizer{normalize}, qwenAdded()
	default:
		return nil, fmt.Errorf("family %d: %w", family, ErrUnsupported)
	}
	for i := range d.added {
		d.added[i].id = int32(len(tokens) + i)
	}
	d.tokens = append(tokens, make([]string, len(d.added))...)
	return d.build()
}

// isBinary reports whether data is no text, to tell a model of SentencePiece from a tiktoken file.
func isBinary(data []byte) bool {
	const enough = 4096
	return bytes.IndexByte(data[:min(len(data), enough)], 0) >= 0
}

// parseTiktoken lists the tokens by rank.
func parseTiktoken(data []byte) ([]string, error) {
	if isBinary(data) {
		return nil, fmt.Errorf("a binary file, as models of SentencePiece are, and no tiktoken file: %w", ErrUnsupported)
	}
	lines := bytes.Count(data, []byte("\n")) + 1
	tokens := make([]string, 0, lines)
	for number := 1; len(data) > 0; number++ {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			continue
		}
		encoded, rank, ok := bytes.Cut(line, []byte(" "))
		if !ok {
			return nil, fmt.Errorf("line %d: no rank: %w", number, ErrInvalid)
		}
		token, err := base64.StdEncoding.DecodeString(string(encoded))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", number, err, ErrInvalid)
		}
		id, err := strconv.Atoi(string(rank))
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: rank: %w: %w", number, err, ErrInvalid)
		case id != len(tokens):
			return nil, fmt.Errorf("line %d: rank %d where %d is next: %w", number, id, len(tokens), ErrInvalid)
		case len(token) == 0:
			return nil, fmt.Errorf("line %d: an empty token: %w", number, ErrInvalid)
		}
		tokens = append(tokens, string(token))
	}
	return tokens, nil
}

// maxRankedLen bounds the tokens that rankedMerges takes apart, whose work grows with the square of the length. Real ones
// have up to 128 bytes.
const maxRankedLen = 256

// rankedMerges returns the merges that ranks imply: two neighbours merge where their concatenation is a token, which has
// its id for a rank. A longer token than maxRankedLen is reached by no merge.
func rankedMerges(tokens []string) map[uint64]merge {
	ids := make(map[string]int32, len(tokens))
	for id, s := range tokens {
		ids[s] = int32(id)
	}
	merges := make(map[uint64]merge, 2*len(tokens))
	for id, s := range tokens {
		if len(s) > maxRankedLen {
			continue
		}
		for cut := 1; cut < len(s); cut++ {
			left, ok := ids[s[:cut]]
			if !ok {
				continue
			}
			if right, ok := ids[s[cut:]]; ok {
				merges[pairKey(left, right)] = merge{rank: int32(id), id: int32(id)}
			}
		}
	}
	return merges
}

// llama3Added returns the 256 special tokens of Llama-3.1, without ids.
func llama3Added() []added {
	const count = 256
	names := []string{"<|begin_of_text|>", "<|end_of_text|>", reserved(0), reserved(1), "<|finetune_right_pad_id|>", reserved(2),
		"<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"}
	for n := 3; len(names) < count; n++ {
		names = append(names, reserved(n))
	}
	return namedTokens(names, true)
}

func reserved(n int) string { return fmt.Sprintf("<|reserved_special_token_%d|>", n) }

// qwenAdded returns the added tokens of Qwen3, without ids. Those that are part of what the model says are no control tokens.
func qwenAdded() []added {
	control := func(names ...string) []added { return namedTokens(names, true) }
	plain := func(names ...string) []added { return namedTokens(names, false) }
	tokens := control("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
		"<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>",
		"<|video_pad|>")
	return append(tokens, plain("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
		"<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>")...)
}

func namedTokens(names []string, control bool) []added {
	tokens := make([]added, len(names))
	for i, name := range names {
		tokens[i] = added{text: name, control: control}
	}
	return tokens
}
