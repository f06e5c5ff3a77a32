// Command embedstore is a program with its model inside: one file to hand out, which unpacks the model once into the user's cache, from where
// it can be streamed. Copy a store into model.lever before building:
//
//	lever convert Qwen3-0.6B/ store.lever && cp -r store.lever/. examples/embedstore/model.lever/ && go build ./examples/embedstore
package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/lever-go/lever"
)

// The linker takes up to about 2 GB; larger models are better shipped beside the program. "all:" takes every file as it is.
//
//go:embed all:model.lever
var embedded embed.FS

func main() {
	dram := flag.Int64("dram", 0, "MiB of memory for the model's weights; the rest is streamed; 0: all in memory")
	maxTokens := flag.Int("max-tokens", 128, "most tokens of the answer")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, `usage: embedstore [-dram MiB] [-max-tokens N] "prompt"`)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dram<<20, lever.Request{Prompt: flag.Arg(0), MaxTokens: *maxTokens}); err != nil {
		fmt.Fprintln(os.Stderr, "embedstore:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dram int64, request lever.Request) (err error) {
	store, err := unpack(ctx)
	if err != nil {
		return err
	}
	engine, err := lever.Open(ctx, lever.Config{Model: store, DRAM: dram})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	_, err = engine.Generate(ctx, request, func(text string) error {
		_, err := fmt.Print(text)
		return err
	})
	fmt.Println()
	return err
}

// unpack writes the embedded store into the user's cache, unless that was done before, and returns its path.
func unpack(ctx context.Context) (string, error) {
	store, err := fs.Sub(embedded, "model.lever")
	if err != nil {
		return "", err
	}
	manifest, err := fs.ReadFile(store, "lever.json")
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("this program was built without a model: copy the files of a store into examples/embedstore/model.lever and build it again")
	}
	if err != nil {
		return "", err
	}
	cache, err := lever.CacheDir()
	if err != nil {
		return "", err
	}
	// The manifest holds the checksums of all else, so another model gets another folder.
	sum := sha256.Sum256(manifest)
	final := filepath.Join(cache, "embedded-"+hex.EncodeToString(sum[:6])+".lever")
	if _, err := os.Stat(final); !errors.Is(err, fs.ErrNotExist) {
		return final, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// The folder gets its name when it is complete, so that an interrupted start leaves nothing that a later one would use.
	temporary, err := os.MkdirTemp(cache, "unpacking-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	if err := copyTo(ctx, temporary, store); err != nil {
		return "", fmt.Errorf("unpack the model: %w", err)
	}
	err = os.Rename(temporary, final)
	if _, statErr := os.Stat(final); statErr == nil {
		return final, nil // made now, or by another process in the meantime
	}
	return "", err
}

// copyTo copies a tree into dir and makes sure that it is on the disk, which os.CopyFS does not.
func copyTo(ctx context.Context, dir string, tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		in, err := tree.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(target)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Sync(), out.Close())
	})
}
