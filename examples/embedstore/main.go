// Command embedstore is a program with its model inside: one file to hand out, which unpacks the model once into the user's cache, from where
// it can be streamed. Copy a store into model.lever before building:
//
//	lever convert Qwen3-0.6B/ store.lever && cp -r store.lever/. examples/embedstore/model.lever/ && go build ./examples/embedstore
package main

import (
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/weights"
	"github.com/minio/sha256-simd"
)

// The linker takes up to about 2 GB; larger models are better shipped beside the program. "all:" takes every file as it is.
//
//go:embed all:model.lever
var embedded embed.FS

func main() {
	dram := flag.Int64("dram", 0, "MiB of memory for the model's weights; the rest is streamed; 0 keeps all in memory")
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
	path := filepath.Join(cache, "embedded-"+hex.EncodeToString(sum[:6])+".lever")
	return path, weights.Unpack(ctx, store, path)
}
