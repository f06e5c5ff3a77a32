package distill_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/lever-go/lever/distill"
)

// The same seed gives the same prompts, so that a run that was interrupted goes on with them.
func ExampleOwnPrompts() {
	for _, p := range distill.OwnPrompts(3, 1) {
		fmt.Printf("raw %v: %q\n", p.Raw, p.Text)
	}
	// Output:
	// raw false: "Ines reads 2 pages every morning and twice as many every evening. How many pages does Ines read in 52 days?"
	// raw false: "Kofi is 12 years old. Her brother is 8 years younger and her mother is 12 times as old as her brother. How old is the mother?"
	// raw false: "Olga is 17 years old. Her brother is 8 years younger and her mother is 7 times as old as her brother. How old is the mother?"
}

func ExampleLoadPrompts() {
	dir, err := os.MkdirTemp("", "lever-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "prompts.jsonl")
	if err := os.WriteFile(file, []byte(`{"prompt": "Why is the sky blue?"}
{"prompt": "def add(a, b):", "raw": true}
`), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	prompts, err := distill.LoadPrompts(file)
	fmt.Println(prompts, err)
	// Output: [{Why is the sky blue? false} {def add(a, b): true}] <nil>
}
