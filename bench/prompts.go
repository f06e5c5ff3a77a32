package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lever-go/lever"
)

// Set is a data set of prompts.
type Set struct {
	Name    string
	Prompts []Prompt
}

// Prompt is one request.
type Prompt struct {
	ID   string
	Text string
	// Raw text is continued; otherwise it is a user's message.
	Raw bool
	// Answer, if not empty, is what the target is made to answer, at the cost of its own answer.
	Answer string
}

// Request asks for an answer.
func (p Prompt) Request() lever.Request { return lever.Request{Prompt: p.Text, Raw: p.Raw} }

// SetNames are the data sets that [LoadSets] reads.
var SetNames = []string{"gsm8k", "humaneval", "mbpp", "mt_bench"}

// rawSet is the data set of programs to complete, rather than of questions.
const rawSet = "humaneval"

// maxPrompts bounds the size of a file of prompts, in bytes.
const maxPrompts = 64 << 20

// LoadSets reads the data sets in dir: one file NAME.jsonl for each of [SetNames], of objects with an id and either a prompt or turns, of
// which the first is taken. The error wraps [io/fs.ErrNotExist] where a file is absent.
func LoadSets(dir string) ([]Set, error) {
	var sets []Set
	for _, name := range SetNames {
		path := filepath.Join(dir, name+".jsonl")
		prompts, err := loadPrompts(path, name == rawSet)
		if err != nil {
			return nil, fmt.Errorf("bench: prompts: %w", err)
		}
		sets = append(sets, Set{name, prompts})
	}
	return sets, nil
}

func loadPrompts(path string, raw bool) ([]Prompt, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPrompts+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPrompts {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxPrompts)
	}
	var prompts []Prompt
	lines := json.NewDecoder(bytes.NewReader(text))
	for {
		var line struct {
			ID     string   `json:"id"`
			Prompt string   `json:"prompt"`
			Turns  []string `json:"turns"`
		}
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: prompt %d: %w", path, len(prompts)+1, err)
		}
		if line.Prompt == "" && len(line.Turns) > 0 {
			line.Prompt = line.Turns[0]
		}
		if line.Prompt == "" {
			return nil, fmt.Errorf("%s: prompt %d (%s) has no text", path, len(prompts)+1, line.ID)
		}
		prompts = append(prompts, Prompt{ID: line.ID, Text: line.Prompt, Raw: raw})
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("%s: no prompts", path)
	}
	return prompts, nil
}

// BuiltinSets returns a few prompts written for this project, two of each kind: to try an experiment where the data sets are absent, and
// to warm up.
func BuiltinSets() []Set {
	ask := func(set string, texts ...string) Set {
		s := Set{Name: set}
		for i, text := range texts {
			s.Prompts = append(s.Prompts, Prompt{ID: fmt.Sprintf("%s/own/%d", set, i), Text: text, Raw: set == rawSet})
		}
		return s
	}
	return []Set{
		ask("gsm8k",
			"A baker fills 6 trays with 8 rolls each. She sells 29 rolls before noon and half of the rest after it. How many rolls are left?",
			"Tom walks 3 miles to work and back on each of 5 days. On Saturday he walks 4 miles more. How many miles does he walk in all?"),
		ask("humaneval",
			"def running_total(values: list[int]) -> list[int]:\n    \"\"\"Return the sums of the first 1, 2, 3 ... values.\n\n    >>> running_total([1, 2, 3])\n    [1, 3, 6]\n    \"\"\"\n",
			"def count_vowels(text: str) -> int:\n    \"\"\"Return how many letters of text are vowels, of either case.\n\n    >>> count_vowels(\"Orange\")\n    3\n    \"\"\"\n"),
		ask("mbpp",
			"Write a python function to find the second largest number of a list.\nYour code should pass these tests:\nassert second_largest([3, 9, 5]) == 5",
			"Write a python function to reverse the words of a sentence.\nYour code should pass these tests:\nassert reverse_words(\"one two\") == \"two one\""),
		ask("mt_bench",
			"Describe a morning at a small harbour in three short paragraphs.",
			"Explain to a child why the moon changes its shape."),
	}
}
