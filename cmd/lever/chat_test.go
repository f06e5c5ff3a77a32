package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tokenizer"
	"github.com/reeflective/readline"
)

// talk runs a chat with these lines as standard input.
func talk(t *testing.T, lines string, args ...string) clitest.Outcome {
	t.Helper()
	cmd := clitest.Program(t, append([]string{"chat", "--max-tokens", "12"}, args...)...)
	cmd.Stdin = strings.NewReader(lines)
	return clitest.Finish(t, cmd)
}

// Without a terminal every line is a message, answers alone go to standard output, and a chat goes on from a file.
func TestChatWithoutTerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.session")
	first := talk(t, "How many apples does Tom have?\n/save "+file+"\nAnd pears?\n")
	if first.Status != 0 || strings.Count(first.Stdout, "\n") < 2 {
		t.Fatalf("status %d, stdout %q, stderr %s", first.Status, first.Stdout, first.Stderr)
	}
	second := talk(t, "/load "+file+"\nAnd pears?\n/stats\n/exit\nnot sent\n")
	if second.Status != 0 || second.Stdout == "" || !strings.HasSuffix(first.Stdout, second.Stdout) {
		t.Errorf("status %d: after loading it answers %q, before %q", second.Status, second.Stdout, first.Stdout)
	}
	for _, want := range []string{"user: How many apples", "prompt tokens were still held", "tokens/s"} {
		if !strings.Contains(second.Stderr, want) {
			t.Errorf("stderr lacks %q: %s", want, second.Stderr)
		}
	}
	whole := talk(t, "\"\"\"\nHow many\napples?\n\"\"\"\nHow many \\\napples?\n/clear\n", "--system", "Be brief.")
	if whole.Status != 0 || strings.Count(whole.Stdout, "\n") < 2 {
		t.Errorf("status %d, stdout %q, stderr %s", whole.Status, whole.Stdout, whole.Stderr)
	}
}

func TestChatCommandsRefuse(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte(strings.Repeat("no session ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"/nothing", "no command /nothing"},
		{"/save", "write /save FILE"},
		{"/clear now", "write /clear"},
		{"/stats", "no answer yet"},
		{"/load " + other, "not a whole session file"},
		{"/load " + other + ".not", "no such file"},
		{"/save /dev/null/x", "not a directory"},
		{"/save " + other, "no session and is kept"},
		{"/save " + filepath.Dir(other), "no regular file"},
		{"/save /dev/null", "no regular file"},
		{"/help", "/system [TEXT]"},
		{"/retry", "nothing has been asked"},
		{"/edit What?", "nothing has been asked"},
		{"/model /dev/null/x", "not a directory"},
	} {
		got := talk(t, c.line+"\n")
		if got.Status != 0 || !strings.Contains(got.Stderr, c.want) || got.Stdout != "" {
			t.Errorf("%s: status %d, want it to say %q: %s%s", c.line, got.Status, c.want, got.Stderr, got.Stdout)
		}
	}
}

// The last message can be answered again, changed, and put to another model.
func TestChatGoesBack(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"/system Be brief.", "How many apples does Tom have?", "And pears?", "/retry", "/edit And plums?", "/retry", "/model " + pair.Draft, "/retry", "/model " + t.TempDir(), "/retry"}
	got := talk(t, strings.Join(lines, "\n"))
	answers := strings.SplitAfter(got.Stdout, "\n")
	if got.Status != 0 || len(answers) != 8 {
		t.Fatalf("status %d, stdout %q, stderr %s", got.Status, got.Stdout, got.Stderr)
	}
	if answers[1] != answers[2] || answers[3] != answers[4] || answers[5] != answers[6] || answers[1] == answers[3] || answers[4] == answers[5] {
		t.Errorf("answers are %q; what was asked again has the same answer, other questions and models have others", answers)
	}
	if plums := talk(t, "/system Be brief.\nHow many apples does Tom have?\nAnd plums?\n"); !strings.HasSuffix(plums.Stdout, "\n"+answers[3]) {
		t.Errorf("a question that was changed is answered %q, the same one in its place %q", answers[3], plums.Stdout)
	}
	if strings.Count(got.Stderr, "This is draft: ") != 1 {
		t.Errorf("a model that can't be opened is followed by a description of another one: %s", got.Stderr)
	}
	for _, want := range []string{"(a new conversation begins, with instructions)", "This is demo: ", "This is draft: ", "neither a store nor", "; the chat goes on with draft"} {
		if !strings.Contains(got.Stderr, want) {
			t.Errorf("stderr lacks %q: %s", want, got.Stderr)
		}
	}
}

