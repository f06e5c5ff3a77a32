package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// The advice beside an error fits what its user has.
func TestNextStep(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("LEVER_CACHE", cache)
	chunk := func(dir string, err error) error {
		return fmt.Errorf("generate: %w", &weights.ChunkError{Op: "read", File: filepath.Join(dir, "x.lever", "chunks", "0001.bin"), Err: err})
	}
	manifest := func(dir string, err error) error {
		return &weights.FileError{File: filepath.Join(dir, "x.lever", weights.ManifestName), Err: err}
	}
	elsewhere := t.TempDir()
	for _, c := range []struct {
		name string
		err  error
		want string // begins the advice
	}{
		{"a store that was replaced", chunk(elsewhere, weights.ErrReplaced), "Start again"},
		{"one in the cache that was replaced", chunk(cache, weights.ErrReplaced), "Start again"},
		{"another version", manifest(elsewhere, weights.ErrVersion), "It was made by another version"},
		{"a damaged chunk", chunk(elsewhere, weights.ErrCorrupt), "The store is damaged"},
		{"a damaged manifest", manifest(elsewhere, weights.ErrCorrupt), "The store is damaged"},
		{"a damaged chunk in the cache", chunk(cache, weights.ErrTruncated), "It is a copy in the cache"},
		{"a damaged manifest in the cache", manifest(cache, weights.ErrCorrupt), "It is a copy in the cache"},
		{"a folder beside the cache", chunk(cache+"-old", weights.ErrCorrupt), "The store is damaged"},
		{"a draft without a mask token", fmt.Errorf("policy pard: %w", spec.ErrNotParallel), "If the draft was trained"},
		{"a long prompt", spec.ErrPromptTooLong, "Give a shorter prompt; or --context"},
		{"a prompt that is too long for the model", fmt.Errorf("%w: %w", spec.ErrPromptTooLong, lever.ErrContextLimit), "Give a shorter prompt, or a model"},
	} {
		if got := NextStep(c.err); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := NextStep(errors.New("another error")); got != "" {
		t.Errorf("got %q of an error that says it all", got)
	}
}
