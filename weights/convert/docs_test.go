package convert

import (
	"bytes"
	"cmp"
	"encoding/binary"
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
	missing := map[string]bool{}
	for _, name := range referenceNames(t) {
		missing[name] = true
	}
	rows := documented(t)[0]
	for _, row := range rows {
		classes, kinds, names := row[0], row[1], row[2]
		if len(names) == 0 {
			t.Errorf("%v is compared with nothing", classes)
		}
		for _, name := range names {
			r := readReference(t, name)
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

// unreadTypes are the numbers in GGUF files of types that nothing here reads.
var unreadTypes = map[string]uint32{"TQ1_0": 34, "NVFP4": 40}

// ofUnreadType returns a GGUF file with a matrix of the type with a number.
func ofUnreadType(t *testing.T, number uint32) string {
	t.Helper()
	path := writeGGUF(t, newModel(small, false).gguf(t, tensor.F16))
	raw := readFile(t, path)
	const name = "blk.0.ffn_down.weight"
	at := bytes.Index(raw, []byte(name)) + len(name) + 4 + 2*8 // past the number of dimensions and both of them
	binary.LittleEndian.PutUint32(raw[at:], number)
	writeFile(t, path, raw)
	return path
}

// TestDocumentedTypes: the page ticks exactly the models and types that TestFamiliesInStoredTypes and TestFamiliesOfTypes compare, which is all of them.
func TestDocumentedTypes(t *testing.T) {
	_, table, _ := strings.Cut(string(readFile(t, "../../docs/architectures.md")), "| compared as | `")
	table, _, _ = strings.Cut(table, "\n\n")
	var stored map[string]map[string][][2]float64
	var mixed map[string][][2]float64
	if err := cmp.Or(json.Unmarshal(readFile(t, "testdata/stored.json"), &stored), json.Unmarshal(readFile(t, "testdata/families.json"), &mixed)); err != nil {
		t.Fatal(err)
	}
	head, rows, _ := strings.Cut(table, "\n")
	var types []string
	for _, found := range code.FindAllStringSubmatch("`"+head, -1) {
		types = append(types, found[1])
	}
	for _, d := range weights.EncodableTypes() {
		if !slices.Contains(types, d.String()) {
			t.Errorf("no column has %v", d)
		}
	}
	for line := range strings.Lines(rows) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if strings.HasPrefix(line, "|---") {
			continue
		}
		name := strings.Trim(cells[0], "`")
		if len(cells) != len(types)+2 || slices.ContainsFunc(cells[1:], func(cell string) bool { return cell != "✓" }) {
			t.Errorf("%s: not every cell of %q has a tick", name, line)
		}
		for _, d := range types {
			if len(stored[name][d]) == 0 {
				t.Errorf("%s in %s is compared with nothing", name, d)
			}
		}
		if len(mixed[name+"-0"]) == 0 {
			t.Errorf("%s in types by turns is compared with nothing", name)
		}
		delete(stored, name)
	}
	for name := range stored {
		t.Errorf("no row has %s", name)
	}
}

// TestDocumentedRefusals: what the page says not to open is refused as it says.
func TestDocumentedRefusals(t *testing.T) {
	for _, row := range documented(t)[1] {
		file, text := row[0][0], row[1][0]
		var err error
		switch kind, isConversion := strings.CutPrefix(file, "--type "); {
		case strings.HasPrefix(file, "{"):
			_, err = arch.Parse([]byte(file))
		case isConversion:
			d, parseErr := tensor.ParseDType(kind)
			if parseErr != nil {
				t.Fatal(parseErr)
			}
			m := newModel(small, false)
			err = Convert(t.Context(), m.writeHF(t, m.hf(t, tensor.F16), 1), filepath.Join(t.TempDir(), "x.lever"), weights.WriteOptions{Type: d})
		case unreadTypes[file] != 0:
			_, err = Inspect(ofUnreadType(t, unreadTypes[file]), weights.WriteOptions{})
		default:
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
