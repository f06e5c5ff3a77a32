package lever

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/lever-go/lever/internal/publish"
	"github.com/lever-go/lever/layers"
	"github.com/minio/sha256-simd"
)

// Errors about session files.
var (
	ErrSessionCorrupt = errors.New("not a whole session file")
	ErrSessionVersion = errors.New("session file of another version")
	// ErrSessionForeign means that keys and values in a session are not those that these models would compute.
	ErrSessionForeign = errors.New("session of other models or kernels")
)

// A session file holds, in this order:
//
//  1. sessionMagic;
//  2. version, and the lengths of the next two parts, 4 bytes each, little-endian;
//  3. a sessionHeader as JSON;
//  4. the note of the program;
//  5. the states of the target and, if the header says so, of the draft: see layers.Decoder.WriteState;
//  6. the SHA-256 of all that.
const (
	sessionMagic   = "lever session\n"
	sessionVersion = 2
	maxSessionPart = 64 << 20 // of the header, and of the note
)

// sessionHeader says whose keys and values a session holds.
type sessionHeader struct {
	Target  string `json:"target"` // hash of the store
	Draft   string `json:"draft,omitempty"`
	Kernels string `json:"kernels"` // sets round differently
}

func (e *Engine) sessionHeader() (h sessionHeader, err error) {
	h.Kernels = e.pool.Set().Name()
	if h.Target, err = e.target.store.Hash(); err == nil && e.draft != nil {
		h.Draft, err = e.draft.store.Hash()
	}
	return h, err
}

// SaveSession writes the tokens that the models hold of the latest generation, with their keys and values, and a note of the caller's to a file: a generation whose
// prompt begins with them need not take them in again, in this or a later process. A file at path that is
// neither a session nor empty is kept: the error wraps [io/fs.ErrExist]. An error leaves what was at path before; during a generation it is
// [ErrBusy].
func (e *Engine) SaveSession(path string, note []byte) error {
	err := e.begin()
	if err == nil {
		defer e.end()
		err = e.saveSession(path, note)
	}
	if err != nil {
		return fmt.Errorf("lever: save session %s: %w", path, err)
	}
	return nil
}

func (e *Engine) saveSession(path string, note []byte) error {
	header, err := e.sessionHeader()
	if err != nil {
		return err
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	if len(note) > maxSessionPart {
		return fmt.Errorf("a note of %d bytes is longer than %d", len(note), maxSessionPart)
	}
	prefix := binary.LittleEndian.AppendUint32([]byte(sessionMagic), sessionVersion)
	prefix = binary.LittleEndian.AppendUint32(prefix, uint32(len(text)))
	prefix = binary.LittleEndian.AppendUint32(prefix, uint32(len(note)))
	if err := checkReplaceable(path); err != nil {
		return err
	}
	return publish.File(path, 0o600, func(file *os.File) error {
		sum := sha256.New()
		buffered := bufio.NewWriterSize(file, 1<<20)
		out := io.MultiWriter(buffered, sum)
		for _, part := range [][]byte{prefix, text, note} {
			if _, err := out.Write(part); err != nil {
				return err
			}
		}
		latest := e.conversations.latest()
		for _, s := range []*layers.Sequence{latest.target, latest.draft} {
			if s != nil {
				if err := s.WriteState(out); err != nil {
					return err
				}
			}
		}
		if _, err := buffered.Write(sum.Sum(nil)); err != nil {
			return err
		}
		return buffered.Flush()
	})
}

// checkReplaceable reports a file at path that is neither a session nor empty, since it may be wanted.
func checkReplaceable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is no regular file: %w", fs.ErrExist)
	case info.Size() == 0:
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	start := make([]byte, len(sessionMagic))
	if _, err := io.ReadFull(file, start); err != nil || string(start) != sessionMagic {
		return fmt.Errorf("it is no session and is kept: %w", fs.ErrExist)
	}
	return nil
}

