package tensorfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/tensor/tensorfile"
)

// TestReadNPY reads files that numpy.save of NumPy 1.24 wrote, and writes those in C's order back, byte by byte.
func TestReadNPY(t *testing.T) {
	for name, want := range map[string]string{
		"f4":          "f32[2 3] [[0 0.5 1] [1.5 2 2.5]]",
		"f8_fortran":  "f64[2 3 4] [[[0 1 2 3] [4 5 6 7] [8 9 10 11]] [[12 13 14 15] [16 17 18 19] [20 21 22 23]]]",
		"i8_scalar":   "i64[] 4611686018427387905",
		"b1":          "bool[3] [true false true]",
		"f2_empty":    "f16[0 3] []",
		"i4_version2": "i32[1 2] [[1 -2]]",
	} {
		content, err := os.ReadFile(filepath.Join("testdata", name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := tensorfile.ReadNPY(bytes.NewReader(content))
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", name, got, err, want)
			continue
		}
		var written bytes.Buffer
		if err := tensorfile.WriteNPY(&written, got); err != nil {
			t.Error(err)
		}
		if !strings.Contains(name, "_fortran") && !strings.Contains(name, "_version") && !bytes.Equal(written.Bytes(), content) {
			t.Errorf("%s: wrote %q, and NumPy %q", name, written.Bytes(), content)
		}
		if back, err := tensorfile.ReadNPY(&written); err != nil || !tensor.Equal(back, got) {
			t.Errorf("%s: %v, %v after it was written", name, back, err)
		}
	}
}

func TestBadNPY(t *testing.T) {
	file := func(header, data string) string {
		return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), 0}) + header + data
	}
	for content, want := range map[string]error{
		"":                                  tensorfile.ErrTruncated,
		"\x93NUMPY\x01\x00\x50":             tensorfile.ErrTruncated,
		"PK\x03\x04 a zip file":             tensorfile.ErrCorrupt,
		"\x93NUMPY\x09\x00\x00":             tensorfile.ErrUnsupported,
		"\x93NUMPY\x02\x00\xff\xff\xff\xff": tensorfile.ErrCorrupt,
		file("{}", ""):                      tensorfile.ErrCorrupt,
		file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "abcd"):                                   tensorfile.ErrUnsupported,
		file("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }", "abcd"):                          tensorfile.ErrUnsupported,
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "abcd"):                                   tensorfile.ErrTruncated,
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", ""):                    tensorfile.ErrCorrupt,
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904), }", ""): tensorfile.ErrCorrupt,
		file("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }", ""):                     tensorfile.ErrTruncated,
	} {
		if got, err := tensorfile.ReadNPY(strings.NewReader(content)); !errors.Is(err, want) {
			t.Errorf("%q: got %v, %v, want %v", content, got, err, want)
		}
	}
	if err := tensorfile.WriteNPY(new(bytes.Buffer), tensor.Must(tensor.New(tensor.BF16, 1))); !errors.Is(err, tensor.ErrType) {
		t.Errorf("bf16: %v", err)
	}
	if err := tensorfile.WriteNPY(new(bytes.Buffer), nil); !errors.Is(err, tensor.ErrType) {
		t.Errorf("nil: %v", err)
	}
}

func FuzzReadNPY(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npy")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		x, err := tensorfile.ReadNPY(bytes.NewReader(content))
		if err != nil {
			return
		}
		var written bytes.Buffer
		if err := tensorfile.WriteNPY(&written, x); err != nil {
			t.Fatalf("%v cannot be written: %v", x, err)
		}
		if _, err := tensorfile.ReadNPY(&written); err != nil {
			t.Fatalf("%v cannot be read again: %v", x, err)
		}
	})
}
