package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/internal/hub"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// ChooseModels returns the models that are meant: those given, or else those of the demo.
func ChooseModels(ctx context.Context, model, draft string) (target, chosenDraft string, err error) {
	for _, path := range []string{model, draft} {
		if err := checkModelPath(path); err != nil {
			return "", "", err
		}
	}
	if model != "" {
		return model, draft, nil
	}
	dir, err := lever.CacheDir()
	if err != nil {
		return "", "", err
	}
	pair, err := demo.Unpack(ctx, dir)
	if err != nil {
		return "", "", fmt.Errorf("%w; LEVER_CACHE names another folder for the cache", err)
	}
	return pair.Target, cmp.Or(draft, pair.Draft), nil
}

// checkModelPath reports a path that a user gave where there is nothing.
func checkModelPath(path string) error {
	if path == "" {
		return nil
	}
	_, err := weights.IsStore(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case strings.Contains(path, "/") && hub.IsRepo(path) && !slices.Contains([]string{".gguf", ".lever"}, filepath.Ext(path)):
		return fmt.Errorf("there is no model %s here; lever pull %s downloads the repository of this name", path, path)
	}
	return fmt.Errorf("there is no model %s; give a store, a Hugging Face folder or a GGUF file", path)
}

// StoreTypes returns the names of the types of matrices that a model can be converted to.
func StoreTypes() []string {
	var names []string
	for _, d := range weights.EncodableTypes() {
		names = append(names, d.String())
	}
	return names
}

// MixNames returns the names of mixes of such types.
func MixNames() []string {
	var names []string
	for _, m := range weights.Mixes() {
		names = append(names, m.Name)
	}
	return names
}

// ParseStoreType returns the type of a name in [StoreTypes].
func ParseStoreType(name string) (tensor.DType, error) {
	d, err := tensor.ParseDType(name)
	if err != nil || !slices.Contains(weights.EncodableTypes(), d) {
		return tensor.Invalid, UsageErrorf("unknown type %q; choose one of %s", name, strings.Join(StoreTypes(), ", "))
	}
	return d, nil
}