// LoadSession makes the models hold what a session file says they held, and returns the note. The file is checked before anything is
// changed; errors wrap [ErrSessionCorrupt], [ErrSessionVersion] or [ErrSessionForeign]. With the last the note is returned all the same, and
// the models hold nothing, or what they held. During a generation the error is [ErrBusy].
func (e *Engine) LoadSession(path string) (note []byte, err error) {
	if err = e.begin(); err == nil {
		defer e.end()
		note, err = e.loadSession(path)
	}
	if err != nil {
		return note, fmt.Errorf("lever: load session %s: %w", path, err)
	}
	return note, nil
}

func (e *Engine) loadSession(path string) (note []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for somebody who writes to it
		return nil, fmt.Errorf("%w: it is not a regular file", ErrSessionCorrupt)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := checkSession(file)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(io.LimitReader(file, size), 1<<20)
	header, note, err := readSessionStart(in)
	if err != nil {
		return nil, err
	}
	mine, err := e.sessionHeader()
	if err != nil {
		return nil, err
	}
	switch {
	case header.Target != mine.Target:
		return note, fmt.Errorf("%w: the target is another model", ErrSessionForeign)
	case header.Kernels != mine.Kernels:
		return note, fmt.Errorf("%w: kernels were %s, not %s", ErrSessionForeign, header.Kernels, mine.Kernels)
	}
	latest := e.conversations.latest()
	if err := latest.target.ReadState(in); err != nil {
		return note, fmt.Errorf("%w: target: %w", ErrSessionForeign, err)
	}
	if e.draft == nil || header.Draft != mine.Draft {
		return note, nil // a draft reads the text anew when it is asked
	}
	if err := latest.draft.ReadState(in); err != nil {
		return note, fmt.Errorf("%w: draft: %w", ErrSessionForeign, err)
	}
	return note, nil
}

// checkSession checks the sum at the end of a file and returns the number of bytes before it.
func checkSession(file *os.File) (size int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if size = info.Size() - sha256.Size; size < int64(len(sessionMagic)) {
		return 0, fmt.Errorf("%w: it has %d bytes", ErrSessionCorrupt, info.Size())
	}
	start := make([]byte, len(sessionMagic))
	if _, err := file.ReadAt(start, 0); err != nil {
		return 0, err
	}
	if string(start) != sessionMagic {
		return 0, fmt.Errorf("%w: it begins with something else", ErrSessionCorrupt)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(file, size)); err != nil {
		return 0, err
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(file, want[:]); err != nil {
		return 0, err
	}
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		return 0, fmt.Errorf("%w: its checksum is wrong", ErrSessionCorrupt)
	}
	return size, nil
}

// readSessionStart reads what comes before the states.
func readSessionStart(in io.Reader) (header sessionHeader, note []byte, err error) {
	var fixed struct {
		Magic                 [len(sessionMagic)]byte
		Version, Header, Note uint32
	}
	if err := binary.Read(in, binary.LittleEndian, &fixed); err != nil {
		return header, nil, fmt.Errorf("%w: %w", ErrSessionCorrupt, err)
	}
	if fixed.Version != sessionVersion {
		return header, nil, fmt.Errorf("%w: it is %d, this program reads %d", ErrSessionVersion, fixed.Version, sessionVersion)
	}
	if fixed.Header > maxSessionPart || fixed.Note > maxSessionPart {
		return header, nil, fmt.Errorf("%w: parts of %d and %d bytes", ErrSessionCorrupt, fixed.Header, fixed.Note)
	}
	text, err := io.ReadAll(io.LimitReader(in, int64(fixed.Header)))
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	if err == nil {
		note, err = io.ReadAll(io.LimitReader(in, int64(fixed.Note)))
	}
	if err == nil && len(note) != int(fixed.Note) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return header, nil, fmt.Errorf("%w: %w", ErrSessionCorrupt, err)
	}
	return header, note, nil
}
