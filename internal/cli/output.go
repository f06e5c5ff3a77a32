package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/lever-go/lever/internal/terminal"
	"golang.org/x/term"
)

// What the program writes goes to these. Text of models, names and errors may hold control characters, which a terminal would obey.
// Standard output keeps them where it is no terminal: there the bytes are what someone asked for.
var (
	Stdout           = newStdout()
	Stderr io.Writer = terminal.Writer{Out: os.Stderr}
)

func newStdout() io.Writer {
	if term.IsTerminal(int(os.Stdout.Fd())) {
		return terminal.Writer{Out: os.Stdout}
	}
	return os.Stdout
}

// Lengths of what is shown of a longer error: it begins with what was done and to what, and ends with the cause.
const (
	errorHead = 1500
	errorTail = 500
)

// ErrorText returns an error as the program shows it: without the package's name, and of a readable length.
func ErrorText(err error) string {
	text := strings.TrimPrefix(err.Error(), "lever: ")
	if len(text) <= errorHead+errorTail {
		return text
	}
	head, tail := errorHead, len(text)-errorTail
	for !utf8.RuneStart(text[head]) {
		head--
	}
	for !utf8.RuneStart(text[tail]) {
		tail++
	}
	return fmt.Sprintf("%s … (%d bytes left out) … %s", text[:head], tail-head, text[tail:])
}

// PrintJSON writes v to the standard output.
func PrintJSON(v any) error {
	encoder := json.NewEncoder(Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
