package fastrpc

import (
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"sync"
)

// Modules of the host that the DSP calls: one with a handle that it knows, and those that it opens by their names.
const (
	hostLoader = iota
	hostFiles  // apps_std
	hostMemory // apps_mem
)

// Their methods.
const (
	loaderOpen  = 0
	loaderClose = 1

	fileOpen    = 0
	fileClose   = 3
	fileRead    = 4
	fileSeek    = 9
	fileSize    = 10
	fileOpenEnv = 19 // in the folders of a variable of the environment
	fileStat    = 31

	memoryGrow   = 2
	memoryShrink = 3
)

// serve does what the DSP asks.
func (s *Session) serve(r *reverse) Code {
	switch r.handle {
	case hostLoader:
		return serveLoader(r)
	case hostFiles:
		return s.files.serve(r)
	case hostMemory:
		return s.serveMemory(r)
	}
	return codeNoModule
}

func serveLoader(r *reverse) Code {
	if r.method == loaderClose {
		return r.put(0)
	}
	if r.method != loaderOpen || len(r.in) < 2 {
		return codeUnsupported
	}
	switch string(bytes.TrimRight(r.in[1], "\x00")) {
	case "apps_std":
		return r.put(hostFiles, 0)
	case "apps_mem":
		return r.put(hostMemory, 0)
	}
	return codeNoModule
}

// serveMemory gives the heap of the process memory. The kernel allocates it.
func (s *Session) serveMemory(r *reverse) Code {
	if len(r.in) == 0 {
		return codeBadParameter
	}
	number := func(at int) uint64 { return binary.LittleEndian.Uint64(r.in[0][at:]) }
	switch {
	case r.method == memoryGrow && len(r.in[0]) >= 32:
		flags, _ := r.word(0, 2)
		address, err := s.abi.grow(s.k, s.fd, number(24), flags)
		if err != nil {
			return codeNoMemory
		}
		return r.put(0, 0, uint32(address), uint32(address>>32))
	case r.method == memoryShrink && len(r.in[0]) >= 16:
		if err := s.abi.shrink(s.k, s.fd, number(0), number(8)); err != nil {
			return codeMap
		}
		return 0
	}
	return codeUnsupported
}

// files is what the DSP sees of the host's: the module, and nothing else.
type files struct {
	name    string
	content []byte

	mu   sync.Mutex
	last uint32
	open map[uint32]*bytes.Reader
}

func (f *files) serve(r *reverse) Code {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.method {
	case fileOpen:
		return f.opened(r, 1)
	case fileOpenEnv:
		return f.opened(r, 3)
	case fileStat: // and the methods above it, with their number in the first word
		if number, _ := r.word(0, 0); number != fileStat {
			return codeUnsupported
		}
		return f.stat(r)
	}
	id, ok := r.word(0, 0)
	file := f.open[id]
	if !ok || file == nil {
		return codeNoFile
	}
	switch r.method {
	case fileClose:
		delete(f.open, id)
		return 0
	case fileSize:
		return r.put(uint32(file.Size()), 0)
	case fileSeek:
		offset, _ := r.word(0, 1)
		whence, ok := r.word(0, 2)
		if _, err := file.Seek(int64(int32(offset)), int(whence)); !ok || whence > io.SeekEnd || err != nil {
			return codeBadParameter
		}
		return 0
	case fileRead:
		if len(r.out) < 2 {
			return codeBadParameter
		}
		n, _ := file.Read(r.out[1])
		end := uint32(0)
		if n < len(r.out[1]) {
			end = 1
		}
		return r.put(uint32(n), end)
	}
	return codeUnsupported
}

// named reports whether buffer i names the module's file.
func (f *files) named(r *reverse, i int) bool {
	return i < len(r.in) && path.Base(string(bytes.TrimRight(r.in[i], "\x00"))) == f.name
}

func (f *files) opened(r *reverse, name int) Code {
	if !f.named(r, name) {
		return codeNoFile
	}
	if f.open == nil {
		f.open = map[uint32]*bytes.Reader{}
	}
	f.last++
	f.open[f.last] = bytes.NewReader(f.content)
	return r.put(f.last)
}

func (f *files) stat(r *reverse) Code {
	const statBytes, mode, links, size = 96, 24, 28, 40
	if !f.named(r, 1) {
		return codeNoFile
	}
	if len(r.out) == 0 || len(r.out[0]) < statBytes {
		return codeBadParameter
	}
	b := r.out[0]
	binary.LittleEndian.PutUint64(b, statBytes)
	binary.LittleEndian.PutUint32(b[mode:], 0o100444)
	binary.LittleEndian.PutUint32(b[links:], 1)
	binary.LittleEndian.PutUint64(b[size:], uint64(len(f.content)))
	return 0
}
