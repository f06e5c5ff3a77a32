package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/tensor"
)

// sample has every kind of value and tensors of three types.
func sample() Content {
	return Content{
		Metadata: map[string]any{
			"general.architecture": "llama", "general.alignment": uint32(64),
			"u8": uint8(1), "i8": int8(-1), "u16": uint16(2), "i16": int16(-2), "u32": uint32(3), "i32": int32(-3),
			"u64": uint64(4), "i64": int64(-4), "f32": float32(1.5), "f64": 2.5, "bool": true, "text": "héllo",
			"u8s": []uint8{1, 2}, "i8s": []int8{-1}, "u16s": []uint16{7}, "i16s": []int16{-7}, "u32s": []uint32{8}, "i32s": []int32{1, -2, 3},
			"u64s": []uint64{9}, "i64s": []int64{-9}, "f32s": []float32{0.5, -0.5}, "f64s": []float64{0.25}, "bools": []bool{true, false},
			"strings": []string{"a", "", "ccc"}, "empty": []float32{},
		},
		Tensors: []Tensor{
			{Name: "norm", Shape: []int{3}, Type: tensor.F32, Data: []byte("abcdefghijkl")},
			{Name: "w", Shape: []int{32, 2}, Type: tensor.Q8_0, Data: bytes.Repeat([]byte{7}, 68)},
			{Name: "k", Shape: []int{256, 1}, Type: tensor.Q4_K, Data: bytes.Repeat([]byte{9}, 144)},
		},
	}
}

func encode(t testing.TB, c Content) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(&buf, c); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func read(raw []byte) (*File, error) { return Read(bytes.NewReader(raw), int64(len(raw))) }

func TestRoundTrip(t *testing.T) {
	for _, version := range []uint32{0, 2, 3} {
		want := sample()
		want.Version = version
		f, err := read(encode(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if v := max(version, 2); version != 0 && f.Version != v {
			t.Errorf("version %d, want %d", f.Version, v)
		}
		if !reflect.DeepEqual(f.Metadata, want.Metadata) {
			t.Errorf("metadata\n%v, want\n%v", f.Metadata, want.Metadata)
		}
		for i, w := range want.Tensors {
			got := f.Tensors[i]
			if got.Name != w.Name || got.Type != w.Type || !reflect.DeepEqual(got.Shape, w.Shape) || got.Size != int64(len(w.Data)) || got.Offset%64 != 0 {
				t.Errorf("tensor %+v, want %+v", got, w)
			}
			data := make([]byte, got.Size)
			if _, err := f.Data.ReadAt(data, got.Offset); err != nil || !bytes.Equal(data, w.Data) {
				t.Errorf("%s: data differ (%v)", w.Name, err)
			}
		}
	}
}

func TestArrayOfArrays(t *testing.T) {
	raw := binary.LittleEndian.AppendUint32([]byte(magic), 3)
	raw = le.AppendUint64(le.AppendUint64(raw, 0), 1)
	raw = appendString(raw, "nested")
	raw = appendArrayHead(raw, typeArray, 2)
	for _, inner := range [][]int32{{1, 2}, {}} {
		part, err := appendSlice(nil, typeInt32, inner)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, part[4:]...) // an inner array has no type tag of its own
	}
	f, err := read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := []any{[]int32{1, 2}, []int32{}}; !reflect.DeepEqual(f.Metadata["nested"], want) {
		t.Errorf("got %v, want %v", f.Metadata["nested"], want)
	}
}

// replace swaps the one occurrence of old in raw.
func replace(t *testing.T, raw, old, new []byte) []byte {
	t.Helper()
	if bytes.Count(raw, old) != 1 || len(old) != len(new) {
		t.Fatalf("cannot replace %q", old)
	}
	return bytes.Replace(raw, old, new, 1)
}

func TestBadFiles(t *testing.T) {
	good := encode(t, sample())
	u32, u64 := func(v uint32) []byte { return le.AppendUint32(nil, v) }, func(v uint64) []byte { return le.AppendUint64(nil, v) }
	at := func(off int, with []byte) []byte {
		raw := bytes.Clone(good)
		copy(raw[off:], with)
		return raw
	}
	// info of tensor w: name, 2 dimensions, 32, 2, type 8, offset 64
	info := func(d0, d1 uint64, typ uint32, off uint64) []byte {
		b := appendString(nil, "w")
		b = append(b, u32(2)...)
		b = append(append(b, u64(d0)...), u64(d1)...)
		return append(append(b, u32(typ)...), u64(off)...)
	}
	oldInfo := info(32, 2, 8, 64)
	tests := []struct {
		name   string
		raw    []byte
		want   error
		reason string
	}{
		{"empty", nil, ErrTruncated, "header ends"},
		{"magic", at(0, []byte("GGML")), ErrCorrupt, "does not start"},
		{"version 1", at(4, u32(1)), ErrUnsupported, "version 1"},
		{"version 4", at(4, u32(4)), ErrUnsupported, "version 4"},
		{"big endian", at(4, []byte{0, 0, 0, 3}), ErrUnsupported, "big-endian"},
		{"tensor count", at(8, u64(1<<60)), ErrTruncated, "do not fit"},
		{"metadata count", at(16, u64(1<<60)), ErrTruncated, "do not fit"},
		{"key length", at(24, u64(1<<62)), ErrTruncated, "do not fit"},
		{"truncated header", good[:len(good)/2], ErrTruncated, ""},
		{"truncated data", good[:len(good)-120], ErrTruncated, "ends past"},
		{"foreign type", replace(t, good, oldInfo, info(32, 2, 15, 64)), ErrUnsupported, "Q8_K"},
		{"unknown type", replace(t, good, oldInfo, info(32, 2, 77, 64)), ErrUnsupported, "unknown type 77"},
		{"zero dimension", replace(t, good, oldInfo, info(32, 0, 8, 64)), ErrCorrupt, "dimension 1"},
		{"huge shape", replace(t, good, oldInfo, info(1<<40, 1<<40, 8, 64)), ErrCorrupt, "dimension 1"},
		{"partial block", replace(t, good, oldInfo, info(33, 2, 8, 64)), ErrCorrupt, "whole q8_0 blocks"},
		{"outside", replace(t, good, oldInfo, info(32, 2, 8, 1<<30)), ErrTruncated, "ends past"},
		{"offset overflow", replace(t, good, oldInfo, info(32, 2, 8, math63)), ErrTruncated, "ends past"},
		{"negative offset", replace(t, good, oldInfo, info(32, 2, 8, 1<<63)), ErrCorrupt, "offset"},
		{"unaligned", replace(t, good, oldInfo, info(32, 2, 8, 65)), ErrCorrupt, "multiple of 64"},
		{"overlap", replace(t, good, oldInfo, info(32, 2, 8, 0)), ErrCorrupt, "overlaps"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(tt.raw)
			var typed *Error
			if !errors.Is(err, tt.want) || !errors.As(err, &typed) || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.reason)
			}
		})
	}
}

