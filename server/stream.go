package server

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// quiet is how long a stream may have nothing to say before it says so, that nothing between takes it for dead.
const quiet = 15 * time.Second

// stream writes a job's answer as it is made, as server-sent events. The headers go out at once, while the request waits for its turn.
func (s *Server) stream(ctx context.Context, x *exchange, j *job, box *mailbox) error {
	h := x.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	part := newResponse(j.form, j.form.chunk, s.options.Model)
	var out []byte
	event := func(v any) {
		body, err := json.Marshal(v)
		if err != nil {
			s.options.Log.Error("stream", "error", err)
			return
		}
		out = append(append(append(out, "data: "...), body...), "\n\n"...)
	}
	if j.form.chat {
		empty := ""
		part.Choices = []choice{{Delta: &said{Role: "assistant", Content: &empty}}}
		event(part)
	}
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
			out = append(out, ": still at work\n\n"...)
		case <-ctx.Done():
			if !s.ending.Load() {
				return errGone
			}
			<-box.wake
		}
		pieces, done := box.take()
		for _, p := range pieces {
			part.Choices, part.Tree = []choice{}, p.tree
			if p.tree == nil {
				part.Choices = append(part.Choices, j.form.part(p))
			}
			event(part)
		}
		part.Tree = nil
		if !done {
			continue
		}
		if box.err != nil {
			e := s.fault(ctx, box.err)
			if e == errGone {
				return errGone
			}
			event(map[string]any{"error": e})
		} else {
			last, finish := j.form.part(piece{}), finishReason(box.result.Finish)
			last.FinishReason = &finish
			if last.Delta != nil {
				last.Delta = &said{}
			}
			part.Choices = []choice{last}
			event(part)
			if j.options.usage != nil && *j.options.usage {
				part.Choices, part.Usage = []choice{}, newUsage(box.result)
				event(part)
			}
			out = append(out, "data: [DONE]\n\n"...)
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
