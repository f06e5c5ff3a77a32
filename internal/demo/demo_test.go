package demo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"
)

// maxSize is the most that the stores may add to the program.
const maxSize = 20 << 20

func TestUnpack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "cache")
	first, err := Unpack(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{first.Target, first.Draft} {
		if err := weights.Verify(t.Context(), store, nil); err != nil {
			t.Error(err)
		}
	}
	again, err := Unpack(t.Context(), dir)
	if err != nil || again != first {
		t.Errorf("the second call gave %v, %v, the first %v", again, err, first)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d entries in the cache: %v", len(entries), entries)
	}
}

func TestCancelledUnpackLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Unpack(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// The embedded stores are what conversion makes of the models today.
func TestStoresAreUpToDate(t *testing.T) {
	size := 0
	for _, name := range []string{"target", "draft"} {
		source := testdata.Shared(t, "models/lever-tiny-llama/"+name)
		converted := filepath.Join(t.TempDir(), name+".lever")
		if err := convert.Convert(t.Context(), source, converted, weights.WriteOptions{Type: tensor.Q8_0}); err != nil {
			t.Fatal(err)
		}
		fresh := os.DirFS(converted)
		err := fs.WalkDir(fresh, ".", func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			want, err := fs.ReadFile(fresh, file)
			if err != nil {
				return err
			}
			got, err := stores.ReadFile("stores/" + name + ".lever/" + file)
			if err != nil || string(got) != string(want) {
				t.Errorf("%s of %s is not what conversion writes (go generate ./internal/demo renews it): %v", file, name, err)
			}
			size += len(got)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if size > maxSize {
		t.Errorf("%d bytes are embedded, more than %d", size, maxSize)
	}
}
