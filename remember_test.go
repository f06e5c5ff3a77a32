package lever_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/publish"
	"golang.org/x/sync/errgroup"
)

// What was answered before is answered again in fewer passes, in a later process too, and in the same words.
func TestRemember(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers")
	cfg := lever.Config{Model: demoPair(t).Target, Remember: path}
	req := lever.Request{Messages: conversation, MaxTokens: 48}
	answer := func(e *lever.Engine) lever.Result {
		t.Helper()
		r, err := e.Generate(t.Context(), req, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	e := open(t, lever.Config{Model: cfg.Model})
	want := answer(e)
	if e.Answers() != nil || e.SaveAnswers() != nil {
		t.Error("answers are kept though nobody asked for that")
	}
	e = open(t, cfg)
	first := answer(e)
	if err := e.SaveAnswers(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e = open(t, cfg)
	again := answer(e)
	if !slices.Equal(first.TokenIDs, want.TokenIDs) || !slices.Equal(again.TokenIDs, want.TokenIDs) {
		t.Errorf("%q, then %q, want %q", first.Text, again.Text, want.Text)
	}
	if again.Passes >= first.Passes*3/4 {
		t.Errorf("%d passes, then %d", first.Passes, again.Passes)
	}
	t.Logf("%d passes without answers, %d and %d with them", want.Passes, first.Passes, again.Passes)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, saved) {
		t.Errorf("the same answer once more left %d bytes of %d: %v", len(now), len(saved), err)
	}

	// What another process adds meanwhile stays, also where both write at once.
	cfg.Remember = filepath.Join(t.TempDir(), "shared")
	var sharing []*lever.Engine
	tokens := 0
	for i := range 4 {
		e := open(t, cfg)
		r, err := e.Generate(t.Context(), lever.Request{Prompt: fmt.Sprintf("Tom has %d apples.", i+3), MaxTokens: 10 + i}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tokens += len(r.TokenIDs)
		sharing = append(sharing, e)
	}
	var group errgroup.Group
	for _, e := range sharing {
		group.Go(e.Close)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	e = open(t, cfg)
	if got, want := e.Answers().Len(), tokens+len(sharing)-1; got != want { // with what stands between answers
		t.Errorf("%d engines kept %d tokens, want %d", len(sharing), got, want)
	}
	if entries, err := os.ReadDir(filepath.Dir(cfg.Remember)); err != nil || len(entries) != 1 {
		t.Errorf("beside the answers: %v, %v", entries, err)
	}
	// A file that is damaged, or forgotten, meanwhile is neither written over nor filled with what was forgotten.
	if _, err := e.Generate(t.Context(), req, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.Remember, []byte("dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.SaveAnswers(); !errors.Is(err, lever.ErrAnswersCorrupt) {
		t.Errorf("over another file: error %v", err)
	}
	if now, err := os.ReadFile(cfg.Remember); err != nil || string(now) != "dear diary" {
		t.Errorf("another file was changed: %q, %v", now, err)
	}
	if err := os.Remove(cfg.Remember); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, cfg)
	if got := e.Answers().Len(); got != len(want.TokenIDs) {
		t.Errorf("%d tokens in place of the %d that were added since the file was removed", got, len(want.TokenIDs))
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}

	// A process that was stopped while it had the folder locked doesn't keep this one: what is there stays, and saving again adds what is missing.
	cfg.Remember = filepath.Join(t.TempDir(), "locked")
	if err := os.WriteFile(cfg.Remember, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	e = open(t, cfg)
	other, err := e.Generate(t.Context(), lever.Request{Prompt: "Another one.", MaxTokens: 20}, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		stopped, err := publish.LockFolder(t.Context(), filepath.Dir(cfg.Remember))
		if err != nil {
			t.Fatal(err)
		}
		defer stopped()
		began := time.Now()
		if err := e.SaveAnswers(); !errors.Is(err, lever.ErrAnswersLocked) || !strings.Contains(err.Error(), filepath.Dir(cfg.Remember)) || time.Since(began) > time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
	if now, err := os.ReadFile(cfg.Remember); err != nil || !bytes.Equal(now, saved) {
		t.Errorf("the file was changed while its folder was locked: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = open(t, cfg)
	if got, want := e.Answers().Len(), len(first.TokenIDs)+1+len(other.TokenIDs); got != want {
		t.Errorf("%d tokens once the folder was free again, want %d", got, want)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}

	foreign := slices.Clone(saved)
	foreign[20]++ // of the vocabulary's hash
	sum := sha256.Sum256(foreign[:len(foreign)-sha256.Size])
	copy(foreign[len(foreign)-sha256.Size:], sum[:])
	flipped := slices.Clone(saved)
	flipped[len(flipped)/2] ^= 4
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"empty":           {nil, nil},
		"cut":             {saved[:len(saved)-1], lever.ErrAnswersCorrupt},
		"a start":         {saved[:20], lever.ErrAnswersCorrupt},
		"flipped":         {flipped, lever.ErrAnswersCorrupt},
		"something else":  {[]byte("dear diary"), lever.ErrAnswersCorrupt},
		"far too large":   {make([]byte, 2<<20), lever.ErrAnswersCorrupt},
		"of other tokens": {foreign, lever.ErrAnswersForeign},
	} {
		cfg.Remember = filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(cfg.Remember, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := lever.Open(t.Context(), cfg)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
		if err == nil && e.Close() != nil {
			t.Errorf("%s: not closed", name)
		}
		if now, err := os.ReadFile(cfg.Remember); err != nil || !bytes.Equal(now, c.content) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	cfg.Remember = filepath.Join(t.TempDir(), "no folder", "a")
	if _, err := lever.Open(t.Context(), cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a folder that is not there: error %v", err)
	}
}
