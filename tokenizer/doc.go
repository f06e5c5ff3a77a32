// Package tokenizer turns text into the token ids of BPE and unigram models and back, and conversations into prompts.
//
// Vocabularies are read from
//
//  1. tokenizer.json of Hugging Face: BPE of bytes, BPE of characters with bytes for those that are no tokens, unigram;
//  2. the metadata of GGUF files: tokenizer.ggml.model gpt2, llama, gemma4 and t5;
//  3. models of SentencePiece, BPE and unigram: tokenizer.model;
//  4. tiktoken files: tokenizer.model of Llama-3, qwen.tiktoken;
//  5. tekken.json of Mistral.
//
// Encoding takes these steps: added tokens such as "<|eot_id|>" are cut out; what lies between is normalised, if the model says so, and
// split into pieces by what the model's regular expressions say; the bytes of each piece, or with SentencePiece its characters, merge,
// pair of lowest rank first, or a unigram model picks the tokens with the highest sum of scores.
//
// Usage:
//
//	tok, err := tokenizer.Open(os.DirFS("models/llama"))
//	if err != nil {
//		return err
//	}
//	ids := tok.Encode("Hello, world", tokenizer.EncodeOptions{AddBOS: tok.AddBOS()})
//	stream := tok.NewStream()
//	for _, id := range ids {
//		fmt.Print(stream.Next(id))
//	}
//	fmt.Print(stream.Flush())
//
// A chat template is a program that came with the model, so it runs within bounds: no files, and no more steps, memory, output and
// recursion than conversations need. Templates that ask for more fail, and a built-in one takes over, which [Prompt] tells.
//
// Limits: WordPiece, lower case and stripped accents, and what a regular expression has beyond sets, categories, repetitions of these,
// alternatives and lookaheads are refused with [ErrUnsupported].
//
// # Errors
//
//   - [ErrUnsupported]: a vocabulary of another kind; see Limits.
//   - [ErrInvalid]: files that contradict themselves.
//   - [ErrRefused]: the model's chat template refuses the conversation, such as one that begins with an answer. Its own words follow.
package tokenizer
