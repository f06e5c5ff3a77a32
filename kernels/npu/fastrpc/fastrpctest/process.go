//go:build linux

package fastrpctest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/lever-go/lever/kernels/npu/fastrpc"
	"golang.org/x/sys/unix"
)

// process is what runs on the DSP.
type process struct {
	k         *Kernel
	listening bool
	asks      chan question
	asked     chan question // one that the host is answering
	dead      chan struct{}
	ended     sync.Once
	handle    uint32 // of the module, 0 before it is loaded

	mu    sync.Mutex
	space int
	maps  map[uint32][]byte // mappings of the DSP's own
	calls sync.WaitGroup    // of the module
}

// question is a request to the host, with the channel for its answer.
type question struct {
	handle, scalars uint32
	packed          []byte
	answer          chan answer
}

type answer struct {
	status fastrpc.Code
	packed []byte
}

func (p *process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended.Do(func() { close(p.dead) })
}

// release gives back what the process has.
func (p *process) release() error {
	p.end()
	p.calls.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, mem := range p.maps {
		errs = append(errs, unix.Munmap(mem))
	}
	return errors.Join(errs...)
}

// call calls the module.
func (p *process) call(scalars uint32, in []byte) error {
	p.mu.Lock()
	select {
	case <-p.dead:
		p.mu.Unlock()
		return syscall.EPIPE
	default:
		p.calls.Add(1)
		p.mu.Unlock()
	}
	defer p.calls.Done()
	code, err := p.k.Processor.Call(scalars, in)
	if err == nil && code != 0 {
		err = code
	}
	return err
}

