package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/weights"
)

// Wherever it is killed, the program leaves what was there, or what should be there, or nothing; and the next run leaves nothing else. The
// environment variable LEVER_KILLS says how often each test kills.

// killing runs commands and kills them.
type killing struct {
	*testing.T
	rng   *rand.Rand
	times int
	takes time.Duration // that a command takes which nobody kills
}

func newKilling(t *testing.T) *killing {
	k := &killing{T: t, rng: rand.New(rand.NewPCG(1, 2)), times: 3}
	if text := os.Getenv("LEVER_KILLS"); text != "" {
		var err error
		if k.times, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// good runs a command to its end.
func (k *killing) good(cmd *exec.Cmd) {
	k.Helper()
	began := time.Now()
	if got := clitest.Finish(k.T, cmd); got.Status != 0 {
		k.Fatalf("%v: status %d: %s", cmd.Args[1:], got.Status, got.Stderr)
	}
	k.takes = time.Since(began)
}

// kill runs a command and kills it at a random moment, which may be after its end.
func (k *killing) kill(cmd *exec.Cmd) {
	k.Helper()
	if err := cmd.Start(); err != nil {
		k.Fatal(err)
	}
	time.Sleep(time.Duration(k.rng.Int64N(int64(k.takes))))
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		k.Fatal(err)
	}
	cmd.Wait() // its error is that it was killed
}

// onlyIn checks what a folder holds.
func (k *killing) onlyIn(dir string, names ...string) {
	k.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		k.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		k.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

// manifest returns the manifest of a store that must be whole; empty where there is none.
func (k *killing) manifest(store string) string {
	k.Helper()
	if _, err := os.Stat(store); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err := weights.Verify(k.Context(), store, nil); err != nil {
		k.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(store, "lever.json"))
	if err != nil {
		k.Error(err)
	}
	return string(text)
}

func TestKilledConversion(t *testing.T) {
	k := newKilling(t)
	source := testdata.Shared(t, "models/lever-tiny-llama/draft")
	dir := t.TempDir()
	store := filepath.Join(dir, "x.lever")
	k.good(clitest.Program(t, "convert", source, store))
	want := k.manifest(store)
	for range k.times {
		if err := os.RemoveAll(store); err != nil {
			t.Fatal(err)
		}
		k.kill(clitest.Program(t, "convert", source, store))
		if got := k.manifest(store); got != "" && got != want {
			t.Error("another store")
		}
	}
	if err := os.RemoveAll(store); err != nil {
		t.Fatal(err)
	}
	k.good(clitest.Program(t, "convert", source, store))
	k.onlyIn(dir, "x.lever")
}

func TestKilledOverwriting(t *testing.T) {
	k := newKilling(t)
	source := testdata.Shared(t, "models/lever-tiny-llama/draft")
	dir := t.TempDir()
	store := filepath.Join(dir, "x.lever")
	convert := func(dtype string) *exec.Cmd {
		return clitest.Program(t, "convert", "--overwrite", "--type", dtype, source, store)
	}
	known := map[string]bool{}
	for _, dtype := range []string{"q4_0", "q8_0"} {
		k.good(convert(dtype))
		known[k.manifest(store)] = true
	}
	for i := range k.times {
		k.kill(convert([]string{"q4_0", "q8_0"}[i%2]))
		if !known[k.manifest(store)] {
			t.Error("neither the old store nor the new one")
		}
	}
	k.good(convert("q8_0"))
	k.onlyIn(dir, "x.lever")
}

func TestKilledUnpacking(t *testing.T) {
	k := newKilling(t)
	dir := t.TempDir()
	run := func() *exec.Cmd {
		cmd := clitest.Program(t, "run", "--raw", "--max-tokens", "1", "x")
		cmd.Env = append(cmd.Env, "LEVER_CACHE="+dir)
		return cmd
	}
	k.good(run())
	demo, err := filepath.Glob(filepath.Join(dir, "demo-*"))
	if err != nil || len(demo) != 1 {
		t.Fatal(demo, err)
	}
	stores := []string{filepath.Join(demo[0], "draft.lever"), filepath.Join(demo[0], "target.lever")}
	want := []string{k.manifest(stores[0]), k.manifest(stores[1])}
	for range k.times {
		if err := os.RemoveAll(demo[0]); err != nil {
			t.Fatal(err)
		}
		k.kill(run())
		for i, store := range stores {
			if got := k.manifest(store); got != "" && got != want[i] {
				t.Error("another store")
			}
		}
	}
	k.good(run())
	k.onlyIn(dir, filepath.Base(demo[0]), "learned")
	k.onlyIn(demo[0], "draft.lever", "target.lever")
	for i, store := range stores {
		if k.manifest(store) != want[i] {
			t.Error("another store")
		}
	}
}

func TestKilledSaving(t *testing.T) {
	k := newKilling(t)
	dir := t.TempDir()
	session := filepath.Join(dir, "x.session")
	chat := func() *exec.Cmd {
		cmd := clitest.Program(t, "chat", "--max-tokens", "4")
		cmd.Stdin = strings.NewReader("Hello\n" + strings.Repeat("/save "+session+"\n", 8))
		return cmd
	}
	k.good(chat())
	engine, err := openDemo(t)
	if err != nil {
		t.Fatal(err)
	}
	for range k.times {
		k.kill(chat())
		if _, err := engine.LoadSession(session); err != nil {
			t.Error(err)
		}
	}
	k.good(chat())
	k.onlyIn(dir, "x.session")
}

// openDemo opens the demo as the program does.
func openDemo(t *testing.T) (*lever.Engine, error) {
	t.Setenv("LEVER_CACHE", clitest.Cache)
	target, draft, err := cli.ChooseModels(t.Context(), "", "")
	if err != nil {
		return nil, err
	}
	engine, err := lever.Open(t.Context(), lever.Config{Model: target, Draft: draft})
	if err == nil {
		t.Cleanup(func() { engine.Close() })
	}
	return engine, err
}

func TestKilledPull(t *testing.T) {
	k := newKilling(t)
	source := testdata.Shared(t, "models/lever-tiny-llama/target")
	server := hubServer(t, source)
	dir := filepath.Join(t.TempDir(), "tiny")
	pull := func() *exec.Cmd { return clitest.Program(t, "pull", "--endpoint", server.URL, "ours/tiny", dir) }
	k.good(pull())
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(complete bool) {
		t.Helper()
		for _, name := range names {
			got, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) && !complete {
				continue
			}
			want, wantErr := os.ReadFile(filepath.Join(source, filepath.Base(name)))
			if err := errors.Join(err, wantErr); err != nil || string(got) != string(want) {
				t.Errorf("%s is not what the hub has: %v", name, err)
			}
		}
	}
	for range k.times {
		for _, name := range names {
			if k.rng.IntN(2) == 0 {
				os.Remove(name)
			}
		}
		k.kill(pull())
		check(false)
	}
	k.good(pull())
	check(true)
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	k.onlyIn(dir, names...)
}

// Processes that share a file of answers add to it, one after the other or at once, and a killed one neither damages it nor leaves anything else.
func TestKilledRemembering(t *testing.T) {
	k := newKilling(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "answers")
	run := func(prompt string) *exec.Cmd {
		return clitest.Program(t, "run", "--raw", "--remember", path, "--max-tokens", "8", prompt)
	}
	t.Setenv("LEVER_CACHE", clitest.Cache)
	target, _, err := cli.ChooseModels(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	remembered := func() int { // tokens
		t.Helper()
		engine, err := lever.Open(t.Context(), lever.Config{Model: target, Remember: path})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		return engine.Answers().Len()
	}
	k.good(run("Janet has"))
	one := remembered()
	var together []*exec.Cmd
	for _, prompt := range []string{"def add(a, b):", "1, 2, 3,", "Why is the sky"} {
		cmd := run(prompt)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		together = append(together, cmd)
	}
	for _, cmd := range together {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	before := remembered()
	if before < 4*one {
		t.Errorf("four processes kept %d tokens, the first of them %d", before, one)
	}
	for i := range k.times {
		k.kill(run(fmt.Sprintf("%d times %d is", i, i)))
		now := remembered()
		if now < before {
			t.Errorf("%d tokens are left of %d", now, before)
		}
		before = now
	}
	k.good(run("Hello"))
	k.onlyIn(dir, "answers")
}
