package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/internal/hub"
	"github.com/lever-go/lever/profile"
	"github.com/lever-go/lever/weights"
)

func TestTokensPerSecond(t *testing.T) {
	r := rates{flash: 1e9, memory: 10e9}
	for _, c := range []struct {
		pass, memory int64
		want         float64
	}{
		{2e9, 4e9, 5},                        // all in memory, which is read ten times as fast
		{4e9, 1e9, 1 / (3 + 64*1048576/1e9)}, // a ring takes of the memory
		{1e9, 0, 1},
		{100e6, 40e6, 1 / 0.07}, // a quarter of the memory is the ring
	} {
		if got := r.tokensPerSecond(c.pass, c.memory); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%d bytes with %d of memory: %v tokens/s, want %v", c.pass, c.memory, got, c.want)
		}
	}
}

// What inspect says of a type is what a store of that type uses.
func TestCostsAreThoseOfTheStore(t *testing.T) {
	m := newTinyModel()
	src := m.write(t, m.size())
	var got struct {
		Types []cost `json:"types_to_convert_to"`
	}
	if err := json.Unmarshal([]byte(clitest.MustSucceed(t, "inspect", "--json", src).Stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Types) != len(cli.StoreTypes())+len(cli.MixNames()) {
		t.Errorf("%d types", len(got.Types))
	}
	for _, c := range got.Types {
		if c.Type != "q4_0" && c.Type != "q3_k" && c.Type != "q4_k_m" {
			continue
		}
		store := filepath.Join(t.TempDir(), "x.lever")
		clitest.MustSucceed(t, "convert", src, store, "--type", c.Type)
		info, err := weights.Inspect(store)
		if err != nil {
			t.Fatal(err)
		}
		if n := info.PassBytes(); n != c.PassBytes {
			t.Errorf("%s: a pass uses %d bytes, inspect says %d", c.Type, n, c.PassBytes)
		}
	}
	if text := clitest.MustSucceed(t, "inspect", src).Stdout; !strings.Contains(text, "q4_k_m") || !strings.Contains(text, "weights of a pass") {
		t.Errorf("inspect prints %s", text)
	}
}

// Of several GGUF models, those of which parts belong together are one.
func TestPullListsChoices(t *testing.T) {
	source := t.TempDir()
	for name, size := range map[string]int{"x-Q8_0.gguf": 4000, "x-Q4_0-00001-of-00002.gguf": 1000, "x-Q4_0-00002-of-00002.gguf": 500, "mmproj-x.gguf": 9, "x-Q4_K_M.gguf": 2000} {
		writeFile(t, filepath.Join(source, name), make([]byte, size))
	}
	s := hubServer(t, source)
	got := clitest.Execute(t, "pull", "--endpoint", s.URL, "ours/tiny", filepath.Join(t.TempDir(), "tiny"))
	if got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "--file 'x-Q4_0-*.gguf'") {
		t.Errorf("status %d: %s", got.Status, got.Stderr)
	}
	for _, want := range []string{"x-Q4_0-*.gguf  1.5 KiB", "x-Q4_K_M.gguf  2.0 KiB", "x-Q8_0.gguf    3.9 KiB", "lever profile"} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("no %q in\n%s", want, got.Stdout)
		}
	}
	if strings.Contains(got.Stdout, "mmproj") {
		t.Error("what is no model is offered")
	}
	folder := filepath.Join(t.TempDir(), "tiny")
	got = clitest.MustSucceed(t, "pull", "--endpoint", s.URL, "ours/tiny", folder, "--file", "x-Q4_0-*.gguf")
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 || !strings.Contains(got.Stderr, "x-Q4_0-00001-of-00002.gguf NAME.lever") {
		t.Errorf("%v, %v: %s", entries, err, got.Stderr)
	}
}

// Where lever profile has measured the machine, the list says what each model would give on it.
func TestPullListsWhatChoicesGive(t *testing.T) {
	t.Setenv("LEVER_CACHE", t.TempDir())
	path, err := defaultProfilePath()
	if err != nil {
		t.Fatal(err)
	}
	p := profile.Profile{Format: "lever-profile", Version: 1, Memory: 10e9, Flash: profile.Flash{Mode: weights.Direct,
		Reads: []profile.Reads{{Size: 1 << 20, Depth: 1, Count: 1, BytesPerSecond: 2e9}}, BestSize: 1 << 20, BestDepth: 1,
	}}
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	choices := []hub.Choice{{Pattern: "x-Q3_K.gguf", Size: 2 << 30}, {Pattern: "x-Q8_0.gguf", Size: 8 << 30}, {Pattern: "x.gguf", Size: -1}}
	if err := printChoices(&out, choices, 4<<30); err != nil {
		t.Fatal(err)
	}
	r := rates{flash: 2e9, memory: 10e9}
	want := fmt.Sprintf(`--file       size     tokens/s with 4.0 GiB for weights
x-Q3_K.gguf  2.0 GiB  %.3g
x-Q8_0.gguf  8.0 GiB  %.3g
x.gguf       unknown  ?
tokens/s are those of plain decoding where reading limits it; a draft gives more
`, r.tokensPerSecond(2<<30, 4<<30), r.tokensPerSecond(8<<30, 4<<30))
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

// Without an argument inspect shows the demo's target, so that a program can name it.
func TestInspectShowsTheDemo(t *testing.T) {
	var got struct{ Dir string }
	if err := json.Unmarshal([]byte(clitest.MustSucceed(t, "inspect", "--json").Stdout), &got); err != nil {
		t.Fatal(err)
	}
	draft := filepath.Join(filepath.Dir(got.Dir), "draft.lever")
	for _, path := range []string{got.Dir, draft} {
		if isStore, err := weights.IsStore(path); !isStore || err != nil {
			t.Errorf("%s is a store: %v, error %v", path, isStore, err)
		}
	}
	if got := clitest.Execute(t, "inspect", "a", "b"); got.Status != cli.ExitUsage {
		t.Errorf("two arguments: status %d", got.Status)
	}
}