// create starts the process.
func (k *Kernel) create(fd int, program []byte, attributes uint32) error {
	if err := k.fault("create"); err != nil {
		return err
	}
	f, err := k.find(fd)
	if err != nil {
		return err
	}
	if attributes != 8 || !bytes.Equal(program, f.shared[:len(program)]) || !bytes.HasPrefix(program, []byte("\x7fELF")) {
		return syscall.ECONNREFUSED
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.process = &process{k: k, asks: make(chan question), asked: make(chan question, 1), dead: make(chan struct{}), maps: map[uint32][]byte{}}
	return nil
}

func (k *Kernel) running() (*process, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.process == nil {
		return nil, syscall.EINVAL
	}
	select {
	case <-k.process.dead:
		return nil, syscall.EPIPE
	default:
		return k.process, nil
	}
}

func (k *Kernel) attach(fd, size int, flags uint32, returned func(uint64)) error {
	if err := k.fault("attach"); err != nil {
		return err
	}
	p, err := k.running()
	if err != nil {
		return err
	}
	f, err := k.find(fd)
	if err != nil {
		return err
	}
	if size != len(f.shared) || flags != 2 {
		return syscall.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.Space > 0 && p.space+size > k.Space {
		return fastrpc.Code(0x80000402)
	}
	mem, err := f.mapped(size)
	if err != nil {
		return err
	}
	address, err := k.Processor.Map(mem, f.path)
	if err != nil {
		return errors.Join(err, unix.Munmap(mem))
	}
	p.space += size
	p.maps[address] = mem
	returned(uint64(address))
	return nil
}

func (k *Kernel) detach(fd int, address uint64, size int) error {
	if err := k.fault("detach"); err != nil {
		return err
	}
	p, err := k.running()
	if err != nil {
		return err
	}
	if _, err := k.find(fd); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	mem := p.maps[uint32(address)]
	if len(mem) != size {
		return syscall.EINVAL
	}
	delete(p.maps, uint32(address))
	p.space -= size
	return errors.Join(k.Processor.Unmap(uint32(address), size), unix.Munmap(mem))
}

// invoke makes a call. Each of its buffers is described by a pointer and a size, in stride bytes.
func (k *Kernel) invoke(a argument, stride int) error {
	handle, scalars := a.word(0), a.word(4)
	ins, outs := int(scalars>>16&255), int(scalars>>8&255)
	var buffers [][]byte
	if n := ins + outs; n > 0 {
		list := argument{*(*unsafe.Pointer)(a.at(8, 8)), n * stride}
		for i := range n {
			if stride == 24 && list.word(i*stride+16) != 0xffffffff {
				return syscall.EINVAL // no descriptor is meant
			}
			buffers = append(buffers, list.pointer(i*stride, int(list.long(i*stride+8))))
		}
	}
	method := scalars >> 24 & 31
	if err := k.fault(fmt.Sprintf("invoke %d.%d", handle, method)); err != nil {
		return err
	}
	p, err := k.running()
	if err != nil {
		return err
	}
	in, out := buffers[:ins], buffers[ins:]
	switch {
	case handle == 3 && method == 3:
		p.listening = true
		return nil
	case handle == 3 && method == 4:
		return p.next(in, out)
	case handle == 4 && method == 2:
		p.end()
		return nil
	case handle == 0 && method == 0:
		return p.load(in, out)
	case p.handle != 0 && handle == p.handle:
		return p.call(scalars, in[0])
	}
	return fastrpc.Code(0x80000446)
}

// next takes the host's answer to the last question and waits for the next question.
func (p *process) next(in, out [][]byte) error {
	head := in[0]
	status := fastrpc.Code(binary.LittleEndian.Uint32(head[4:]))
	select {
	case q := <-p.asked:
		if status != 0 {
			q.answer <- answer{status: status}
		} else {
			q.answer <- answer{packed: bytes.Clone(in[1][:binary.LittleEndian.Uint32(head[8:])])}
		}
	default:
		if status != 0xffffffff {
			return syscall.EINVAL // an answer to nothing
		}
	}
	select {
	case q := <-p.asks:
		p.asked <- q
		for i, v := range []uint32{7, q.handle, q.scalars, uint32(len(q.packed))} {
			binary.LittleEndian.PutUint32(out[0][4*i:], v)
		}
		copy(out[1], q.packed)
		return nil
	case <-p.dead:
		return fastrpc.Code(0x8000040d)
	}
}

// ask makes a request to the host and returns the buffers that come out.
func (p *process) ask(handle, method uint32, in [][]byte, out ...int) ([][]byte, error) {
	var packed []byte
	for _, b := range in {
		packed = appendBuffer(packed, b)
	}
	for _, n := range out {
		packed = binary.LittleEndian.AppendUint32(packed, uint32(n))
	}
	q := question{handle, method<<24 | uint32(len(in))<<16 | uint32(len(out))<<8, packed, make(chan answer, 1)}
	select {
	case p.asks <- q:
	case <-p.dead:
		return nil, syscall.EPIPE
	}
	var a answer
	select {
	case a = <-q.answer:
	case <-p.dead:
		return nil, syscall.EPIPE
	}
	if a.status != 0 {
		return nil, a.status
	}
	var buffers [][]byte
	at := 0
	for _, n := range out {
		if len(a.packed) < at+4 || int(binary.LittleEndian.Uint32(a.packed[at:])) != n {
			return nil, fmt.Errorf("an answer of %d bytes has no buffer of %d at %d", len(a.packed), n, at)
		}
		if at += 4; n > 0 {
			at = (at + 7) &^ 7
		}
		buffers = append(buffers, a.packed[at:at+n])
		at += n
	}
	return buffers, nil
}

func appendBuffer(packed, b []byte) []byte {
	packed = binary.LittleEndian.AppendUint32(packed, uint32(len(b)))
	for len(b) > 0 && len(packed)%8 != 0 {
		packed = append(packed, 0)
	}
	return append(packed, b...)
}

// load reads a module from the host and loads it.
func (p *process) load(in, out [][]byte) error {
	fail := func(err error) error {
		code, isCode := err.(fastrpc.Code)
		if !isCode {
			code = 0x80000406
		}
		binary.LittleEndian.PutUint32(out[0][4:], uint32(code))
		copy(out[1], err.Error()+"\x00")
		return nil
	}
	name := strings.TrimRight(string(in[1]), "\x00")
	u, err := url.Parse(name)
	if err != nil || len(in[1]) != int(binary.LittleEndian.Uint32(in[0])) || u.Scheme != "file" || !strings.HasSuffix(u.RawQuery, "&_modver=1.0&_dom=cdsp") {
		return fail(fmt.Errorf("a module of the name %q", name))
	}
	module, err := p.read(strings.TrimPrefix(u.Path, "/"))
	if err != nil {
		return fail(err)
	}
	if err := p.k.Processor.Load(module); err != nil {
		return fail(err)
	}
	p.handle = 0x1234
	binary.LittleEndian.PutUint32(out[0], p.handle)
	return nil
}

// read reads a file of the host as the DSP's loader does, and gets memory for it.
func (p *process) read(name string) ([]byte, error) {
	numbers := func(values ...uint32) []byte {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	text := func(s string) []byte { return append([]byte(s), 0) }
	open := func(module string) (uint32, error) {
		out, err := p.ask(0, 0, [][]byte{numbers(uint32(len(module)+1), 100), text(module)}, 8, 100)
		if err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint32(out[0]), nil
	}
	std, err := open("apps_std")
	if err != nil {
		return nil, err
	}
	if _, err := open("adspmsgd_apps"); err == nil {
		return nil, fmt.Errorf("the host has a module that it cannot have")
	}
	file := func(name string) (uint32, error) {
		out, err := p.ask(std, 19, [][]byte{numbers(18, 2, uint32(len(name)+1), 2), text("ADSP_LIBRARY_PATH"), text(";"), text(name), text("r")}, 4)
		if err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint32(out[0]), nil
	}
	if _, err := file("/etc/passwd"); err == nil {
		return nil, fmt.Errorf("the host shows its files")
	}
	fd, err := file(name)
	if err != nil {
		return nil, err
	}
	out, err := p.ask(std, 10, [][]byte{numbers(fd)}, 8)
	if err != nil {
		return nil, err
	}
	size := int(binary.LittleEndian.Uint64(out[0]))
	if out, err = p.ask(std, 31, [][]byte{numbers(31, uint32(len(name)+1)), text(name)}, 96); err != nil || int(binary.LittleEndian.Uint64(out[0][40:])) != size {
		return nil, fmt.Errorf("a file of %d bytes has another size: %v, %w", size, out, err)
	}
	mem, err := open("apps_mem")
	if err != nil {
		return nil, err
	}
	if out, err = p.ask(mem, 2, [][]byte{append(numbers(22, 0, 0x1000, 0, 0, 0), numbers(uint32(size), 0)...)}, 16); err != nil {
		return nil, err
	}
	heap := out[0][8:]
	var content []byte
	for _, part := range []int{52, 4096, size} { // the header, some, and more than the rest
		if _, err := p.ask(std, 9, [][]byte{numbers(fd, uint32(len(content)), 0)}); err != nil {
			return nil, err
		}
		if out, err = p.ask(std, 4, [][]byte{numbers(fd, uint32(part))}, 8, part); err != nil {
			return nil, err
		}
		n := min(int(binary.LittleEndian.Uint32(out[0])), part)
		content = append(content, out[1][:n]...)
	}
	if _, err := p.ask(std, 3, [][]byte{numbers(fd)}); err != nil {
		return nil, err
	}
	if _, err := p.ask(mem, 3, [][]byte{append(bytes.Clone(heap), numbers(uint32(size), 0)...)}); err != nil {
		return nil, err
	}
	if len(content) != size {
		return nil, fmt.Errorf("%d bytes of a file of %d", len(content), size)
	}
	return content, nil
}
