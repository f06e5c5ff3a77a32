package distill

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tokenizer"
	"github.com/minio/sha256-simd"
)

// sequence is a text that the target runs over: a prompt, which it is to answer, or text as it is.
type sequence struct {
	name     string
	ids      []int32
	answer   int // most tokens of the answer; if zero, the text is taken as it is
	sampling sampling.Options
}

const (
	sequenceTokens = 256                // of text in a sequence
	maxFileBytes   = 1 << 20            // a larger file is no text that someone wrote
	fileTokens     = 4 * sequenceTokens // of one file: variety is worth more
)

// promptSequences are the prompts with what is needed to answer them. Every fourth one is answered at a temperature, for more than the target's
// favourite phrases.
func promptSequences(ctx context.Context, engine *lever.Engine, prompts []Prompt, answer int, seed uint64) ([]sequence, error) {
	var all []sequence
	for i, p := range prompts {
		ids, err := engine.Encode(ctx, p.request())
		if err != nil {
			return nil, err
		}
		s := sequence{name: fmt.Sprintf("prompt %d", i+1), ids: ids, answer: answer}
		if i%4 == 3 {
			s.sampling = sampling.Options{Temperature: 0.8, Seed: seed + uint64(i)}
		}
		all = append(all, s)
	}
	return all, nil
}

// textSequences takes at most the given number of tokens from the text files at or below paths, in random order.
func textSequences(t *tokenizer.Tokenizer, paths []string, tokens int, seed uint64) ([]sequence, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && info.Size() <= maxFileBytes {
				files = append(files, file)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read text: %w", err)
		}
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	var all []sequence
	for _, file := range files {
		if tokens <= 0 {
			break
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read text: %w", err)
		}
		if !utf8.Valid(text) {
			continue
		}
		const longest = 16 // bytes of a token, on average
		ids := t.Encode(string(text[:min(len(text), longest*fileTokens)]), tokenizer.EncodeOptions{})
		ids = ids[:min(len(ids), fileTokens)]
		for len(ids) > 0 && tokens > 0 {
			n := min(len(ids), sequenceTokens-1, tokens)
			s := sequence{name: file}
			if bos, ok := t.BOS(); ok {
				s.ids = append(s.ids, bos)
			}
			s.ids = append(s.ids, ids[:n]...)
			all, ids, tokens = append(all, s), ids[n:], tokens-n
		}
	}
	return all, nil
}

// digest identifies sequences.
func digest(sequences []sequence) string {
	sum := sha256.New()
	for _, s := range sequences {
		fmt.Fprintln(sum, s.ids, s.answer, s.sampling)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// LoadPrompts reads a file of JSON objects, one after the other: {"prompt": "…"}, or {"prompt": "…", "raw": true} for text to be continued.
func LoadPrompts(path string) ([]Prompt, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("distill: prompts: %w", err)
	}
	defer file.Close()
	var prompts []Prompt
	for decoder := json.NewDecoder(file); ; {
		var line struct {
			Prompt string `json:"prompt"`
			Raw    bool   `json:"raw"`
		}
		err := decoder.Decode(&line)
		switch {
		case errors.Is(err, io.EOF) && len(prompts) > 0:
			return prompts, nil
		case err == nil && line.Prompt == "":
			err = errors.New("there is no prompt")
		}
		if err != nil {
			return nil, fmt.Errorf("distill: prompts: %s: object %d: %w", path, len(prompts)+1, err)
		}
		prompts = append(prompts, Prompt{line.Prompt, line.Raw})
	}
}
