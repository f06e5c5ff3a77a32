package profiles_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/kernels/npu/profiles"
)

func TestBuiltinProfiles(t *testing.T) {
	names := profiles.Names()
	if !slices.Contains(names, "snapdragon-8-gen-3") || !slices.Contains(names, "mid-range") {
		t.Fatalf("built in: %v", names)
	}
	for _, name := range names {
		p, err := profiles.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != name || len(p.Sources) == 0 {
			t.Errorf("%s is named %s and has %d sources", name, p.Name, len(p.Sources))
		}
		for _, s := range p.Sources {
			if s.Figure == "" || s.Source == "" {
				t.Errorf("%s: source %+v", name, s)
			}
		}
	}
}

func TestWrongProfiles(t *testing.T) {
	text, err := os.ReadFile("mid-range.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"no JSON":           {"{", ""},
		"unknown key":       {`"version"`, `"colour": 1, "version"`},
		"another format":    {"lever-npu", "lever-flash"},
		"another version":   {`"version": 1`, `"version": 2`},
		"no batches":        {`"batches": [1, 8, 32, 64]`, `"batches": []`},
		"other batches":     {`"batches": [1, 8, 32, 64]`, `"batches": [1, 8, 32]`},
		"an alignment of 3": {`"alignment": 128`, `"alignment": 3`},
		"negative submit":   {`"submit_seconds": 0.0002`, `"submit_seconds": -1`},
		"a rate of zero":    {`"bytes_per_second": 12000000000`, `"bytes_per_second": 0`},
	} {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if changed == string(text) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := profiles.Parse([]byte(changed)); !errors.Is(err, profiles.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), "p.json")
		if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := profiles.Load(file); !errors.Is(err, profiles.ErrInvalid) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s, from a file: %v", name, err)
		}
	}
	if _, err := profiles.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}
