package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/regular"
	"github.com/lever-go/lever/tensor"
)

// sampleManifest is that of a store of two chunks; tensor a is cut in two.
func sampleManifest(t testing.TB) *manifest {
	t.Helper()
	sum := strings.Repeat("0f", 32)
	chunks, tensors, err := layout([][]stored{
		{{name: embeddingName, dtype: tensor.Q8_0, rows: 20, cols: 32}},
		{{name: "norm", dtype: tensor.F32, rows: 1, cols: 64}, {name: "a", dtype: tensor.F16, rows: 64, cols: 1 << 16}, {name: "b", dtype: tensor.Q4_0, rows: 7, cols: 64}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range chunks {
		chunks[i].SHA256 = sum
	}
	return &manifest{
		Format: formatName, Version: denseVersion, Config: json.RawMessage(`{"hidden_size":64}`),
		Tokenizer: []fileEntry{{File: "tokenizer.json", Size: 3, SHA256: sum}}, Chunks: chunks, Tensors: tensors,
	}
}

func marshal(t testing.TB, m *manifest) []byte {
	t.Helper()
	raw, err := sealManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// unsealed returns the text of a manifest of version 1, which has no checksum.
func unsealed(t testing.TB, m *manifest) string {
	t.Helper()
	m.Version = uncheckedVersion
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Every bit of a manifest counts, and one of this version is not taken for one of the version before it.
func TestManifestChecksum(t *testing.T) {
	good := marshal(t, sampleManifest(t))
	for i := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := parseManifest(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Fatalf("bit %d of byte %d (%q) is not missed: %v", i%8, i/8, good[i/8], err)
		}
	}
	body := string(good[:len(good)-checksumBytes])
	for name, bad := range map[string]string{
		"no checksum":            body + "}\n",
		"older version":          strings.Replace(string(good), `"version":2`, `"version":1`, 1),
		"text after":             string(good) + " ",
		"text before":            " " + string(good),
		"something between":      body + `,"format":"lever-store"` + string(good[len(body):]),
		"checksum of other text": strings.Replace(body, `"rows":20`, `"rows":21`, 1) + string(good[len(body):]),
		"checksum in capitals":   body + strings.ToUpper(string(good[len(body):])),
	} {
		if _, err := parseManifest([]byte(bad)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManifestRoundTrip(t *testing.T) {
	raw := marshal(t, sampleManifest(t))
	m, err := parseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again := marshal(t, m); !bytes.Equal(again, raw) {
		t.Errorf("got\n%s, want\n%s", again, raw)
	}
}

func TestBadManifests(t *testing.T) {
	part := func(m *manifest, tensor, part int) *partEntry { return &m.Tensors[tensor].Parts[part] }
	tests := []struct {
		name   string
		spoil  func(m *manifest)
		kind   error
		reason string
	}{
		{"other format", func(m *manifest) { m.Format = "zip" }, ErrCorrupt, "format"},
		{"future version", func(m *manifest) { m.Version = 5 }, ErrVersion, "version 5"},
		{"version with tables", func(m *manifest) { m.Version = 4 }, ErrCorrupt, "1 tables"},
		{"version with experts", func(m *manifest) { m.Version = 3 }, ErrCorrupt, "experts"},
		{"experts", func(m *manifest) { m.Chunks[1].Segments[0].Expert = true }, ErrCorrupt, "experts"},
		{"no version", func(m *manifest) { m.Version = 0 }, ErrVersion, "version 0"},
		{"config", func(m *manifest) { m.Config = json.RawMessage(`[]`) }, ErrCorrupt, "config"},
		{"no chunks", func(m *manifest) { m.Chunks = nil }, ErrCorrupt, "no chunks"},
		{"tokenizer outside", func(m *manifest) { m.Tokenizer[0].File = "../tokenizer.json" }, ErrCorrupt, "plain name"},
		{"tokenizer absolute", func(m *manifest) { m.Tokenizer[0].File = "/etc/passwd" }, ErrCorrupt, "plain name"},
		{"tokenizer is the manifest", func(m *manifest) { m.Tokenizer[0].File = ManifestName }, ErrCorrupt, "twice"},
		{"tokenizer twice", func(m *manifest) { m.Tokenizer = append(m.Tokenizer, m.Tokenizer[0]) }, ErrCorrupt, "twice"},
		{"tokenizer size", func(m *manifest) { m.Tokenizer[0].Size = -1 }, ErrCorrupt, "size"},
		{"chunk outside", func(m *manifest) { m.Chunks[0].File = "../../secret" }, ErrCorrupt, "secret"},
		{"chunk sum", func(m *manifest) { m.Chunks[0].SHA256 = "abc" }, ErrCorrupt, "sha256"},
		{"chunk size", func(m *manifest) { m.Chunks[0].Size += 4096 }, ErrCorrupt, "segments have"},
		{"chunk without segments", func(m *manifest) { m.Chunks[0].Segments, m.Chunks[0].Size = nil, 0 }, ErrCorrupt, "segments have"},
		{"segment gap", func(m *manifest) { m.Chunks[1].Segments[1].Offset += 4096 }, ErrCorrupt, "segment 1"},
		{"segment size", func(m *manifest) { m.Chunks[1].Segments[0].Size++ }, ErrCorrupt, "segment 0"},
		{"segment too large", func(m *manifest) { m.Chunks[1].Segments[0].Size = 16 << 20 }, ErrCorrupt, "segment 0"},
		{"segment negative", func(m *manifest) { m.Chunks[1].Segments[0].Size = -4096 }, ErrCorrupt, "segment 0"},
		{"duplicate tensor", func(m *manifest) { m.Tensors[3].Name = "a" }, ErrCorrupt, `"a"`},
		{"nameless tensor", func(m *manifest) { m.Tensors[3].Name = "" }, ErrCorrupt, "empty"},
		{"type", func(m *manifest) { m.Tensors[3].Type = "q3_l" }, ErrCorrupt, "q3_l"},
		{"type that is not packed", func(m *manifest) { m.Tensors[3].Type = "q5_1" }, ErrCorrupt, "q5_1"},
		{"matrix of f32", func(m *manifest) { m.Tensors[3].Type = "f32" }, ErrCorrupt, "tensor b: shape [7 64] of f32"},
		{"rows", func(m *manifest) { m.Tensors[3].Rows = 1 << 40 }, ErrCorrupt, "shape"},
		{"columns", func(m *manifest) { m.Tensors[3].Cols = 65 }, ErrCorrupt, "shape"},
		{"no columns", func(m *manifest) { m.Tensors[3].Cols = 0 }, ErrCorrupt, "shape"},
		{"tile sums", func(m *manifest) { m.Tensors[0].TileCRC32C = m.Tensors[0].TileCRC32C[1:] }, ErrCorrupt, "tile"},
		{"tile sums of another", func(m *manifest) { m.Tensors[3].TileCRC32C = []uint32{1} }, ErrCorrupt, "tile"},
		{"no parts", func(m *manifest) { m.Tensors[3].Parts = nil }, ErrCorrupt, "0 of 7 rows"},
		{"missing part", func(m *manifest) { m.Tensors[2].Parts = m.Tensors[2].Parts[:1] }, ErrCorrupt, "32 of 64 rows"},
		{"parts swapped", func(m *manifest) { slices.Reverse(m.Tensors[2].Parts) }, ErrCorrupt, "expected at row 0"},
		{"part inside a tile", func(m *manifest) { part(m, 2, 0).Rows = 8 }, ErrCorrupt, "inside a tile"},
		{"part too long", func(m *manifest) { part(m, 3, 0).Rows = 8 }, ErrCorrupt, "8 rows"},
		{"no such chunk", func(m *manifest) { part(m, 3, 0).Chunk = 2 }, ErrCorrupt, "nowhere"},
		{"no such segment", func(m *manifest) { part(m, 3, 0).Segment = -1 }, ErrCorrupt, "nowhere"},
		{"negative offset", func(m *manifest) { part(m, 3, 0).Offset = -4096 }, ErrCorrupt, "nowhere"},
		{"out of bounds", func(m *manifest) { part(m, 3, 0).Offset = 8 << 20 }, ErrCorrupt, "are left"},
		{"unaligned", func(m *manifest) { part(m, 3, 0).Offset += 64 }, ErrCorrupt, "multiple"},
		{"overlap", func(m *manifest) { part(m, 2, 0).Offset = 0 }, ErrCorrupt, "overlaps"},
		{"earlier segment", func(m *manifest) { part(m, 3, 0).Segment = 0 }, ErrCorrupt, "overlaps"},
		{"earlier chunk", func(m *manifest) { *part(m, 3, 0) = partEntry{Rows: 7} }, ErrCorrupt, "before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := sampleManifest(t)
			tt.spoil(m)
			if _, err := parseManifest(marshal(t, m)); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %v with %q", err, tt.kind, tt.reason)
			}
		})
	}
	good := unsealed(t, sampleManifest(t))
	if _, err := parseManifest([]byte(good)); err != nil {
		t.Errorf("version 1 is not read: %v", err)
	}
	for name, raw := range map[string]string{
		"empty": "", "not JSON": "lever", "unknown key": strings.Replace(good, `"config"`, `"extra":1,"config"`, 1), "text after": good + "{}",
		"number as text": strings.Replace(good, `"rows":20`, `"rows":"20"`, 1), "truncated": good[:len(good)/2],
		"key twice": strings.Replace(good, `"rows":20`, `"rows":20,"rows":20`, 1), "key in capitals": strings.Replace(good, `"rows":20`, `"Rows":20`, 1),
		"key of the configuration twice": strings.Replace(good, `"hidden_size":64`, `"hidden_size":64,"hidden_size":64`, 1), "no UTF-8": strings.Replace(good, "norm", "n\xffrm", 1),
	} {
		if _, err := parseManifest([]byte(raw)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the shapes, a layout is one that readers accept, and its segments have sizes to read well.
func TestLayoutProperty(t *testing.T) {
	types := tensor.PackableTypes()
	rapid.Check(t, func(t *rapid.T) {
		m := &manifest{Format: formatName, Version: 1, Config: json.RawMessage(`{}`)}
		table := func(name string) stored {
			return stored{name: name, dtype: tensor.Q8_0, rows: rapid.IntRange(1, 5000).Draw(t, "rows of "+name), cols: 32}
		}
		steps := [][]stored{[]stored{table(embeddingName), table("other")}[:rapid.IntRange(1, 2).Draw(t, "tables")]}
		names := 0
		for range rapid.IntRange(1, 3).Draw(t, "steps") {
			var step []stored
			for range rapid.IntRange(1, 6).Draw(t, "tensors") {
				names++
				name, expert := strings.Repeat("x", names), strings.Repeat("e", rapid.IntRange(0, 2).Draw(t, "expert"))
				if rapid.Bool().Draw(t, "vector") {
					step = append(step, stored{name: name, dtype: tensor.F32, rows: 1, cols: rapid.IntRange(1, 20000).Draw(t, "cols"), expert: expert})
					continue
				}
				d := rapid.SampledFrom(types).Draw(t, "type")
				cols := d.BlockElems() * rapid.IntRange(1, 60).Draw(t, "blocks")
				step = append(step, stored{name: name, dtype: d, rows: rapid.IntRange(1, 5000).Draw(t, "rows"), cols: cols, expert: expert})
			}
			steps = append(steps, step)
		}
		var err error
		if m.Chunks, m.Tensors, err = layout(steps); err != nil {
			t.Fatal(err)
		}
		owner := map[address]string{} // of what shares its segments with nothing else
		for i, step := range steps {
			for _, x := range step {
				belongs := x.expert
				if i == 0 {
					belongs = x.name
				}
				for _, p := range m.tensors()[x.name].Parts {
					at := address{p.Chunk, p.Segment}
					if other, taken := owner[at]; p.Chunk != i || taken && other != belongs || m.Chunks[i].Segments[p.Segment].Expert != (x.expert != "") {
						t.Fatalf("%s of %q lies in segment %d of %q", x.name, belongs, p.Segment, other)
					}
					owner[at] = belongs
				}
			}
		}
		m.Version = m.leastVersion()
		for i, c := range m.Chunks {
			m.Chunks[i].SHA256 = strings.Repeat("00", 32)
			for j, s := range c.Segments {
				last := j == len(c.Segments)-1 || owner[address{i, j}] != owner[address{i, j + 1}]
				if s.Size < minSegment && !last {
					t.Fatalf("segment %d of %d has %d bytes", j, len(c.Segments), s.Size)
				}
			}
		}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLayoutOfWideRows(t *testing.T) {
	if _, _, err := layout([][]stored{{{name: "x", dtype: tensor.F16, rows: 16, cols: 1 << 18}}}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

// TestTooLargeManifest: a manifest's size is looked at before it is read.
func TestTooLargeManifest(t *testing.T) {
	dir := smallStore(t)
	if err := os.Truncate(filepath.Join(dir, ManifestName), maxManifest+1); err != nil {
		t.Fatal(err)
	}
	_, openErr := Open(t.Context(), dir, OpenOptions{})
	_, inspectErr := Inspect(dir)
	for name, err := range map[string]error{"Open": openErr, "Inspect": inspectErr, "Verify": Verify(t.Context(), dir, nil)} {
		if !errors.Is(err, regular.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	good := marshal(f, sampleManifest(f))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(unsealed(f, sampleManifest(f))))
	f.Add(bytes.Replace(good, []byte(`"version":2`), []byte(`"version":3`), 1))
	f.Add([]byte(`{"format":"lever-store","version":1,"config":{},"chunks":[{}],"tensors":[{"parts":[{}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseManifest(raw)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for i := range m.Tensors {
			x := &m.Tensors[i]
			for _, p := range x.Parts {
				if s := m.Chunks[p.Chunk].Segments[p.Segment]; p.Offset+x.partBytes(p) > s.Size {
					t.Fatalf("%s: part %+v outside %+v", x.Name, p, s)
				}
			}
		}
	})
}

// Where sizes of models could overflow, no store is written or read, and the error says what to do.
func TestCheckWords(t *testing.T) {
	if err := checkWords(64); err != nil {
		t.Error(err)
	}
	if err := checkWords(32); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "processors of 32 bits") || !strings.Contains(err.Error(), "build for one of 64 bits") {
		t.Error(err)
	}
}
