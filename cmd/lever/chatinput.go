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

const prompt = ">>> "

// quotes begin and end a message of several lines.
const quotes = `"""`

// chatInput reads messages: from an editor with a history on a terminal, otherwise line by line.
type chatInput struct {
	shell  *readline.Shell // nil without a terminal
	state  *term.State     // of the terminal, to go back to
	pasted []string        // into the message that is written
	row    int             // of it where the cursor was drawn last
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
	shell.SyntaxHighlighter = func(line []rune) string {
		in.makeRoom(line)
		return string(line)
	}
	shell.Prompt.Primary(func() string { return prompt })
	shell.Prompt.Secondary(func() string { return "... " })
	shell.AcceptMultiline = func(line []rune) bool { return complete(string(line)) }
	if file, err := historyFile(); err == nil { // a chat without a history is one all the same
		shell.History.AddFromFile("messages", file)
	}
	shell.Completer = func(line []rune, cursor int) readline.Completions {
		in.probe(true) // to know how many rows there are for a list
		return chatCompletions(string(line[:cursor]))
	}
	return in, nil
}

// probe sets whether the editor asks the terminal where the cursor is each time that it draws. Keys that come together with the answer are lost, and every
// key waits for one where the terminal is far away.
func (in *chatInput) probe(on bool) { _ = in.shell.Config.Set(probeOption, on) }

const probeOption = "cursor-position-probe"

// makeRoom has the terminal scroll, if the cursor is near its end, until a message fits that is about to be drawn, and the row below it that the editor clears,
// as only a probe tells it where the end is.
func (in *chatInput) makeRoom(message []rune) {
	columns, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || columns <= 0 || in.shell.Config.GetBool(probeOption) {
		return
	}
	below := rowsOf(message, columns) - in.row // of the cursor, where it was drawn last
	if below > 0 {
		fmt.Fprintf(os.Stdout, "%s\x1b[%dA", strings.Repeat("\n", below), below)
	}
	in.row = rowsOf(message[:min(in.shell.Cursor().Pos(), len(message))], columns) - 1
}

// rowsOf returns the number of rows that a message takes on a terminal, or one more.
func rowsOf(message []rune, columns int) int {
	rows, column := 1, len(prompt)
	for _, r := range message {
		switch {
		case r == '\n':
			rows, column = rows+1, len(prompt)
			continue
		case r >= 0x1100: // it may be wide
			column += 2
		default:
			column++
		}
		if column >= columns {
			rows, column = rows+1, 0
		}
	}
	return rows
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
		in.probe(false)
		in.row = 0
		if in.draft != "" { // as if it were pasted, so that its lines stay
			in.shell.Keys.Feed(false, []rune("\x1b[200~"+in.draft+"\x1b[201~")...)
			in.draft = ""
		}
		// Keys that were typed before stand where the prompt belongs; it shows them, as it does those that come from now on.
		if _, err := term.MakeRaw(int(os.Stdin.Fd())); err != nil {
			return "", fmt.Errorf("read from the terminal: %w", err)
		}
		defer term.Restore(int(os.Stdin.Fd()), in.state)
		fmt.Fprint(os.Stdout, "\r\x1b[K")
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
