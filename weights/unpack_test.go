package weights

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever/tensor"
)

// storeFiles returns the paths of all files of a store, from its folder on, but for the note that it was checked.
func storeFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if name, _ := filepath.Rel(dir, path); err == nil && !entry.IsDir() && name != verifiedName {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameStores checks that two stores hold the same files with the same content.
func sameStores(t *testing.T, got, want string) {
	t.Helper()
	for _, name := range storeFiles(t, want) {
		a, err := os.ReadFile(filepath.Join(got, name))
		b, wantErr := os.ReadFile(filepath.Join(want, name))
		if err := errors.Join(err, wantErr); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
	if a, b := len(storeFiles(t, got)), len(storeFiles(t, want)); a != b {
		t.Errorf("%d files, want %d", a, b)
	}
}

// Whatever happens to a file of an unpacked store, the next call mends it.
func TestUnpack(t *testing.T) {
	want := smallStore(t)
	source := os.DirFS(want)
	parent := filepath.Join(t.TempDir(), "made", "on the way")
	dst := filepath.Join(parent, "y.lever")
	unpack := func() {
		t.Helper()
		if err := Unpack(t.Context(), source, dst); err != nil {
			t.Fatal(err)
		}
		sameStores(t, dst, want)
		onlyEntries(t, parent, "y.lever")
	}
	unpack()
	before, err := os.Stat(dst)
	if err != nil {
		t.Fatal(err)
	}
	unpack()
	if after, err := os.Stat(dst); err != nil || !os.SameFile(before, after) {
		t.Errorf("a good store was unpacked again: %v", err)
	}
	for _, name := range storeFiles(t, dst) {
		path := filepath.Join(dst, name)
		for how, damage := range map[string]func(content []byte) error{
			"empty":   func([]byte) error { return os.Truncate(path, 0) },
			"cut":     func(content []byte) error { return os.Truncate(path, int64(len(content)/2)) },
			"missing": func([]byte) error { return os.Remove(path) },
			"longer":  func(content []byte) error { return os.WriteFile(path, append(content, 0), 0o666) },
			"a flipped bit": func(content []byte) error {
				content[len(content)/3] ^= 4
				return os.WriteFile(path, content, 0o666)
			},
		} {
			content, err := os.ReadFile(path)
			if err == nil {
				err = damage(content)
			}
			if err != nil {
				t.Fatalf("%s: %s: %v", name, how, err)
			}
			unpack()
		}
	}
	if err := os.RemoveAll(filepath.Join(dst, "chunks")); err != nil {
		t.Fatal(err)
	}
	unpack()
}

// A bit that flips where nothing but reading shows it is found by the reader, and mended by the next call.
func TestUnpackAfterDamageWhileReading(t *testing.T) {
	want := smallStore(t)
	dst := filepath.Join(t.TempDir(), "y.lever")
	for name, read := range map[string]func(s *Store) error{
		"resident": func(s *Store) error {
			r, err := s.Resident(t.Context(), nil)
			if err == nil {
				err = r.Close()
			}
			return err
		},
		"streamed": func(s *Store) error {
			r := stream(t, s, StreamOptions{})
			for _, name := range passNames(s) {
				for _, err := range r.Parts(t.Context(), name) {
					if err != nil {
						return err
					}
				}
			}
			return nil
		},
	} {
		if err := Unpack(t.Context(), os.DirFS(want), dst); err != nil {
			t.Fatal(err)
		}
		open(t, dst) // notes that it is good
		path := chunkPath(dst, "0001.bin")
		info, err := os.Stat(path)
		content, readErr := os.ReadFile(path)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		content[100] ^= 1
		if err := errors.Join(os.WriteFile(path, content, 0o666), os.Chtimes(path, time.Time{}, info.ModTime())); err != nil {
			t.Fatal(err)
		}
		s := open(t, dst) // sees no change
		if err := read(s); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Open(t.Context(), dst, OpenOptions{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: opened again: %v", name, err)
		}
		if err := Unpack(t.Context(), os.DirFS(want), dst); err != nil {
			t.Error(err)
		}
		sameStores(t, dst, want)
	}
}

func TestUnpackRefuses(t *testing.T) {
	want := smallStore(t)
	dir := t.TempDir()
	note := filepath.Join(dir, "note.txt")
	if err := os.WriteFile(note, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(t.Context(), os.DirFS(want), dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a folder of somebody's: %v", err)
	}
	if content, err := os.ReadFile(note); string(content) != "mine" {
		t.Errorf("it is gone: %v", err)
	}
	if err := Unpack(t.Context(), os.DirFS(dir), filepath.Join(dir, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no store to unpack: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Unpack(ctx, os.DirFS(want), filepath.Join(dir, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	onlyEntries(t, dir, "note.txt")
}

// Several may unpack to one place at once, and read what they find there while others still unpack.
func TestUnpackAtOnce(t *testing.T) {
	want := smallStore(t)
	parent := t.TempDir()
	dst := filepath.Join(parent, "y.lever")
	unpackAndRead := func() error {
		if err := Unpack(t.Context(), os.DirFS(want), dst); err != nil {
			return err
		}
		s, err := Open(t.Context(), dst, OpenOptions{})
		if err != nil {
			return err
		}
		for range 10 {
			r, err := s.Resident(t.Context(), nil)
			if err == nil {
				err = r.Close()
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for round := range 20 {
		err := os.RemoveAll(dst)
		if round%2 == 1 { // a damaged one is there
			err = errors.Join(err, os.CopyFS(dst, os.DirFS(want)), os.Truncate(chunkPath(dst, "0001.bin"), 0))
		}
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				if err := unpackAndRead(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		sameStores(t, dst, want)
		onlyEntries(t, parent, "y.lever")
	}
}

// A store that a killed process had moved away to replace it is found again, by whoever looks for it and by the next conversion.
func TestStoreMovedAway(t *testing.T) {
	good := smallStore(t)
	for name, look := range map[string]func(path string) error{
		"opening": func(path string) error {
			isStore, err := IsStore(path)
			if err == nil && !isStore {
				err = errors.New("no store")
			}
			return err
		},
		"converting": func(path string) error {
			m := newModel(smallShape, false)
			err := Write(t.Context(), m.made(t, tensor.F32), path, WriteOptions{})
			if !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("it was not there: %w", err)
			}
			return nil
		},
	} {
		dir := t.TempDir()
		work := filepath.Join(dir, ".lever-tmp-1")
		if err := errors.Join(
			os.MkdirAll(filepath.Join(work, "new"), 0o777),
			os.CopyFS(filepath.Join(work, "old"), os.DirFS(good)),
			os.WriteFile(filepath.Join(work, "lock"), []byte("x.lever"), 0o666),
		); err != nil {
			t.Fatal(err)
		}
		if err := look(filepath.Join(dir, "x.lever")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		sameStores(t, filepath.Join(dir, "x.lever"), good)
		onlyEntries(t, dir, "x.lever")
	}
}
