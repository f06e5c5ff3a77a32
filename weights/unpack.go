package weights

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/lever-go/lever/internal/publish"
)

// Unpack puts the store that fsys holds, such as one in an [embed.FS], at dst, and makes the folders above. A store that is there already is
// kept if it is the same and [Open] finds it good, and replaced otherwise; predictors are the user's: whichever it has are kept as long as
// they can be read. It appears in one step when it is complete and on the disk, so that several processes may unpack it at the same time, and
// one that is killed does no harm.
func Unpack(ctx context.Context, fsys fs.FS, dst string) error {
	fail := func(err error) error { return fmt.Errorf("weights: unpack %s: %w", dst, err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if _, err := fs.Stat(fsys, ManifestName); err != nil {
		return fail(err)
	}
	if isUnpacked(ctx, fsys, dst) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return fail(err)
	}
	unlock, err := publish.LockFolder(ctx, filepath.Dir(dst))
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if isUnpacked(ctx, fsys, dst) { // another process was quicker, and may read it already
		return nil
	}
	if err := checkRemains(fsys, dst); err != nil {
		return fail(err)
	}
	err = publish.Folder(dst, true, func(dir string) error { return copyTree(ctx, dir, fsys) })
	if err != nil && !isUnpacked(ctx, fsys, dst) { // otherwise another process was quicker, where folders cannot be locked
		return fail(err)
	}
	return nil
}

// checkRemains refuses to replace a folder that holds something else than what can be left of the store.
func checkRemains(fsys fs.FS, dst string) error {
	entries, err := os.ReadDir(dst)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		isPredictor, _ := path.Match(predictorGlob, e.Name())
		if _, err := fs.Stat(fsys, e.Name()); err != nil && !isPredictor && e.Name() != verifiedName && !publish.IsTemporary(e.Name()) {
			return fmt.Errorf("it holds %s, which does not belong to the store, and is not replaced: %w", e.Name(), fs.ErrExist)
		}
	}
	return nil
}

// isUnpacked reports whether the store that fsys holds is at dst and good.
func isUnpacked(ctx context.Context, fsys fs.FS, dst string) bool {
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if isPredictor, _ := path.Match(predictorGlob, name); err != nil || entry.IsDir() || isPredictor || strings.HasPrefix(name, path.Dir(chunkPattern)+"/") {
			return err // Open checks chunks against the manifest
		}
		want, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(dst, filepath.FromSlash(name)))
		if err == nil && !bytes.Equal(got, want) {
			err = corrupt("another %s", name)
		}
		return err
	})
	if err != nil {
		return false
	}
	store, err := Open(ctx, dst, OpenOptions{})
	if err != nil {
		return false
	}
	_, err = store.Predictors()
	return err == nil
}

// copyTree copies a tree into dir.
func copyTree(ctx context.Context, dir string, tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o777)
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
		return errors.Join(err, out.Close())
	})
}
