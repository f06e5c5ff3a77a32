package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// maxReading is the number of requests that are read at once.
const maxReading = 64

// bodies reads requests. When there are more than maxReading, the one that has taken longest gives way: slow senders, however many,
// can't keep others out.
type bodies struct {
	most  int64         // bytes of a request
	limit time.Duration // that a request may take

	mu      sync.Mutex
	reading []*http.ResponseController // the oldest first
}

// read returns the body of a request.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > b.most {
		return nil, b.tooLarge()
	}
	connection := http.NewResponseController(w)
	if err := b.begin(connection); err != nil {
		return nil, err
	}
	body, err := readAll(io.LimitReader(r.Body, b.most+1), r.ContentLength)
	if restored := b.end(connection); err == nil {
		err = restored
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, refused(http.StatusRequestTimeout, "invalid_request_error", "request_timeout", "the request came too slowly")
	case errors.As(err, new(net.Error)):
		return nil, errGone
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, refused(http.StatusBadRequest, "invalid_request_error", "", "the request's body is cut, or not in the chunks that its headers announce")
	case int64(len(body)) > b.most:
		w.Header().Set("Connection", "close")
		return nil, b.tooLarge()
	}
	return body, nil
}

// readAll reads a body of so many bytes, or, if that is negative, of nobody knows how many. It holds at most a few times what has come, and
// leaves less for the garbage collector than io.ReadAll: for the largest bodies a fifth.
func readAll(from io.Reader, length int64) ([]byte, error) {
	const first, growth = 16 << 10, 4
	body := make([]byte, 0, first)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		if len(body) == cap(body) {
			size := growth * len(body)
			if left := int(length) + 1; length >= int64(len(body)) { // one more, for the end to be seen
				size = min(size, left)
			}
			body = append(make([]byte, 0, size), body...)
		}
	}
}

func (b *bodies) tooLarge() error {
	return refused(http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large", "the request is longer than %d bytes", b.most)
}

// begin sets the time until which a connection's request must be there, and lets another one give way where there is no room.
func (b *bodies) begin(connection *http.ResponseController) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.reading) == maxReading {
		past := time.Unix(1, 0)
		if err := deadlineSet(b.reading[0].SetReadDeadline(past)); err != nil {
			return err
		}
		b.reading = b.reading[1:]
	}
	if err := deadlineSet(connection.SetReadDeadline(time.Now().Add(b.limit))); err != nil {
		return err
	}
	b.reading = append(b.reading, connection)
	return nil
}

// end lifts the deadline: the client may be silent from now on.
func (b *bodies) end(connection *http.ResponseController) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.reading, connection)
	if i < 0 {
		return os.ErrDeadlineExceeded // it gave way
	}
	b.reading = slices.Delete(b.reading, i, i+1)
	return deadlineSet(connection.SetReadDeadline(time.Time{}))
}

// deadlineSet returns the error of setting a deadline. A connection that knows none is the caller's to guard.
func deadlineSet(err error) error {
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
