package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
	"github.com/lever-go/lever/weights/importance"
)

const (
	// imatrixExt ends the names of files of importances.
	imatrixExt = ".imatrix"
	// maxImatrixText bounds the text that importance is measured with, in bytes, imatrixTokens in tokens, and imatrixSequence each piece of it.
	maxImatrixText  = 64 << 20
	imatrixTokens   = 1 << 15
	imatrixSequence = 512
)

// loadImportance returns the importance that path holds: a file of an earlier conversion, or a text, to measure it with the model at src. Measured
// importance is kept beside the store dst.
func loadImportance(ctx context.Context, path, src, dst string, bar *cli.Progress) (importance.Of, error) {
	if filepath.Ext(path) == imatrixExt {
		return importance.Load(ctx, path)
	}
	text, err := regular.Read(path, maxImatrixText)
	if err != nil {
		return nil, fmt.Errorf("--imatrix: %w", err)
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("--imatrix: %s is neither text in UTF-8 nor a file whose name ends in %s", path, imatrixExt)
	}
	measured, err := measureImportance(ctx, string(text), src, filepath.Dir(filepath.Clean(dst)), bar)
	if err != nil {
		return nil, err
	}
	kept := strings.TrimSuffix(filepath.Clean(dst), ".lever") + imatrixExt
	if err := importance.Save(kept, measured); err != nil {
		return nil, err
	}
	fmt.Fprintf(cli.Stderr, "importance of the columns is kept in %s; --imatrix %s uses it again\n", kept, kept)
	return measured, nil
}

// measureImportance makes a store of src in a folder of its own in dir, runs it over text, and removes it.
func measureImportance(ctx context.Context, text, src, dir string, bar *cli.Progress) (measured importance.Of, err error) {
	temp, remove, err := publish.Temp(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	path := filepath.Join(temp, "measured.lever")
	progress := func(p weights.Progress) { bar.Update("converting for --imatrix", p.Done, p.Total) }
	if err := convert.Convert(ctx, src, path, weights.WriteOptions{CheckTokenizer: tokenizer.Check, Progress: progress}); err != nil {
		return nil, err
	}
	store, err := weights.Open(ctx, path, weights.OpenOptions{})
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.Open(os.DirFS(path))
	if err != nil {
		return nil, err
	}
	sequences := imatrixSequences(t, text)
	if len(sequences) == 0 {
		return nil, errors.New("--imatrix: the text is empty")
	}
	pool := kernels.NewPool(host.PerformanceCores())
	defer pool.Close()
	return importance.Measure(ctx, store, sequences, importance.Options{
		Pool: pool, DRAM: min(weightMemory(0), 2*store.Bytes()), Progress: func(done, total int) { bar.Update("measuring importance", int64(done), int64(total)) },
	})
}

// imatrixSequences cuts a text into sequences of tokens, each of which begins as texts do.
func imatrixSequences(t *tokenizer.Tokenizer, text string) (sequences [][]int32) {
	ids := t.Encode(text, tokenizer.EncodeOptions{})
	ids = ids[:min(len(ids), imatrixTokens)]
	start := t.Encode("", tokenizer.EncodeOptions{AddBOS: t.AddBOS()})
	for len(ids) > 0 {
		n := min(len(ids), imatrixSequence-len(start))
		sequences = append(sequences, append(start[:len(start):len(start)], ids[:n]...))
		ids = ids[n:]
	}
	return sequences
}
