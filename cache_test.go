package lever_test

import (
	"os"
	"path/filepath"
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
