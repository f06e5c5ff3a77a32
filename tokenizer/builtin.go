package tokenizer

import (
	"fmt"
	"strings"
)

// noThinking is the empty thought with which Qwen3 answers at once.
const noThinking = "<think>\n\n</think>\n\n"

// renderBuiltin renders a conversation with the built-in template that the special tokens allow. It knows no tools, and
// leaves earlier thoughts out, as the models' own templates do.
func (t *Tokenizer) renderBuiltin(messages []Message, opts ChatOptions) (name, text string, err error) {
	for i, m := range messages {
		if len(m.ToolCalls) > 0 || m.Role == "tool" {
			return "", "", fmt.Errorf("message %d is about tools, which the built-in chat templates do not know: %w", i, ErrUnsupported)
		}
	}
	switch {
	case len(opts.Tools) > 0:
		return "", "", fmt.Errorf("the built-in chat templates do not know tools: %w", ErrUnsupported)
	case t.hasSpecial("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"):
		return "llama3", t.renderLlama3(messages, opts), nil
	case t.hasSpecial("<|im_start|>", "<|im_end|>"):
		return "chatml", t.renderChatML(messages, opts), nil
	}
	return "", "", fmt.Errorf("the model has no chat template, nor the special tokens of Llama-3 or ChatML: %w", ErrUnsupported)
}

func (t *Tokenizer) hasSpecial(names ...string) bool {
	for _, name := range names {
		if _, ok := t.Special(name); !ok {
			return false
		}
	}
	return true
}

func (t *Tokenizer) renderLlama3(messages []Message, opts ChatOptions) string {
	var b strings.Builder
	b.WriteString(t.Token(t.bos))
	header := func(role string) {
		b.WriteString("<|start_header_id|>" + role + "<|end_header_id|>\n\n")
	}
	for _, m := range messages {
		header(m.Role)
		b.WriteString(strings.TrimSpace(m.Content) + "<|eot_id|>")
	}
	if opts.AddGenerationPrompt {
		header("assistant")
	}
	return b.String()
}

func (t *Tokenizer) renderChatML(messages []Message, opts ChatOptions) string {
	var b strings.Builder
	for _, m := range messages {
		content := m.Content
		if m.Role == "assistant" {
			if _, answer, thought := strings.Cut(content, "</think>"); thought {
				content = strings.TrimLeft(answer, "\n")
			}
		}
		b.WriteString("<|im_start|>" + m.Role + "\n" + content + "<|im_end|>\n")
	}
	if opts.AddGenerationPrompt {
		b.WriteString("<|im_start|>assistant\n")
		if opts.NoThinking && t.hasSpecial("<think>", "</think>") {
			b.WriteString(noThinking)
		}
	}
	return b.String()
}
