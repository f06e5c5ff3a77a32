package tokenizer

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// countedContext is done after it was asked some times.
type countedContext struct {
	context.Context
	asked, most int
}

func (c *countedContext) Err() error {
	if c.asked++; c.asked > c.most {
		return context.Canceled
	}
	return nil
}

// Encoding asks its context after every so many bytes, whatever the text is, and ends when it is done.
func TestEncodeEndsWithItsContext(t *testing.T) {
	const size = 1 << 20
	for name, tok := range map[string]*Tokenizer{"bytes": tiny(t), "words": openModel(t, "unigram")} {
		for _, hostile := range hostileTexts {
			text := hostile.make(size)
			ctx := &countedContext{Context: t.Context(), most: size}
			if _, err := tok.EncodeContext(ctx, text, EncodeOptions{}); err != nil || ctx.asked < len(text)/checkBytes/2 {
				t.Errorf("%s, %s: asked %d times: %v", name, hostile.name, ctx.asked, err)
			}
			ctx = &countedContext{Context: t.Context(), most: 3}
			if ids, err := tok.EncodeContext(ctx, text, EncodeOptions{}); !errors.Is(err, context.Canceled) || ids != nil || ctx.asked > ctx.most+1 {
				t.Errorf("%s, %s: %d tokens after it was asked %d times: %v", name, hostile.name, len(ids), ctx.asked, err)
			}
		}
	}
}

// So does rendering a conversation that is to be kept from forging control tokens, and encoding it.
func TestPromptsEndWithTheirContext(t *testing.T) {
	tok := tiny(t)
	messages := []Message{{Role: "user", Content: strings.Repeat("<|eot_id", 1<<15)}}
	prompt, err := tok.Chat(t.Context(), messages, ChatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.EncodePrompt(&countedContext{Context: t.Context(), most: 3}, prompt); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx := &countedContext{Context: t.Context(), most: 3}
	if _, err := tok.Chat(ctx, messages, ChatOptions{}); !errors.Is(err, context.Canceled) || ctx.asked > ctx.most+2 {
		t.Errorf("asked %d times: %v", ctx.asked, err)
	}
}
