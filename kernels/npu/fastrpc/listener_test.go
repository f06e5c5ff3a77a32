package fastrpc

import (
	"bytes"
	"testing"
	"unsafe"
)

// generous is a kernel that says yes to all requests, and to nothing else.
type generous struct{ Kernel }

func (generous) Ioctl(int, uint32, unsafe.Pointer) error { return nil }

// FuzzRequest has the host answer requests of any content. It answers what it knows and refuses the rest.
func FuzzRequest(f *testing.F) {
	f.Add(uint32(0), uint32(0x00020200), append(words(8, 9, 100, 9), "apps_std\x00\x00\x00\x00\x08\x00\x00\x00\x64\x00\x00\x00"...))
	f.Add(uint32(hostFiles), uint32(0x0a010100), words(4, 0, 1, 8))
	f.Add(uint32(hostFiles), uint32(0x04010200), words(8, 0, 1, 100, 8, 100))
	f.Add(uint32(hostFiles), uint32(0x09010000), words(12, 0, 1, 0xffffffff, 0))
	f.Add(uint32(hostMemory), uint32(0x02010100), words(32, 0, 1, 2, 3, 4, 5, 6, 7, 8, 16))
	f.Add(uint32(hostFiles), uint32(0x1f020100), words(0x7fffffff, 0xffffffff, 0x80000000))
	f.Add(uint32(hostMemory), uint32(0x03010000), words(16, 0, 1, 2, 3, 4))
	content := []byte("a module")
	f.Fuzz(func(t *testing.T, handle, scalars uint32, packed []byte) {
		s := &Session{k: generous{}, abi: mainline{}, files: files{name: "m", content: content, last: 1, open: map[uint32]*bytes.Reader{1: bytes.NewReader(content)}}}
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

// TestExtendedMethod has the host answer the method of a file's state, and refuse others that share its number in the word of scalars.
func TestExtendedMethod(t *testing.T) {
	s := &Session{files: files{name: "m", content: []byte("a module")}}
	for number, want := range map[uint32]Code{fileStat: 0, fileStat + 1: codeUnsupported} {
		r := reverse{handle: hostFiles, method: fileStat, in: [][]byte{words(number, 2), []byte("m\x00")}, out: [][]byte{make([]byte, 96)}}
		if code := s.serve(&r); code != want {
			t.Errorf("method %d: %v, want %v", number, code, want)
		}
	}
}

// TestAddress maps memory at addresses that the DSP cannot have.
func TestAddress(t *testing.T) {
	for address, fits := range map[uint64]bool{0: false, 4096: true, 1<<32 - 4097: true, 1<<32 - 4096: false, 1 << 40: false, 1<<64 - 4096: false} {
		s := &Session{k: generous{}, abi: mapper{address: address}}
		m := &Memory{s: s, mem: make([]byte, 4096)}
		if err := m.attach(); (err == nil) != fits {
			t.Errorf("address %#x: %v", address, err)
		}
	}
}

// mapper maps memory at one address.
type mapper struct {
	mainline
	address uint64
}

func (m mapper) attach(Kernel, int, *Memory) (uint64, error) { return m.address, nil }
