// Package demo holds the embedded pair of demo models, as flash stores: a target of 14 million parameters and a draft of 2
// million, trained for this project on grade-school maths, Python and Go. They are toys that make every part of the program
// run, offline and with no download.
package demo

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:generate go run ../../cmd/lever convert --overwrite --type q8_0 ../../../shared/models/lever-tiny-llama/target stores/target.lever
//go:generate go run ../../cmd/lever convert --overwrite --type q8_0 ../../../shared/models/lever-tiny-llama/draft stores/draft.lever
//go:generate sh -c "go run ../../cmd/lever-distill --model stores/target.lever --draft stores/draft.lever --text $(go env GOROOT)/src/net --text $(go env GOROOT)/src/strings --text /usr/lib/python3.11 --work $(mktemp -d)"

//go:embed all:stores
var stores embed.FS

// Pair is where the two stores lie.
type Pair struct{ Target, Draft string }

// Unpack writes the stores below dir, unless that was done before, and returns their paths. An interrupted call leaves nothing
// that a later one would take for complete. Other processes may unpack at the same time.
func Unpack(ctx context.Context, dir string) (Pair, error) {
	digest, err := digest()
	if err != nil {
		return Pair{}, err
	}
	final := filepath.Join(dir, "demo-"+digest)
	pair := Pair{filepath.Join(final, "target.lever"), filepath.Join(final, "draft.lever")}
	if _, err := os.Stat(final); err == nil {
		return pair, nil
	}
	if err := unpack(ctx, dir, final); err != nil {
		return Pair{}, fmt.Errorf("unpack the demo models into %s: %w", dir, err)
	}
	return pair, nil
}

// digest identifies the embedded stores: their manifests hold the checksums of all else but the predictors.
func digest() (string, error) {
	names, err := fs.Glob(stores, "stores/target.lever/predictor-*.bin")
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range append(names, "stores/target.lever/lever.json", "stores/draft.lever/lever.json") {
		content, err := stores.ReadFile(name)
		if err != nil {
			return "", err
		}
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

func unpack(ctx context.Context, dir, final string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(dir, "unpacking-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	tree, err := fs.Sub(stores, "stores")
	if err != nil {
		return err
	}
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		target := filepath.Join(temporary, "stores", filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
	if err != nil {
		return err
	}
	err = os.Rename(filepath.Join(temporary, "stores"), final)
	if _, statErr := os.Stat(final); statErr == nil {
		return nil // unpacked now, or by another process in the meantime
	}
	return err
}
