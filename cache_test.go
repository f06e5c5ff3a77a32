package lever_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/weights"
)

// A model that was converted into the cache is converted again when that store is damaged, whatever is left of it.
func TestDamagedConversion(t *testing.T) {
	model := testdata.Shared(t, "models/lever-tiny-llama/draft")
	cfg := lever.Config{CacheDir: t.TempDir()}
	open := func() string {
		t.Helper()
		store, err := lever.OpenStore(t.Context(), model, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return store.Dir()
	}
	dir := open()
	for _, damage := range []func() error{
		func() error { return os.Truncate(filepath.Join(dir, "chunks", "0001.bin"), 0) },
		func() error { return os.Truncate(filepath.Join(dir, "lever.json"), 0) },
		func() error { return os.Remove(filepath.Join(dir, "lever.json")) },
		func() error { return os.Remove(filepath.Join(dir, "tokenizer.json")) },
		func() error { return os.RemoveAll(dir) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		open()
		if err := weights.Verify(t.Context(), dir, nil); err != nil {
			t.Error(err)
		}
	}
	if entries, _ := os.ReadDir(filepath.Dir(dir)); len(entries) != 1 {
		t.Errorf("left in the cache: %v", entries)
	}
}

// Several may meet the damage at once, and read what they have made while others still convert.
func TestDamagedConversionAtOnce(t *testing.T) {
	model := testdata.Shared(t, "models/lever-tiny-llama/draft")
	cfg := lever.Config{CacheDir: t.TempDir()}
	use := func() (string, error) {
		store, err := lever.OpenStore(t.Context(), model, cfg)
		if err != nil {
			return "", err
		}
		for range 5 {
			r, err := store.Resident(t.Context(), nil)
			if err == nil {
				err = r.Close()
			}
			if err != nil {
				return "", err
			}
		}
		return store.Dir(), nil
	}
	dir, err := use()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := os.Truncate(filepath.Join(dir, "chunks", "0001.bin"), 0); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := use(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}