const math63 = 1<<63 - 64

func TestDuplicatesAndAlignment(t *testing.T) {
	twice := sample()
	twice.Tensors[1].Name = "norm"
	if _, err := read(encode(t, twice)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "norm: described twice") {
		t.Errorf("tensor twice: %v", err)
	}
	raw := encode(t, Content{Metadata: map[string]any{"aa": "x", "ab": "y"}})
	if _, err := read(bytes.Replace(raw, []byte("ab"), []byte("aa"), 1)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("key twice: %v", err)
	}
	for _, a := range []any{uint32(0), uint32(12), uint32(1 << 30), "32"} {
		if err := Write(&bytes.Buffer{}, Content{Metadata: map[string]any{alignmentKey: a}}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("alignment %v: %v", a, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range []Content{
		{Metadata: map[string]any{"x": struct{}{}}},
		{Tensors: []Tensor{{Name: "x", Shape: []int{2}, Type: tensor.F32, Data: make([]byte, 7)}}},
		{Tensors: []Tensor{{Name: "x", Shape: []int{2}, Type: tensor.Invalid}}},
	} {
		if err := Write(&bytes.Buffer{}, c); err == nil {
			t.Errorf("wrote %v", c)
		}
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bad.gguf")
	if err := os.WriteFile(path, []byte("GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrTruncated) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none.gguf")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// Every prefix of a good file fails with a typed error, and no header byte can be changed so that reading panics.
func TestEveryTruncationFails(t *testing.T) {
	good := encode(t, sample())
	for n := range len(good) - 128 { // the last tensor is followed by padding
		if _, err := read(good[:n]); !errors.As(err, new(*Error)) {
			t.Fatalf("%d of %d bytes: %v", n, len(good), err)
		}
	}
}

func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Content{Version: rapid.SampledFrom([]uint32{2, 3}).Draw(t, "version"), Metadata: map[string]any{}}
		for key, text := range rapid.MapOfN(rapid.String(), rapid.String(), 0, 5).Draw(t, "strings") {
			c.Metadata["s."+key] = text
		}
		for key, list := range rapid.MapOfN(rapid.String(), rapid.SliceOf(rapid.Int32()), 0, 3).Draw(t, "lists") {
			c.Metadata["l."+key] = append([]int32{}, list...)
		}
		var buf bytes.Buffer
		if err := Write(&buf, c); err != nil {
			t.Fatal(err)
		}
		f, err := read(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(f.Metadata, c.Metadata, func(a, b any) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("got %v, want %v", f.Metadata, c.Metadata)
		}
	})
}

func FuzzRead(f *testing.F) {
	good := encode(f, sample())
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte(magic))
	f.Add(encode(f, Content{Version: 2}))
	for number := range interleavings {
		f.Add(bytes.Replace(good, le.AppendUint32(le.AppendUint64(nil, 2), uint32(8)), le.AppendUint32(le.AppendUint64(nil, 2), number), 1))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var file *File
		var err error
		testdata.CheckAllocation(t, len(raw), 1<<20, 64, func() { file, err = read(raw) })
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for _, info := range file.Tensors {
			if info.Offset < 0 || info.Size <= 0 || info.Offset+info.Size > int64(len(raw)) {
				t.Fatalf("%+v outside %d bytes", info, len(raw))
			}
			if _, err := io.Copy(io.Discard, file.Section(info)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func ExampleRead() {
	var buf bytes.Buffer
	err := Write(&buf, Content{
		Metadata: map[string]any{"general.architecture": "llama", "llama.block_count": uint32(8)},
		Tensors:  []Tensor{{Name: "output_norm.weight", Shape: []int{2}, Type: tensor.F32, Data: make([]byte, 8)}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := Read(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Version, f.Metadata["llama.block_count"], f.Tensors[0].Name, f.Tensors[0].Shape, f.Tensors[0].Type)
	// Output: 3 8 output_norm.weight [2] f32
}
