package grammar_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lever-go/lever/grammar"
)

const size, end = 257, 256

// bytesOnly has one token for each byte, and one that ends a text; package lever makes that of a model.
func bytesOnly() (*grammar.Vocabulary, error) {
	return grammar.NewVocabulary(size, func(token int32) string {
		if token == end {
			return ""
		}
		return string([]byte{byte(token)})
	}, []int32{end})
}

func Example() {
	vocabulary, err := bytesOnly()
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := vocabulary.JSONSchema(context.Background(), []byte(`{"enum": ["left", "right", "up"]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	m := g.Matcher(context.Background())
	state := 0
	for {
		var allowed []int32
		mask := m.Allowed(state)
		for token := range int32(size) {
			if mask[token/64]>>(token%64)&1 == 1 {
				allowed = append(allowed, token)
			}
		}
		if allowed[0] == end {
			fmt.Println("the end")
			return
		}
		var bytes strings.Builder
		for _, token := range allowed {
			bytes.WriteByte(byte(token))
		}
		fmt.Printf("%q ", bytes.String())
		state = m.Next(state, allowed[0]) // a model would choose by its logits
	}
	// Output: "\"" "lru" "e" "f" "t" "\"" the end
}

// A schema that says more than can be kept to is refused, not ignored.
func ExampleVocabulary_JSONSchema() {
	vocabulary, err := bytesOnly()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = vocabulary.JSONSchema(context.Background(), []byte(`{"type": "array", "contains": {"const": 5}}`))
	fmt.Println(err)
	fmt.Println("unsupported:", errors.Is(err, grammar.ErrUnsupported))
	// Output:
	// grammar: schema: at #: keyword "contains": unsupported
	// unsupported: true
}

// A tree of drafted tokens is followed along all its branches: states stay valid.
func ExampleMatcher() {
	vocabulary, err := bytesOnly()
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := vocabulary.JSONSchema(context.Background(), []byte(`{"type": "array", "items": {"type": "boolean"}, "minItems": 1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	m := g.Matcher(context.Background())
	inside := m.Next(0, '[')
	for _, branch := range []string{"true]", "false, t", "1"} {
		state := inside
		for i := 0; i < len(branch) && state >= 0; i++ {
			state = m.Next(state, int32(branch[i]))
		}
		switch {
		case state < 0:
			fmt.Println(branch, "can't follow")
		case m.Allowed(state)[end/64]>>(end%64)&1 == 1:
			fmt.Println(branch, "can end the text")
		default:
			fmt.Println(branch, "can follow")
		}
	}
	// Output:
	// true] can end the text
	// false, t can follow
	// 1 can't follow
}
