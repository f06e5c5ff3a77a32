package hub

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
)

func TestRemote(t *testing.T) {
	content := make([]byte, 5<<20)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	s := newServer(t, map[string]string{"model.gguf": string(content)}, "model.gguf")
	c := s.client()
	remote, err := c.Remote(t.Context(), list(t, c)[0])
	if err != nil {
		t.Fatal(err)
	}
	// Reads one after the other, as of a header, take few requests.
	var got []byte
	section := io.NewSectionReader(remote, 0, 3<<20)
	if got, err = io.ReadAll(section); err != nil || !bytes.Equal(got, content[:3<<20]) {
		t.Errorf("the first part differs (%v)", err)
	}
	if n := len(s.requested("resolve")); n != 2 {
		t.Errorf("%d requests for 3 MiB", n)
	}
	end := make([]byte, 100)
	if n, err := remote.ReadAt(end, 5<<20-40); n != 40 || !errors.Is(err, io.EOF) || !bytes.Equal(end[:40], content[5<<20-40:]) {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	if remote.Err() != nil {
		t.Error(remote.Err())
	}

	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		r.Header.Del("Range")
		return false
	}
	if remote, err = c.Remote(t.Context(), remote.file); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.ReadAt(end, 0); !errors.Is(err, ErrNoRanges) || !errors.Is(remote.Err(), ErrNoRanges) {
		t.Errorf("a server without ranges: %v", err)
	}
}
