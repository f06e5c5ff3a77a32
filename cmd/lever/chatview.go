package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lever-go/lever/internal/terminal"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"golang.org/x/term"
)

// Styles of text on a terminal, as the numbers of ECMA-48's "select graphic rendition".
const (
	plainStyle = "0"
	dimStyle   = "2"
	greenStyle = "32"
)

// chatView shows answers as they come: on a terminal with Markdown rendered and thoughts dimmed, elsewhere as they are and without thoughts. On request
// what was drafted is green, and Markdown is shown as it is.
type chatView struct {
	out      io.Writer
	terminal bool
	colour   bool
	markdown *chatMarkdown // nil to show it as it is
	split    *tokenizer.Thoughts
	style    string

	thought, answer strings.Builder
	err             error // of the output
}

func newChatView(out *os.File, colour bool) *chatView {
	isTerminal := term.IsTerminal(int(out.Fd()))
	styled := isTerminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	v := &chatView{out: out, terminal: isTerminal, colour: colour && styled}
	if styled && !colour {
		v.markdown = new(chatMarkdown)
	}
	return v
}

// begin prepares for the answer to a prompt.
func (v *chatView) begin(prompt tokenizer.Prompt) {
	v.split, v.style = tokenizer.NewThoughts(prompt), plainStyle
	v.thought.Reset()
	v.answer.Reset()
}

// piece shows what a pass added.
func (v *chatView) piece(p spec.Piece) {
	v.show(p.Text[:p.Drafted], greenStyle)
	v.show(p.Text[p.Drafted:], plainStyle)
}

func (v *chatView) show(text, style string) {
	thought, answer := v.split.Next(text)
	v.add(thought, answer, style)
}

// add shows a part of the thought and of the answer.
func (v *chatView) add(thought, answer, style string) {
	v.thought.WriteString(thought)
	if thought != "" && v.terminal {
		v.write(thought, dimStyle)
	}
	if answer != "" {
		if v.answer.Len() == 0 && v.thought.Len() > 0 && v.terminal {
			v.write("\n\n", plainStyle)
		}
		if !v.colour {
			style = plainStyle
		}
		if v.markdown != nil {
			v.raw(v.markdown.next(terminal.Text(answer)), style)
		} else {
			v.write(answer, style)
		}
	}
	v.answer.WriteString(answer)
}

func (v *chatView) write(text, style string) {
	if v.terminal {
		text = terminal.Text(text)
	}
	v.raw(text, style)
}

// raw writes a text that commands the terminal no more than it may.
func (v *chatView) raw(text, style string) {
	if style != v.style {
		text = fmt.Sprintf("\x1b[%s;%sm%s", plainStyle, style, text)
		v.style = style
	}
	if _, err := io.WriteString(v.out, text); v.err == nil {
		v.err = err
	}
}

// end ends an answer and returns its two parts.
func (v *chatView) end() (thought, answer string, err error) {
	t, a := v.split.Flush()
	v.add(t, a, plainStyle)
	if v.markdown != nil {
		v.raw(v.markdown.flush(), plainStyle)
	}
	if v.style != plainStyle {
		v.write("", plainStyle)
	}
	v.write("\n", plainStyle)
	return v.thought.String(), v.answer.String(), v.err
}