// Tab completes commands where a line begins, and names of files after those that take one.
func TestChatCompletions(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"kept/one.session", "kept/two.session", "other", ".hidden"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"/s": "/save /stats /system", "/load ": "kept/ other", "/load k": "kept/", "/save kept/t": "kept/two.session", "/save .h": ".hidden", "/model kept/ ot": "other", "/model kept/ kept/o": "kept/one.session",
		"/load nowhere/": "", "/stats ": "", "hello": "", "": "",
	} {
		completions := chatCompletions(text)
		var got []string
		completions.EachValue(func(c readline.Completion) readline.Completion {
			got = append(got, c.Value)
			return c
		})
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q goes on with %q, want %q", text, got, want)
		}
	}
}

func TestChatLines(t *testing.T) {
	for _, c := range []struct {
		text     string
		complete bool
		message  string
	}{
		{"one line", true, "one line"},
		{`one line\`, false, ""},
		{"two\\\nlines", true, "two\nlines"},
		{`"""`, false, ""},
		{"\"\"\"\na\\", false, ""},
		{"\"\"\"\na\nb\n\"\"\"", true, "a\nb"},
		{`"""a"""`, true, "a"},
		{"", true, ""},
	} {
		if complete(c.text) != c.complete {
			t.Errorf("%q: complete is %v", c.text, !c.complete)
		} else if c.complete && joined(c.text, nil) != c.message {
			t.Errorf("%q means %q, want %q", c.text, joined(c.text, nil), c.message)
		}
	}
}

// What was pasted is as it was, and control characters in it are gone.
func TestChatPastedLines(t *testing.T) {
	const command = "curl -s \\\n  example.org"
	for _, c := range []struct {
		text   string
		pasted []string
		want   string
	}{
		{"run\\\n" + command + " \\\nplease", []string{command}, "run\n" + command + " \nplease"},
		{command + command, []string{command, command}, command + command},
		{"edited \\\ntext", []string{command}, "edited \ntext"},
		{"a\\\nb", nil, "a\nb"},
	} {
		if got := joined(c.text, c.pasted); got != c.want {
			t.Errorf("%q means %q, want %q", c.text, got, c.want)
		}
	}
}

func TestChatCommandsAndPaths(t *testing.T) {
	c := &chat{}
	for text, want := range map[string]bool{
		"/help": true, "/quit": true, "/nothing": true, "/save a/b": true, "/system One line.\nAnd another": true,
		"/usr/bin/python says no": false, "/nothing\nof several lines": false, "hello /help": false, "/": true,
	} {
		if c.isCommand(text) != want {
			t.Errorf("%q: a command: %v", text, !want)
		}
	}
}

// On a terminal the control characters of an answer are shown as text, elsewhere they are what they are.
func TestChatViewShowsControlCharacters(t *testing.T) {
	for terminal, want := range map[bool]string{true: "\x1b[0;2mh\\u0007m\x1b[0;0m\n\na\\u001b[2Jb\n", false: "a\x1b[2Jb\n"} {
		var out strings.Builder
		v := &chatView{out: &out, terminal: terminal}
		v.begin(tokenizer.Prompt{})
		v.piece(spec.Piece{Text: "<think>h\am</think>a\x1b[2Jb"})
		if _, answer, err := v.end(); answer != "a\x1b[2Jb" || err != nil || out.String() != want {
			t.Errorf("terminal %v: it shows %q, want %q; answer %q, %v", terminal, out.String(), want, answer, err)
		}
	}
}

func TestChatView(t *testing.T) {
	pieces := []spec.Piece{{Text: "<think>hm", Drafted: 8}, {Text: "</think>\n\nYes, "}, {Text: "it is.", Drafted: 3}}
	for _, c := range []struct {
		name             string
		terminal, colour bool
		want             string
	}{
		{"file", false, false, "Yes, it is.\n"},
		{"terminal", true, false, "\x1b[0;2mhm\x1b[0;0m\n\nYes, it is.\n"},
		{"colours", true, true, "\x1b[0;2mhm\x1b[0;0m\n\nYes, \x1b[0;32mit \x1b[0;0mis.\n"},
	} {
		var out strings.Builder
		v := &chatView{out: &out, terminal: c.terminal, colour: c.colour}
		v.begin(tokenizer.Prompt{})
		for _, p := range pieces {
			v.piece(p)
		}
		thought, answer, err := v.end()
		if thought != "hm" || answer != "Yes, it is." || err != nil || out.String() != c.want {
			t.Errorf("%s: thought %q, answer %q, %v; it shows %q, want %q", c.name, thought, answer, err, out.String(), c.want)
		}
	}
	_, closed := io.Pipe()
	closed.Close()
	v := &chatView{out: closed}
	v.begin(tokenizer.Prompt{})
	v.piece(spec.Piece{Text: "x"})
	if _, _, err := v.end(); err == nil {
		t.Error("an output that is gone is no error")
	}
}
