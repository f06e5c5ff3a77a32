package lever_test

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tokenizer"
)

var conversation = []tokenizer.Message{
	{Role: "user", Content: "Tom has 3 apples and buys 4 more. How many apples does he have?"},
}

// converse answers a conversation and returns it with the answer and a second question.
func converse(t *testing.T, e *lever.Engine) []tokenizer.Message {
	t.Helper()
	first, err := e.Generate(t.Context(), lever.Request{Messages: conversation, MaxTokens: 16}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clone(conversation), tokenizer.Message{Role: "assistant", Content: first.Text}, tokenizer.Message{Role: "user", Content: "And with 5 more?"})
}

func answerTo(t *testing.T, e *lever.Engine, messages []tokenizer.Message) lever.Result {
	t.Helper()
	result, err := e.Generate(t.Context(), lever.Request{Messages: messages, MaxTokens: 16}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// A conversation that goes on in another process gets the answer that it would have got, without being read anew.
func TestSession(t *testing.T) {
	pair := demoPair(t)
	for name, cfg := range map[string]lever.Config{
		"f16":      {Model: pair.Target, Draft: pair.Draft},
		"f32":      {Model: pair.Target, Draft: pair.Draft, KV: tensor.F32},
		"no draft": {Model: pair.Target, KV: tensor.Q8_0},
		"q4_0":     {Model: pair.Target, Draft: pair.Draft, KV: tensor.Q4_0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.session")
			before := open(t, cfg)
			messages := converse(t, before)
			if err := before.SaveSession(path, []byte("a note")); err != nil {
				t.Fatal(err)
			}
			want := answerTo(t, before, messages)

			after := open(t, cfg)
			note, err := after.LoadSession(path)
			if err != nil || string(note) != "a note" {
				t.Fatalf("note %q, %v", note, err)
			}
			got := answerTo(t, after, messages)
			if !slices.Equal(got.TokenIDs, want.TokenIDs) {
				t.Errorf("it answers %q, not %q", got.Text, want.Text)
			}
			if got.ReusedTokens != want.ReusedTokens || got.ReusedTokens < 30 {
				t.Errorf("%d of %d prompt tokens were held, %d without a session file", got.ReusedTokens, got.PromptTokens, want.ReusedTokens)
			}
			if fresh := answerTo(t, open(t, cfg), messages); !slices.Equal(fresh.TokenIDs, want.TokenIDs) || fresh.ReusedTokens != 0 {
				t.Errorf("a new conversation of the same messages gets %q with %d tokens held", fresh.Text, fresh.ReusedTokens)
			}
		})
	}
}

// A file that is not right is refused, and costs nothing but reading the conversation anew.
func TestSessionRefuses(t *testing.T) {
	pair := demoPair(t)
	cfg := lever.Config{Model: pair.Target, Draft: pair.Draft}
	engine := open(t, cfg)
	messages := converse(t, engine)
	path := filepath.Join(t.TempDir(), "a.session")
	if err := engine.SaveSession(path, []byte("note")); err != nil {
		t.Fatal(err)
	}
	want := answerTo(t, engine, messages)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, e *lever.Engine, content []byte, is error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "bad.session")
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := e.LoadSession(file); !errors.Is(err, is) {
			t.Errorf("%s: %v, want %v", name, err, is)
		}
		if got := answerTo(t, e, messages); e == engine && !slices.Equal(got.TokenIDs, want.TokenIDs) {
			t.Errorf("%s: afterwards it answers %q", name, got.Text)
		}
	}
	try("empty", engine, nil, lever.ErrSessionCorrupt)
	try("another file", engine, slices.Repeat([]byte("text"), 100), lever.ErrSessionCorrupt)
	for _, at := range []int{20, 60, len(good) / 2, len(good) - 1} {
		bad := slices.Clone(good)
		bad[at] ^= 4
		try("a flipped bit", engine, bad, lever.ErrSessionCorrupt)
	}
	try("half", engine, good[:len(good)/2], lever.ErrSessionCorrupt)
	later := slices.Clone(good)
	binary.LittleEndian.PutUint32(later[14:], 3)
	try("a later version", engine, resum(later), lever.ErrSessionVersion)
	try("other keys and values", open(t, lever.Config{Model: pair.Target, KV: tensor.F32}), good, lever.ErrSessionForeign)
	try("keys and values in bytes", open(t, lever.Config{Model: pair.Target, KV: tensor.Q8_0}), good, lever.ErrSessionForeign)
	nibbles := open(t, lever.Config{Model: pair.Target, KV: tensor.Q4_0})
	try("values in four bits", nibbles, good, lever.ErrSessionForeign)
	converse(t, nibbles)
	if err := nibbles.SaveSession(path+"4", nil); err != nil {
		t.Fatal(err)
	}
	inBytes := open(t, lever.Config{Model: pair.Target, KV: tensor.Q8_0})
	if _, err := inBytes.LoadSession(path + "4"); !errors.Is(err, lever.ErrSessionForeign) || !strings.Contains(err.Error(), "in q4_0; this one of 8 in q8_0") {
		t.Errorf("values of four bits where they are bytes: %v", err)
	}
	try("another model", open(t, lever.Config{Model: pair.Draft}), good, lever.ErrSessionForeign)
	try("a smaller context", open(t, lever.Config{Model: pair.Target, Context: 200}), good, nil)

	other := open(t, lever.Config{Model: pair.Target, Kernels: "ref"})
	if note, err := other.LoadSession(path); !errors.Is(err, lever.ErrSessionForeign) || string(note) != "note" {
		t.Errorf("other kernels: note %q, %v", note, err)
	}
}

// resum gives a session that was changed the right checksum.
func resum(content []byte) []byte {
	body := content[:len(content)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(body, sum[:]...)
}

func demoPair(t *testing.T) demo.Pair {
	t.Helper()
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// What is no regular file is refused at once, instead of waited for.
func TestSessionIsARegularFile(t *testing.T) {
	engine := open(t, lever.Config{Model: demoPair(t).Target})
	if _, err := engine.LoadSession(t.TempDir()); !errors.Is(err, lever.ErrSessionCorrupt) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := engine.LoadSession(os.DevNull); !errors.Is(err, lever.ErrSessionCorrupt) {
		t.Errorf("a device: %v", err)
	}
}
