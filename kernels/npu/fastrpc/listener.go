package fastrpc

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"syscall"
)

// requestBytes is the largest request of the DSP that is understood; answers may be larger.
const requestBytes = 1 << 16

// listen begins to answer what the DSP asks of the host.
func (s *Session) listen() error {
	if err := s.invoke(listener, startMethod, nil, nil); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		s.answer()
	}()
	return nil
}

// answer answers requests until the process on the DSP has ended. Each call brings the answer to the last request and returns with the next.
func (s *Session) answer() {
	runtime.LockOSThread() // for the DSP it is one that listens
	var context uint32
	var answer []byte
	status := Code(math.MaxUint32) // there is no request yet
	next, in := make([]byte, 16), make([]byte, requestBytes)
	for {
		err := s.invokeUnlimited(listener, nextMethod, [][]byte{words(context, uint32(status), uint32(len(answer)), requestBytes), answer}, [][]byte{next, in})
		if errors.Is(err, syscall.EINTR) {
			continue
		} else if err != nil {
			s.lost.Store(true) // or it is being closed
			return
		}
		context = binary.LittleEndian.Uint32(next)
		r := reverse{handle: binary.LittleEndian.Uint32(next[4:])}
		needed := binary.LittleEndian.Uint32(next[12:])
		method, ins, outs, handles := splitScalars(binary.LittleEndian.Uint32(next[8:]))
		r.method, answer = method, nil
		if status = codeBadParameter; needed <= requestBytes && handles == 0 && r.unpack(in, ins, outs) {
			if status = s.serve(&r); status == 0 {
				answer = r.pack()
			}
		}
	}
}

// reverse is a request of the DSP.
type reverse struct {
	handle  uint32
	method  uint8
	in, out [][]byte
}

// unpack reads what lies in a request: for each buffer that goes in its size and, from the next multiple of 8 bytes on, the buffer; then the
// sizes of those that come out.
func (r *reverse) unpack(packed []byte, ins, outs int) bool {
	at, total := 0, 0
	size := func() int {
		if len(packed)-at < 4 {
			return -1
		}
		at += 4
		return int(int32(binary.LittleEndian.Uint32(packed[at-4:])))
	}
	for range ins {
		n := size()
		if n > 0 {
			at = align(at)
		}
		if n < 0 || n > len(packed)-at {
			return false
		}
		r.in = append(r.in, packed[at:at+n])
		at += n
	}
	for range outs {
		n := size()
		if total += n; n < 0 || total > maxAnswerBytes {
			return false
		}
		r.out = append(r.out, make([]byte, n))
	}
	return true
}

// maxAnswerBytes bounds what the DSP may read at once.
const maxAnswerBytes = 16 << 20

// pack returns the buffers that come out, in the form of those that go in.
func (r *reverse) pack() []byte {
	var packed []byte
	for _, b := range r.out {
		packed = binary.LittleEndian.AppendUint32(packed, uint32(len(b)))
		if len(b) > 0 {
			packed = append(packed, make([]byte, align(len(packed))-len(packed))...)
		}
		packed = append(packed, b...)
	}
	return packed
}

func align(n int) int { return (n + 7) &^ 7 }

// word returns number i of buffer b that goes in.
func (r *reverse) word(b, i int) (uint32, bool) {
	if b >= len(r.in) || len(r.in[b]) < 4*(i+1) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(r.in[b][4*i:]), true
}

// put writes numbers to the first buffer that comes out.
func (r *reverse) put(values ...uint32) Code {
	if len(r.out) == 0 || len(r.out[0]) < 4*len(values) {
		return codeBadParameter
	}
	copy(r.out[0], words(values...))
	return 0
}
