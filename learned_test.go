package lever_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec/gaincost"
)

// What a policy has learned of a pair is there in a later engine of that pair, and of no other.
func TestKeepLearned(t *testing.T) {
	pair := demoPair(t)
	cfg := lever.Config{Model: pair.Target, Draft: pair.Draft, CacheDir: t.TempDir(), KeepLearned: true}
	learned := func(e *lever.Engine) []byte {
		t.Helper()
		l, err := e.NewLever(gaincost.LeverOptions{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := l.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	files := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(cfg.CacheDir, "learned", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	e := open(t, cfg)
	nothing := learned(e)
	if err := e.Close(); err != nil || len(files()) != 0 {
		t.Fatalf("after no answer: %v, error %v", files(), err)
	}
	e = open(t, cfg)
	answerTo(t, e, conversation)
	if err := e.Close(); err != nil || len(files()) != 1 {
		t.Fatalf("after an answer: %v, error %v", files(), err)
	}
	kept := learned(open(t, cfg))
	if bytes.Equal(kept, nothing) {
		t.Error("nothing was kept")
	}
	other := cfg
	other.Draft = ""
	if !bytes.Equal(learned(open(t, other)), nothing) {
		t.Error("it is there for another pair")
	}
	other = cfg
	other.KeepLearned = false
	if !bytes.Equal(learned(open(t, other)), nothing) {
		t.Error("it is there though nobody asked for that")
	}

	path := files()[0]
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"cut": content[:len(content)/2], "empty": nil, "of others": bytes.Replace(content, []byte(`"Draft":"`), []byte(`"Draft":"f`), 1),
		"impossible": bytes.Replace(content, []byte(`"hits":[`), []byte(`"hits":[7`), 1),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(learned(open(t, cfg)), nothing) {
			t.Errorf("%s: it was taken", name)
		}
	}
	cfg.CacheDir = path // where no folder can be made
	e = open(t, cfg)
	answerTo(t, e, conversation)
	if err := e.Close(); err != nil {
		t.Errorf("where nothing can be kept: %v", err)
	}
}
