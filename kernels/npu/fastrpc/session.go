package fastrpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lever-go/lever/kernels/npu"
)

// Module is a shared object for the DSP.
type Module struct {
	Name     string // of a file, by which the DSP asks for it
	Function string // that is called: int (*)(uint64_t handle, uint32_t scalars, struct { void *data; uint32_t size; } *)
	File     []byte // its content
}

// Session is a process on the DSP with one module. Its methods are safe for concurrent use.
type Session struct {
	k      Kernel
	abi    abi
	path   string // of the device
	fd     int
	limit  time.Duration // for a call
	module uint32        // its handle
	using  sync.RWMutex  // held for reading while fd is in use, and for good once nothing may use it
	lost   atomic.Bool
	closed atomic.Bool
	files  files

	calls   chan func()
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed when the listener has ended; nil if there is none
}

// devices are the files of compute DSPs, the first one that opens being taken.
var devices = []struct {
	path string
	abi  abi
}{
	{"/dev/fastrpc-cdsp-secure", mainline{}},
	{"/dev/fastrpc-cdsp", mainline{}},
	{"/dev/adsprpc-smd", vendor{}},
}

// shells are where makers of phones and distributions put the program of which processes are made.
var shells = []string{
	"/dsp/cdsp/fastrpc_shell_unsigned_3",
	"/vendor/dsp/cdsp/fastrpc_shell_unsigned_3",
	"/vendor/dsp/fastrpc_shell_unsigned_3",
	"/vendor/lib/rfsa/adsp/fastrpc_shell_unsigned_3",
	"/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3",
	"/usr/lib/dsp/fastrpc_shell_unsigned_3",
	"/usr/lib/rfsa/adsp/fastrpc_shell_unsigned_3",
}

// Handles of modules that are always on the DSP, and methods of theirs.
const (
	loader   = 0
	listener = 3
	process  = 4

	loadMethod  = 0 // of loader
	startMethod = 3 // of listener
	nextMethod  = 4
	exitMethod  = 2 // of process
)

const (
	maxShellBytes = 8 << 20
	errorBytes    = 256 // of the loader's words about a module
)

// Callers is how many calls of a session can be under way at the same time. The DSP's processors compute as many at once.
const Callers = 4

// CallLimit is a time within which all calls end on a DSP that works.
const CallLimit = 10 * time.Second

