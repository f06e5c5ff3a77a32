package fastrpc

import (
	"bytes"
	"testing"
)

// FuzzRequest has the host answer requests of any content. It answers what it knows and refuses the rest.
func FuzzRequest(f *testing.F) {
	f.Add(uint32(0), uint32(0x00020200), append(words(8, 9, 100, 9), "apps_std\x00\x00\x00\x00\x08\x00\x00\x00\x64\x00\x00\x00"...))
	f.Add(uint32(hostFiles), uint32(0x0a010100), words(4, 0, 1, 8))
	f.Add(uint32(hostFiles), uint32(0x04010200), words(8, 0, 1, 100, 8, 100))
	f.Add(uint32(hostFiles), uint32(0x09010000), words(12, 0, 1, 0xffffffff, 0))
	f.Add(uint32(hostMemory), uint32(0x02010100), words(32, 0, 1, 2, 3, 4, 5, 6, 7, 8, 16))
	f.Add(uint32(hostFiles), uint32(0x1f020100), words(0x7fffffff, 0xffffffff, 0x80000000))
	content := []byte("a module")
	f.Fuzz(func(t *testing.T, handle, scalars uint32, packed []byte) {
		if handle == hostMemory {
			return // asks the kernel, of which there is none
		}
		s := &Session{files: files{name: "m", content: content, last: 1, open: map[uint32]*bytes.Reader{1: bytes.NewReader(content)}}}
		method, ins, outs, _ := splitScalars(scalars)
		r := reverse{handle: handle, method: method}
		if !r.unpack(packed, ins, outs) {
			return
		}
		before := 0
		for _, b := range r.out {
			before += len(b)
		}
		if code := s.serve(&r); code != 0 && code < 0x80000400 {
			t.Errorf("code %v", code)
		}
		if n := len(r.pack()); n < before || n > before+12*len(r.out) {
			t.Errorf("an answer of %d bytes to what asks for %d", n, before)
		}
	})
}

// TestScalars takes a word apart that is known to load a module.
func TestScalars(t *testing.T) {
	if got := scalars(19, 5, 1); got != 0x13050100 {
		t.Errorf("%#x", got)
	}
	if method, in, out, handles := splitScalars(0x13050123); method != 19 || in != 5 || out != 1 || handles != 5 {
		t.Error(method, in, out, handles)
	}
}
