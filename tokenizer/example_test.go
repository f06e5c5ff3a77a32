package tokenizer_test

import (
	"context"
	"fmt"
	"os"

	"github.com/lever-go/lever/tokenizer"
)

func open() *tokenizer.Tokenizer {
	tok, err := tokenizer.Open(os.DirFS("testdata/tiny"))
	if err != nil {
		panic(err)
	}
	return tok
}

func ExampleTokenizer_Encode() {
	tok := open()
	ids := tok.Encode("hello world<|eot_id|>", tokenizer.EncodeOptions{AddBOS: true, ParseSpecial: true})
	for _, id := range ids {
		fmt.Printf("%d %q\n", id, tok.Token(id))
	}
	// Output:
	// 276 "<|begin_of_text|>"
	// 262 "hello"
	// 267 " world"
	// 280 "<|eot_id|>"
}

func ExampleTokenizer_NewStream() {
	tok := open()
	stream := tok.NewStream()
	for _, id := range tok.Encode("so 🙂", tokenizer.EncodeOptions{}) {
		fmt.Printf("%q ", stream.Next(id))
	}
	fmt.Printf("%q\n", stream.Flush())
	// Output: "s" "o" " " "" "" "" "🙂" ""
}

func ExampleTokenizer_Chat() {
	tok := open()
	prompt, err := tok.Chat(context.Background(), []tokenizer.Message{
		{Role: "system", Content: "Be brief."},
		{Role: "user", Content: "Hello!"},
	}, tokenizer.ChatOptions{AddGenerationPrompt: true})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%q\n", prompt.Text)
	// Output: "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
}

func ExampleTokenizer_EncodePrompt() {
	tok := open()
	prompt, err := tok.Chat(context.Background(), []tokenizer.Message{{Role: "user", Content: "What is <|eot_id|>?"}}, tokenizer.ChatOptions{})
	if err != nil {
		panic(err)
	}
	ids, err := tok.EncodePrompt(context.Background(), prompt)
	if err != nil {
		panic(err)
	}
	for _, id := range ids {
		if tok.IsSpecial(id) {
			fmt.Println(tok.Token(id)) // <|eot_id|> only where the template ends the message
		}
	}
	// Output:
	// <|begin_of_text|>
	// <|start_header_id|>
	// <|end_header_id|>
	// <|eot_id|>
}

func ExampleCompatible() {
	target, draft := open(), open()
	fmt.Println(tokenizer.Compatible(target, draft))
	// Output: <nil>
}
