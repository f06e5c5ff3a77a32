package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/clitest"
)

const templateNote = "the model's chat template can't be used, a built-in one is: "

// Whoever talks to a model with a built-in chat template in the place of its own is told so before the answer.
func TestTemplateNoteComesFirst(t *testing.T) {
	dir := editedModel(t, map[string]map[string]any{"tokenizer_config.json": {"chat_template": "\n{% include 'other' %}"}})
	want := templateNote + `tokenizer: chat template: line 2: tag "include" is not known here`
	answer := runJSON(t, "--model", dir, "--temperature", "0", "--max-tokens", "8", apples).Text
	for _, command := range []string{"run", "chat"} {
		args := []string{command, "--model", dir, "--temperature", "0", "--max-tokens", "8"}
		if command == "run" {
			args = append(args, apples)
		}
		cmd := clitest.Program(t, args...)
		var both bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(apples+"\n"), &both, &both
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, &both)
		}
		before, after, ok := strings.Cut(both.String(), want)
		if !ok || strings.Contains(before, answer) || !strings.Contains(after, answer) || strings.Contains(after, templateNote) {
			t.Errorf("%s prints %q and then %q around the note, want the answer %q after it", command, before, after, answer)
		}
	}
	cmd := clitest.Program(t, "serve", "--model", dir, "--listen", "127.0.0.1:0")
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if cmd.Stderr = file; cmd.Start() != nil {
		t.Fatal("the server does not start")
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	for range 600 {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if before, _, ok := strings.Cut(string(content), "on http://"); ok {
			if !strings.Contains(before, want) {
				t.Errorf("serve begins with %q, want %q", before, want)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the server does not say where it is")
}

// A template that leaves out what is asked is not taken in silence.
func TestTemplateThatIgnoresMessages(t *testing.T) {
	template := filepath.Join(t.TempDir(), "template")
	for text, want := range map[string]bool{"Hello.": true, "{% for m in messages %}{{ m.content }}{% endfor %}": false} {
		if err := os.WriteFile(template, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := clitest.MustSucceed(t, "run", "--max-tokens", "1", "--chat-template", template, apples)
		if strings.Contains(got.Stderr, "leaves messages out") != want {
			t.Errorf("%q: %s", text, got.Stderr)
		}
	}
}
