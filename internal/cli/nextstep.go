package cli

import (
	"errors"
	"path/filepath"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// NextStep returns what a user can do about an error of a library, which does not know the commands; empty where nothing is known that
// its text does not say.
func NextStep(err error) string {
	damaged := damagedFile(err)
	switch {
	case errors.Is(err, weights.ErrReplaced):
		return "Start again: the store that is there now is a new one."
	case errors.Is(err, weights.ErrVersion):
		return "It was made by another version of lever: make it again with this one."
	case damaged != "" && isCached(damaged):
		return "It is a copy in the cache, which the same command makes anew when it is given again."
	case damaged != "":
		return "The store is damaged: copy it again, or convert its model again with --overwrite. 'lever verify STORE' checks all of it."
	case errors.Is(err, spec.ErrNotParallel):
		return "If the draft was trained with a mask token, --draft-mask-token names it; else choose another policy, such as chain."
	case errors.Is(err, lever.ErrContextLimit):
		return "Give a shorter prompt, or a model with a longer context."
	case errors.Is(err, spec.ErrPromptTooLong), errors.Is(err, layers.ErrContextFull):
		return "Give a shorter prompt; or --context makes room for more tokens, where memory and the model allow it."
	}
	return ""
}

// damagedFile returns the path of the store's file that err concerns; empty where it concerns none.
func damagedFile(err error) string {
	var chunk *weights.ChunkError
	var file *weights.FileError
	switch {
	case errors.As(err, &chunk):
		return chunk.File
	case errors.As(err, &file):
		return file.File
	}
	return ""
}

// isCached reports whether a file lies in the cache, for which lever has made it.
func isCached(path string) bool {
	cache, err := lever.CacheDir()
	if err != nil {
		return false
	}
	below, err := filepath.Rel(cache, path)
	return err == nil && filepath.IsLocal(below)
}
