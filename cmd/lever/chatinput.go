package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/terminal"
	"github.com/reeflective/readline"
	"github.com/reeflective/readline/inputrc"
	"golang.org/x/term"
)

// errNewPrompt means that the user gave up what was being written.
var errNewPrompt = errors.New("new prompt")

// quotes begin and end a message of several lines.
const quotes = `"""`

// chatInput reads messages: from an editor with a history on a terminal, otherwise line by line.
type chatInput struct {
	shell  *readline.Shell // nil without a terminal
	state  *term.State     // of the terminal, to go back to
	pasted []string        // into the message that is written
	draft  string          // that the next message begins with, on a terminal
	lines  *bufio.Reader
}

func newChatInput() (*chatInput, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return &chatInput{lines: bufio.NewReader(os.Stdin)}, nil
	}
	state, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", err)
	}
	in := &chatInput{shell: readline.NewShell(), state: state}
	shell := in.shell
	err = errors.Join(
		shell.Config.Set("enable-bracketed-paste", true),       // lines that are pasted don't send what is before them
		shell.Config.Set("menu-complete-display-prefix", true), // the first Tab lists, the next ones choose
		shell.Config.Bind("emacs", inputrc.Unescape(`\C-i`), "menu-complete", false),
	)
	if err != nil {
		return nil, fmt.Errorf("read from the terminal: %w", err)
	}
	shell.PasteTransformer = func(text string) string {
		text = terminal.Strip(text)
		in.pasted = append(in.pasted, text)
		return text
	}
	shell.Prompt.Primary(func() string { return ">>> " })
	shell.Prompt.Secondary(func() string { return "... " })
	shell.AcceptMultiline = func(line []rune) bool { return complete(string(line)) }
	if file, err := historyFile(); err == nil { // a chat without a history is one all the same
		shell.History.AddFromFile("messages", file)
	}
	shell.Completer = func(line []rune, cursor int) readline.Completions { return chatCompletions(string(line[:cursor])) }
	return in, nil
}

// historyFile returns the file for what was written in earlier chats, which only its user may read.
func historyFile() (string, error) {
	dir, err := lever.CacheDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "chat-history")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return "", err
	}
	return path, file.Close()
}

// Close leaves the terminal as it was.
func (in *chatInput) Close() error {
	if in.shell == nil {
		return nil
	}
	return term.Restore(int(os.Stdin.Fd()), in.state)
}

// Read returns the next message. It fails with io.EOF where there are no more, and with errNewPrompt after an interrupt on a terminal;
// elsewhere an interrupt ends the input.
func (in *chatInput) Read(ctx context.Context) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() { // a read can't be cancelled; the program ends without it
		text, err := in.message()
		done <- result{text, err}
	}()
	if in.shell == nil {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
	}
	select {
	case r := <-done:
		return joined(r.text, in.pasted), r.err
	case <-ctx.Done():
		return "", io.EOF
	}
}

// message returns the lines of a message as they are written.
func (in *chatInput) message() (string, error) {
	if in.shell != nil {
		in.pasted = nil
		if in.draft != "" { // as if it were pasted, so that its lines stay
			in.shell.Keys.Feed(false, []rune("\x1b[200~"+in.draft+"\x1b[201~")...)
			in.draft = ""
		}
		text, err := in.shell.Readline()
		if err != nil && errors.Is(err, readline.ErrInterrupt) {
			return "", errNewPrompt
		}
		return text, err
	}
	text := ""
	for {
		line, err := in.lines.ReadString('\n')
		text += line
		switch {
		case len(text) > maxPrompt:
			return "", fmt.Errorf("a message is longer than %s", cli.FormatBytes(maxPrompt))
		case errors.Is(err, io.EOF) && text != "":
			return text, nil // what is missing will not come
		case err != nil:
			return "", err
		case complete(strings.TrimSuffix(text, "\n")):
			return text, nil
		}
	}
}

// complete reports whether text is a whole message, to which no further line belongs.
func complete(text string) bool {
	if strings.HasPrefix(strings.TrimSpace(text), quotes) {
		trimmed := strings.TrimSpace(text)
		return len(trimmed) >= 2*len(quotes) && strings.HasSuffix(trimmed, quotes)
	}
	return !strings.HasSuffix(text, `\`)
}

// joined returns the message that the written lines mean. Those that were pasted are as they were.
func joined(text string, pasted []string) string {
	if inner, quoted := strings.CutPrefix(strings.TrimSpace(text), quotes); quoted {
		return strings.Trim(strings.TrimSuffix(inner, quotes), "\n")
	}
	return continued(text, pasted)
}

// continued takes away the \ at the ends of lines that were not pasted.
func continued(text string, pasted []string) string {
	for i, p := range pasted {
		if before, after, found := strings.Cut(text, p); found {
			return continued(before, pasted[i+1:]) + p + continued(after, pasted[i+1:])
		}
	}
	return strings.ReplaceAll(text, "\\\n", "\n")
}
