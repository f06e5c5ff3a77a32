package convert

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

var code = regexp.MustCompile("`([^`]+)`")

// documented returns the tables of the page about architectures whose first cell of the head is "models": the code in the cells of each row but the first.
func documented(t *testing.T) (tables [][][][]string) {
	t.Helper()
	for line := range strings.Lines(string(readFile(t, "../../docs/architectures.md"))) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		switch {
		case !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---"):
			continue
		case cells[0] == "models":
			tables = append(tables, nil)
			continue
		case strings.HasPrefix(line, "| |"):
			cells = append([]string{""}, cells...) // which trimming took away
		case cells[0] == "from":
			return tables
		}
		var row [][]string
		for _, cell := range cells[1:] {
			var names []string
			for _, found := range code.FindAllStringSubmatch(cell, -1) {
				names = append(names, found[1])
			}
			row = append(row, names)
		}
		tables[len(tables)-1] = append(tables[len(tables)-1], row)
	}
	return tables
}

// TestDocumentedArchitectures: the page lists every architecture, and each row of it names models that are compared with a reference in both formats.
func TestDocumentedArchitectures(t *testing.T) {
	paths, err := filepath.Glob("testdata/reference/*.json")
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, path := range paths {
		missing[strings.TrimSuffix(filepath.Base(path), ".json")] = true
	}
	rows := documented(t)[0]
	for _, row := range rows {
		classes, kinds, names := row[0], row[1], row[2]
		if len(names) == 0 {
			t.Errorf("%v is compared with nothing", classes)
		}
		for _, name := range names {
			var r reference
			if err := json.Unmarshal(readFile(t, filepath.Join("testdata/reference", name+".json")), &r); err != nil {
				t.Fatal(err)
			}
			delete(missing, name)
			m := r.model(t)
			kind, class := r.file(t, m).Metadata[archKey].(string), m.described.Architecture.Class
			if !slices.Contains(classes, class) || !slices.Contains(kinds, kind) {
				t.Errorf("%s is a %s, in GGUF %s, but stands beside %v and %v", name, class, kind, classes, kinds)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("not in the table: %v", missing)
	}
	for _, a := range arch.All() {
		has := func(row [][]string) bool {
			return slices.Contains(row[0], a.Class) && (a.GGUF == "" || slices.Contains(row[1], a.GGUF))
		}
		if !slices.ContainsFunc(rows, has) {
			t.Errorf("no row has %s and %q", a.Class, a.GGUF)
		}
	}
}

// TestDocumentedRefusals: what the page says not to open is refused as it says.
func TestDocumentedRefusals(t *testing.T) {
	for _, row := range documented(t)[1] {
		file, text := row[0][0], row[1][0]
		var err error
		if strings.HasPrefix(file, "{") {
			_, err = arch.Parse([]byte(file))
		} else {
			key, value, _ := strings.Cut(file, " = ")
			c := newModel(small, false).gguf(t, tensor.F16)
			c.Metadata[key] = value
			if n, err := strconv.Atoi(value); err == nil {
				c.Metadata[key] = uint32(n)
			}
			_, err = Inspect(writeGGUF(t, c), weights.WriteOptions{})
		}
		if !errors.Is(err, arch.ErrUnsupported) && !errors.Is(err, weights.ErrUnsupported) {
			t.Errorf("%s: got %v, want %s", file, err, text)
			continue
		}
		rest, complete := err.Error(), true
		for _, part := range strings.Split(text, "…") {
			var found bool
			if _, rest, found = strings.Cut(rest, part); !found {
				complete = false
			}
		}
		if !complete || rest != "" {
			t.Errorf("%s: got %v, want %s", file, err, text)
		}
	}
}
