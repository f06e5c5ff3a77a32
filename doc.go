// Package lever generates text with a language model that is larger than memory.
//
// The target model lies on flash in a chunked store and is streamed through a bounded amount of memory; a small draft model in
// memory guesses the next tokens, and one pass over the target verifies them all. The text is what the target alone would
// write. The method is that of "Lever: Speculative LLM Inference on Smartphones" (arXiv 2605.16786).
//
//	engine, err := lever.Open(ctx, lever.Config{Model: "Llama-3.1-8B.lever", Draft: "Llama-3.2-1B.lever", DRAM: 2 << 30})
//	if err != nil {
//		return err
//	}
//	defer engine.Close()
//	result, err := engine.Generate(ctx, lever.Request{Prompt: "Why is the sky blue?", MaxTokens: 200}, func(text string) error {
//		_, err := fmt.Print(text)
//		return err
//	})
//
// This package only joins the packages that do the work, each of which can be used alone: tensor (types and layouts), kernels
// (arithmetic), weights (the store and its readers), tokenizer, grammar, layers (the parts of models), arch (the models that are known) and spec (speculative
// decoding).
//
// An [Engine] does one generation at a time, or as many as [Config].Parallel says, which share passes; another call meanwhile fails with [ErrBusy].
//
// # Errors
//
// Causes come through wrapped, with what was being done and to which file: those of weights, spec, layers and tokenizer, errors of the
// operating system such as io/fs.ErrNotExist, and the error of a context. Of its own the package has
// [ErrBusy], [ErrContextLimit], [ErrTurns], and [ErrSessionCorrupt], [ErrSessionVersion] and [ErrSessionForeign], for session files, and [ErrAnswersCorrupt],
// [ErrAnswersForeign] and [ErrAnswersLocked], for files of answers. A generation that fails, or is cancelled, still returns the text up to there.
package lever
