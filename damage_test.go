package lever_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

// damaged is a store in which one mutation at a time is made and taken back.
type damaged struct {
	dir   string
	files map[string][]byte
	names []string
	rng   *rand.Rand
}

// Whatever happens to the files of a store, it is refused or gives the text that it gave before, and verify finds it. A manifest whose
// checksum fits an edit is another model: then nothing panics and nothing hangs. LEVER_DAMAGE is the number of mutations.
func TestDamagedStores(t *testing.T) {
	mutations := 150
	if n, err := strconv.Atoi(os.Getenv("LEVER_DAMAGE")); err == nil {
		mutations = n
	}
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &damaged{dir: pair.Draft, files: map[string][]byte{}, rng: rand.New(rand.NewPCG(7, 11))}
	d.load(t)
	want, err := d.text(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for i := range mutations {
		what, resealed := d.mutate()
		if what == "" {
			continue // it changed nothing
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		found := weights.Verify(ctx, d.dir, nil)
		for _, dram := range []int64{0, 1 << 20} {
			got, err := d.text(ctx, dram)
			switch {
			case ctx.Err() != nil:
				t.Fatalf("mutation %d, %s, memory %d: hangs", i, what, dram)
			case err != nil:
				counts["refused"]++
			case resealed:
				counts["another model"]++
			case got != want:
				t.Errorf("mutation %d, %s, memory %d: wrote %q, not %q", i, what, dram, got, want)
			default:
				counts["same text"]++
			}
		}
		cancel()
		if found == nil && !resealed {
			t.Errorf("mutation %d, %s: verify found nothing", i, what)
		}
		counts["mutations"]++
		d.restore(t)
	}
	t.Log(counts)
}

func (d *damaged) load(t *testing.T) {
	err := fs.WalkDir(os.DirFS(d.dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "verified.json" {
			return err
		}
		d.files[name], err = os.ReadFile(filepath.Join(d.dir, filepath.FromSlash(name)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.names = slices.Sorted(maps.Keys(d.files))
}

// text is what the store writes in answer to a short prompt, with memory bounded by dram.
func (d *damaged) text(ctx context.Context, dram int64) (text string, err error) {
	e, err := lever.Open(ctx, lever.Config{Model: d.dir, DRAM: dram, Context: 64, Threads: 2})
	if err != nil {
		return "", err
	}
	defer e.Close()
	r, err := e.Generate(ctx, lever.Request{Prompt: "def add(a, b):", Raw: true, MaxTokens: 4, Policy: spec.None{}}, nil)
	return r.Text, err
}

func (d *damaged) write(name string, content []byte) bool {
	if bytes.Equal(content, d.files[name]) {
		return false
	}
	if err := os.WriteFile(filepath.Join(d.dir, filepath.FromSlash(name)), content, 0o644); err != nil {
		panic(err)
	}
	return true
}

func (d *damaged) restore(t *testing.T) {
	for _, name := range d.names {
		path := filepath.Join(d.dir, filepath.FromSlash(name))
		if info, err := os.Stat(path); err == nil && info.Size() == int64(len(d.files[name])) {
			if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, d.files[name]) {
				continue
			}
		}
		if err := os.WriteFile(path, d.files[name], 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mutate changes the store and says what it did; resealed means that the manifest's checksum fits.
func (d *damaged) mutate() (what string, resealed bool) {
	r := d.rng
	name := d.names[r.IntN(len(d.names))]
	content := bytes.Clone(d.files[name])
	at := r.IntN(len(content))
	kind := r.IntN(8)
	switch kind {
	case 0:
		what = fmt.Sprintf("bit %d of %s", at, name)
		content[at] ^= 1 << r.IntN(8)
	case 1:
		what = fmt.Sprintf("%s cut at %d", name, at)
		content = content[:at]
	case 2:
		what = name + " with bytes at its end"
		content = append(content, make([]byte, 1+r.IntN(5000))...)
	case 3:
		other := d.names[r.IntN(len(d.names))]
		if other == name || !d.write(other, content) {
			return "", false
		}
		what = fmt.Sprintf("%s and %s exchanged", name, other)
		content = d.files[other]
	case 4: // two blocks exchanged
		size := min(4096, len(content)/2)
		a, b := r.IntN(len(content)/size)*size, r.IntN(len(content)/size)*size
		what = fmt.Sprintf("blocks %d and %d of %s exchanged", a, b, name)
		block := bytes.Clone(content[a : a+size])
		copy(content[a:a+size], content[b:b+size])
		copy(content[b:b+size], block)
	case 5:
		what = fmt.Sprintf("zeros at %d of %s", at, name)
		clear(content[at:min(at+512, len(content))])
	default:
		name, resealed = "lever.json", kind == 7
		what, content = d.edit(resealed)
	}
	if !d.write(name, content) {
		return "", false
	}
	return what, resealed
}

// edit changes a member somewhere in the manifest.
func (d *damaged) edit(reseal bool) (what string, content []byte) {
	const sealBytes = 80
	raw := d.files["lever.json"]
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree map[string]any
	if err := dec.Decode(&tree); err != nil {
		panic(err)
	}
	delete(tree, "checksum")
	what = d.editIn(tree, "manifest")
	body, err := json.Marshal(tree)
	if err != nil {
		panic(err)
	}
	body = body[:len(body)-1]
	if d.rng.IntN(10) == 0 {
		what += ", a key twice"
		body = append(body, `,"version":2`...)
	}
	if !reseal {
		return what, append(body, raw[len(raw)-sealBytes:]...)
	}
	return "resealed " + what, fmt.Appendf(body, ",\"checksum\":\"%x\"}\n", sha256.Sum256(body))
}

// editIn changes something in a node of a JSON document.
func (d *damaged) editIn(node any, path string) string {
	r := d.rng
	switch node := node.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(node))
		if len(keys) == 0 {
			node["new"] = 1
			return path + " not empty"
		}
		a, b := keys[r.IntN(len(keys))], keys[r.IntN(len(keys))]
		switch child := node[a]; r.IntN(12) {
		case 0:
			delete(node, a)
			return path + "." + a + " removed"
		case 1:
			delete(node, a)
			node[a+"x"] = child
			return path + "." + a + " renamed"
		case 2:
			node[a], node[b] = node[b], node[a]
			return path + "." + a + " and " + b + " exchanged"
		default:
			if isLeaf(child) {
				node[a] = d.leaf(child)
				return fmt.Sprintf("%s.%s %v became %v", path, a, child, node[a])
			}
			return d.editIn(child, path+"."+a)
		}
	case []any:
		if len(node) == 0 {
			return path + " left"
		}
		i, j := r.IntN(len(node)), r.IntN(len(node))
		switch {
		case r.IntN(4) == 0:
			node[i], node[j] = node[j], node[i]
			return fmt.Sprintf("%s[%d] and [%d] exchanged", path, i, j)
		case r.IntN(8) == 0:
			node[i] = node[j]
			return fmt.Sprintf("%s[%d] is [%d] too", path, i, j)
		case isLeaf(node[i]):
			old := node[i]
			node[i] = d.leaf(old)
			return fmt.Sprintf("%s[%d] %v became %v", path, i, old, node[i])
		}
		a, isMap := node[i].(map[string]any)
		b, _ := node[j].(map[string]any)
		if isMap && r.IntN(4) == 0 { // exchange one member of two objects, such as names
			keys := slices.Sorted(maps.Keys(a))
			key := keys[r.IntN(len(keys))]
			a[key], b[key] = b[key], a[key]
			return fmt.Sprintf("%s[%d].%s and [%d] exchanged", path, i, key, j)
		}
		return d.editIn(node[i], fmt.Sprintf("%s[%d]", path, i))
	}
	return path
}

func isLeaf(x any) bool {
	switch x.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// leaf returns another value than x.
func (d *damaged) leaf(x any) any {
	others := []any{nil, true, "", "f32", "q4_0", "f16", -1, 0, 1, 2, 16, 1 << 12, 1 << 31, 1 << 62, 0.5, json.Number("1e308"), []any{}, map[string]any{}}
	if n, ok := x.(json.Number); ok && d.rng.IntN(2) == 0 {
		if n, err := n.Int64(); err == nil {
			return []any{n + 1, n - 1, n * 2, n / 2, -n, n + 4096}[d.rng.IntN(6)]
		}
	}
	return others[d.rng.IntN(len(others))]
}
