//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lever-go/lever/internal/clitest"
	"golang.org/x/sys/unix"
)

// pseudoTerminal is a program on a terminal, of which the test is the other side.
type pseudoTerminal struct {
	*testing.T
	side *os.File

	mu     sync.Mutex
	output bytes.Buffer
}

// onTerminal starts a run of the program on a terminal and kills it at the end of the test, if it has not ended by then.
func onTerminal(t *testing.T, args ...string) *pseudoTerminal {
	t.Helper()
	side, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("skipped: needs a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { side.Close() })
	number, err := unix.IoctlGetInt(int(side.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(side.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(side.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Skipf("skipped: needs a pseudo-terminal: %v", err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("skipped: needs a pseudo-terminal: %v", err)
	}
	defer terminal.Close()
	cmd := clitest.Program(t, args...)
	cmd.Env = append(cmd.Env, "TERM=xterm", "LEVER_CACHE="+t.TempDir()) // in which the history is
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &pseudoTerminal{T: t, side: side}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := side.Read(buf)
			p.mu.Lock()
			p.output.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
			if bytes.Contains(buf[:n], []byte("\x1b[6n")) { // where is the cursor?
				side.WriteString("\x1b[1;1R")
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return p
}

// text returns what the program has written since the last call of expect.
func (p *pseudoTerminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// expect waits until the program has written all of these since the last call, one after the other.
func (p *pseudoTerminal) expect(texts ...string) {
	p.Helper()
	deadline := time.Now().Add(time.Minute)
	from := 0
	for _, want := range texts {
		at := strings.Index(p.text()[from:], want)
		for ; at < 0; at = strings.Index(p.text()[from:], want) {
			if time.Now().After(deadline) {
				p.Fatalf("it does not write %q: %q", want, p.text()[from:])
			}
			time.Sleep(10 * time.Millisecond)
		}
		from += at + len(want)
	}
	p.mu.Lock()
	p.output.Reset()
	p.mu.Unlock()
}

func (p *pseudoTerminal) enter(text string) {
	p.Helper()
	if _, err := p.side.WriteString(text); err != nil {
		p.Fatal(err)
	}
}

// A chat on a terminal begins with the model's name and a hint, lines that are pasted are one message, and control characters of a session file
// are shown as text.
func TestChatOnTerminal(t *testing.T) {
	session := filepath.Join(t.TempDir(), "a.session")
	p := onTerminal(t, "chat", "--max-tokens", "3")
	const (
		begins = "\x1b[?2004h" // to read a message, of which it wants to know what is pasted
		reads  = "\x1b[?25h"   // it: the cursor is shown
	)
	p.expect("This is demo", "/help", begins, reads)
	p.enter("\x1b[200~one\ntwo\nthree\x1b[201~")
	p.expect("three")
	p.enter("\r")
	p.expect(begins, reads)
	p.enter("/save " + session + "\r")
	p.expect(begins, reads)
	engine, err := openDemo(t)
	if err != nil {
		t.Fatal(err)
	}
	var note chatNote
	content, err := engine.LoadSession(session)
	if err == nil {
		err = json.Unmarshal(content, &note)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(note.Messages) != 2 || note.Messages[0].Content != "one\ntwo\nthree" {
		t.Errorf("the conversation is %q", note.Messages)
	}

	note.Messages[1].Content = "\x1b]0;title\x07"
	if content, err = json.Marshal(note); err == nil {
		err = engine.SaveSession(session, content)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.enter("/load " + session + "\r")
	p.expect(`assistant: \u001b]0;title\u0007`)
}

// Keys are kept whenever they come: the terminal is not asked where the cursor is, since keys that come with its answer would be lost. What was typed during an
// answer stands in the next message.
func TestChatLosesNoKeys(t *testing.T) {
	p := onTerminal(t, "chat", "--max-tokens", "3")
	for _, key := range "\x1b[200~before\x1b[201~ and after" {
		p.enter(string(key))
	}
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(p.text(), "before and after") {
		if time.Now().After(deadline) {
			t.Fatalf("it does not show what was typed: %q", p.text())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if strings.Contains(p.text(), "\x1b[6n") {
		t.Errorf("it asks where the cursor is: %q", p.text())
	}
	p.enter("\r")
	p.expect("cut after 3 tokens", "\x1b[K", ">>> ")
}

// Long messages are counted in rows, wide characters as two.
func TestRowsOfMessage(t *testing.T) {
	for message, want := range map[string]int{
		"": 1, "short": 1, strings.Repeat("a", 15): 1, strings.Repeat("a", 16): 2, strings.Repeat("a", 36): 3, strings.Repeat("語", 7): 1, strings.Repeat("語", 8): 2, "one\ntwo\n": 3,
	} {
		if got := rowsOf([]rune(message), 20); got != want {
			t.Errorf("%q: %d rows, want %d", message, got, want)
		}
	}
}
