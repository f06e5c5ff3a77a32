package server

import (
	"context"
	"net/http"
	"time"
)

// quiet is how long a stream may have nothing to say before it says so, that nothing between takes it for dead.
const quiet = 15 * time.Second

// stream writes a job's answer as it is made, in parts. The headers go out at once, while the request waits for its turn.
func (s *Server) stream(ctx context.Context, x *exchange, j *job, box *mailbox) error {
	h := x.Header()
	h.Set("Content-Type", j.reply.kind())
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	out := j.reply.begin(nil, len(j.choices[0].Tokens))
	timer := time.NewTicker(quiet)
	defer timer.Stop()
	for {
		if err := s.flush(x, out); err != nil {
			return errGone
		}
		out = out[:0]
		select {
		case <-box.wake:
		case <-timer.C:
			out = j.reply.busy(out)
		case <-ctx.Done():
			if !s.ending.Load() {
				return errGone
			}
			<-box.wake
		}
		pieces, done := box.take()
		for _, p := range pieces {
			if p.result != nil {
				out = j.reply.end(out, p.choice, *p.result)
			} else {
				out = j.reply.part(out, p)
			}
		}
		if !done {
			continue
		}
		if box.err != nil {
			e := s.fault(ctx, box.err)
			if e == errGone {
				return errGone
			}
			out = j.reply.fail(out, e)
		}
		if err := s.flush(x, out); err != nil {
			return errGone
		}
		return nil
	}
}

// flush sends to the client, or fails when it does not read.
func (s *Server) flush(w http.ResponseWriter, out []byte) error {
	s.deadline(w)
	if _, err := w.Write(out); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// deadline bounds the time that the client may take to read what is written next.
func (s *Server) deadline(w http.ResponseWriter) {
	// A connection that knows no deadlines is the caller's to guard.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.options.WriteTime))
}