// Open starts a process on the DSP and loads the module. limit is for how long to wait for the end of a call, such as [CallLimit]. The error
// says what was looked for, what is missing or refused, and what to do. When ctx is done before the module is loaded, its error is returned.
func Open(ctx context.Context, k Kernel, m Module, limit time.Duration) (*Session, error) {
	s := &Session{k: k, limit: limit, files: files{name: m.Name, content: m.File}, calls: make(chan func()), closing: make(chan struct{})}
	if err := s.openDevice(); err != nil {
		return nil, err
	}
	for range Callers {
		go s.makeCalls()
	}
	for _, step := range []struct {
		doing string
		do    func() error
	}{
		{"choose the compute DSP of " + s.path, func() error { return s.abi.choose(k, s.fd) }},
		{"start a process on the DSP", s.create},
		{"start listening to the DSP", s.listen},
		{"load " + m.Name, func() error { return s.load(m) }},
	} {
		err := ctx.Err()
		if err == nil {
			err = step.do()
		}
		if err != nil {
			err = failed(step.doing, err, npu.ErrUnsupported)
			if a := advice(err); a != "" {
				err = fmt.Errorf("%w: %s", err, a)
			}
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Session) openDevice() error {
	var absent []string
	var refused error
	for _, d := range devices {
		fd, err := s.k.Open(d.path)
		switch {
		case err == nil:
			s.path, s.abi, s.fd = d.path, d.abi, fd
			return nil
		case errors.Is(err, fs.ErrNotExist):
			absent = append(absent, d.path)
		case refused == nil:
			refused = fmt.Errorf("%s: %w", d.path, err)
		}
	}
	if refused == nil {
		return fmt.Errorf("there is none of %s: this system has no Qualcomm DSP, or its kernel no driver for one: %w",
			strings.Join(absent, ", "), npu.ErrUnsupported)
	}
	err := failed("open the DSP", refused, npu.ErrUnsupported)
	if a := advice(err); a != "" {
		err = fmt.Errorf("%w: %s", err, a)
	}
	return err
}

// create starts the process.
func (s *Session) create() error {
	program, err := s.shell()
	if err != nil {
		return err
	}
	m, err := s.allocHere(len(program))
	if err != nil {
		return err
	}
	copy(m.mem, program)
	err = m.Flush()
	if err == nil {
		err = s.abi.create(s.k, s.fd, m, len(program))
	}
	return errors.Join(err, m.Free()) // the kernel has mapped what it needs
}

// shell reads the program that makers of phones put on theirs.
func (s *Session) shell() ([]byte, error) {
	var refused error
	for _, path := range shells {
		program, err := s.k.ReadFile(path)
		switch {
		case err == nil && len(program) > 0 && len(program) <= maxShellBytes:
			return program, nil
		case err == nil:
			refused = fmt.Errorf("%s has %d bytes", path, len(program))
		case !errors.Is(err, fs.ErrNotExist):
			refused = err
		}
	}
	if refused != nil {
		return nil, refused
	}
	return nil, fmt.Errorf("there is none of %s: this system's DSP takes no unsigned programs, or its files are not installed", strings.Join(shells, ", "))
}

// load loads the module.
func (s *Session) load(m Module) error {
	name := fmt.Sprintf("file:///%s?%s&_modver=1.0&_dom=cdsp\x00", path.Base(m.Name), m.Function)
	result, text := make([]byte, 8), make([]byte, errorBytes)
	if err := s.invoke(loader, loadMethod, [][]byte{words(uint32(len(name)), errorBytes), []byte(name)}, [][]byte{result, text}); err != nil {
		return err
	}
	if code := binary.LittleEndian.Uint32(result[4:]); code != 0 {
		said, _, _ := strings.Cut(string(text), "\x00")
		return fmt.Errorf("%w: %q", Code(code), said)
	}
	s.module = binary.LittleEndian.Uint32(result)
	return nil
}

// Call calls a method of the module, at most 31, with buffers that go in and buffers that come out, whose sizes the module knows. An error
// wraps [npu.ErrLost]: nobody knows what of the call was done, and the kernel may still use the buffers.
func (s *Session) Call(method uint8, in, out [][]byte) error {
	err := s.invoke(s.module, method, in, out)
	if err == nil || errors.Is(err, fs.ErrClosed) {
		return err
	}
	s.lost.Store(true)
	if !errors.Is(err, npu.ErrLost) {
		err = fmt.Errorf("%w: %w", npu.ErrLost, err)
	}
	return fmt.Errorf("call method %d of %s: %w", method, s.files.name, err)
}

// invoke makes a call and waits for its end, but not longer than the limit.
func (s *Session) invoke(handle uint32, method uint8, in, out [][]byte) error {
	if err := s.usable(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	timer := time.NewTimer(s.limit)
	defer timer.Stop()
	calls := s.calls
	for {
		select {
		case calls <- func() {
			ended <- s.use(func() error { return s.invokeUnlimited(handle, method, in, out) })
		}:
			calls = nil
		case err := <-ended:
			return err
		case <-s.closing:
			return s.usable()
		case <-s.ended:
			s.lost.Store(true)
			return fmt.Errorf("the DSP asks no more, so that it will not answer: %w", npu.ErrLost)
		case <-timer.C:
			s.lost.Store(true)
			return s.late()
		}
	}
}

// makeCalls makes calls one after the other, all on one thread of the system: the DSP has a thread for each that calls it.
func (s *Session) makeCalls() {
	runtime.LockOSThread() // which ends with the goroutine
	for {
		select {
		case call := <-s.calls:
			call()
		case <-s.closing:
			return
		}
	}
}

func (s *Session) late() error { return fmt.Errorf("no answer within %v: %w", s.limit, npu.ErrLost) }

// within returns what f returns, or after a limit an error that wraps [npu.ErrLost]; f then goes on.
func (s *Session) within(limit time.Duration, f func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return s.late()
	}
}

func (s *Session) invokeUnlimited(handle uint32, method uint8, in, out [][]byte) error {
	arguments := append(append(make([][]byte, 0, len(in)+len(out)), in...), out...)
	return s.abi.invoke(s.k, s.fd, handle, scalars(method, len(in), len(out)), arguments)
}

// use runs f, which makes requests to the device, unless the session is closed or lost. Close waits for f: once the descriptor is closed, the
// system gives its number to another file.
func (s *Session) use(f func() error) error {
	if !s.using.TryRLock() {
		return s.usable()
	}
	defer s.using.RUnlock()
	if err := s.usable(); err != nil {
		return err
	}
	return f()
}

// usable returns why nothing can be done with the session, or nil.
func (s *Session) usable() error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w", s.path, fs.ErrClosed)
	}
	if s.lost.Load() {
		return fmt.Errorf("%s: %w", s.path, npu.ErrLost)
	}
	return nil
}

// failed is the function of that name, and notes that the session is lost.
func (s *Session) failed(doing string, cause, otherwise error) error {
	err := failed(doing, cause, otherwise)
	if errors.Is(err, npu.ErrLost) {
		s.lost.Store(true)
	}
	return err
}

// Close ends the process and with it all that it has. Memory is freed before. If the DSP does not answer, Close says so after the limit for
// calls; what waits for it in the kernel then stays there. Closing again does nothing.
func (s *Session) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	close(s.closing)
	if s.ended == nil {
		return s.k.Close(s.fd)
	}
	ended := func() error { <-s.ended; return nil }
	idle := func() error { s.using.Lock(); return nil }
	err := s.within(s.limit, func() error { return s.invokeUnlimited(process, exitMethod, nil, nil) })
	if err == nil {
		return errors.Join(s.within(s.limit, ended), s.within(s.limit, idle), s.k.Close(s.fd))
	}
	if !errors.Is(err, npu.ErrLost) { // the process is gone already, or the kernel ends it with the device
		err = nil
	}
	const entering = 20 * time.Millisecond // after it, a request that still is under way has reached the kernel, and keeps the device
	_ = s.within(entering, idle)
	return errors.Join(err, s.k.Close(s.fd), s.within(s.limit, ended))
}

// words returns numbers as the DSP reads them.
func words(values ...uint32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
