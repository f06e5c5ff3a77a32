package lever

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/gguf"
	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/tokenizer"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
	"github.com/minio/sha256-simd"
)

// OpenStore opens the store at path, as [Open] does with a model's. A Hugging Face folder or a GGUF file is first converted into the
// cache; a later call with the unchanged source opens the store made then. Of cfg it uses Architectures, OpenFile, CacheDir and Progress.
func OpenStore(ctx context.Context, path string, cfg Config) (*weights.Store, error) {
	if ctx == nil {
		return nil, errNoContext
	}
	isStore, err := weights.IsStore(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	if !isStore {
		return openConverted(ctx, path, cfg)
	}
	return openStore(ctx, path, cfg)
}

func openStore(ctx context.Context, path string, cfg Config) (*weights.Store, error) {
	return weights.Open(ctx, path, weights.OpenOptions{
		Progress: cfg.report("checking " + filepath.Base(path)),
		OpenFile: cfg.OpenFile,
	})
}

// openConverted opens the store that was made in the cache of the model at path. Where there is none, or a damaged one, it makes it.
func openConverted(ctx context.Context, path string, cfg Config) (*weights.Store, error) {
	cache, err := cfg.cacheDir()
	if err != nil {
		return nil, err
	}
	name, err := convertedName(path, cfg.Architectures)
	if err != nil {
		return nil, err
	}
	converted := filepath.Join(cache, "converted", name)
	publish.Clean(filepath.Dir(converted))
	store, err := openStore(ctx, converted, cfg)
	if err == nil || !isLost(err) {
		return store, err
	}
	if err := os.MkdirAll(filepath.Dir(converted), 0o755); err != nil {
		return nil, fmt.Errorf("make model cache (set LEVER_CACHE to choose another place): %w", err)
	}
	if err := removeLost(ctx, converted, cfg); err != nil {
		return nil, fmt.Errorf("make model cache: %w", err)
	}
	err = convert.Convert(ctx, path, converted, weights.WriteOptions{
		CheckTokenizer: tokenizer.Check,
		Progress:       cfg.report("converting " + filepath.Base(path)),
	}, cfg.Architectures...)
	if err != nil && !errors.Is(err, fs.ErrExist) { // otherwise another process has made it in the meantime
		return nil, err
	}
	return openStore(ctx, converted, cfg)
}

// removeLost removes a damaged store, or what is left of one. Another process that met the damage too may have made the store anew, and reads
// it: that one stays.
func removeLost(ctx context.Context, converted string, cfg Config) error {
	unlock, err := publish.LockFolder(ctx, filepath.Dir(converted))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(converted); errors.Is(err, fs.ErrNotExist) {
		return nil // one may appear from now on
	}
	if _, err := openStore(ctx, converted, cfg); err == nil || !isLost(err) {
		return err
	}
	return os.RemoveAll(converted)
}

// isLost reports whether err says that a store is not there, or not as it was written.
func isLost(err error) bool {
	for _, lost := range []error{fs.ErrNotExist, weights.ErrCorrupt, weights.ErrTruncated, weights.ErrVersion} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// convertedName names the store made from the model at path, so that a changed source or store format gets another name: it contains a
// digest of the format version, the path, the architectures of the caller and the names, sizes and modification times of the files.
func convertedName(path string, own []*arch.Architecture) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	digest := sha256.New()
	fmt.Fprintln(digest, weights.FormatVersion, path)
	for _, a := range own { // which may give the model other tensors
		fmt.Fprintln(digest, a.Name, a.Class, a.GGUF)
	}
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != path {
				return fs.SkipDir // a model's files lie in one folder
			}
			return nil
		}
		info, err := os.Stat(file) // through links, of which Hugging Face's own cache consists
		if err != nil {
			return err
		}
		fmt.Fprintln(digest, file, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	for _, part := range gguf.Parts(path)[1:] {
		if info, statErr := os.Stat(part); err == nil && statErr == nil { // what is missing is said by the conversion
			fmt.Fprintln(digest, part, info.Size(), info.ModTime().UnixNano())
		}
	}
	if err != nil {
		return "", fmt.Errorf("open model: %w", err)
	}
	base := strings.TrimSuffix(filepath.Base(path), ".gguf")
	return base + "-" + hex.EncodeToString(digest.Sum(nil)[:6]) + ".lever", nil
}
