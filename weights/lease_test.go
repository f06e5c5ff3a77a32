package weights

import (
	"bytes"
	"sync"
	"testing"
)

// A part that is leased keeps its bytes while the stream goes on, in as few buffers as there can be, through changes of the limit and after
// Close, and its memory comes back.
func TestLease(t *testing.T) {
	s := open(t, bigStore(t, true))
	r := stream(t, s, StreamOptions{})
	type held struct {
		data, want []byte
		release    func()
	}
	leases, changed := make(chan held, 1), false
	var users, trims sync.WaitGroup
	users.Go(func() { // a device that is always a part or two behind
		for l := range leases {
			changed = changed || !bytes.Equal(l.data, l.want)
			l.release()
		}
	})
	parts := 0
	for range 3 {
		for _, name := range passNames(s) {
			for p, err := range r.Parts(t.Context(), name) {
				if err != nil {
					t.Fatal(err)
				}
				leases <- held{p.Data, bytes.Clone(p.Data), r.Lease()}
				if parts++; parts%10 == 0 {
					level := []TrimLevel{TrimCritical, TrimNone}[parts/10%2]
					trims.Go(func() { _, _ = r.Trim(level) }) // at any time
				}
			}
		}
	}
	var last held
	for p, err := range r.Parts(t.Context(), passNames(s)[0]) {
		if err != nil {
			t.Fatal(err)
		}
		last = held{p.Data, bytes.Clone(p.Data), r.Lease()}
		break
	}
	close(leases)
	users.Wait()
	trims.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if changed || !bytes.Equal(last.data, last.want) {
		t.Error("the bytes of a leased part have changed")
	}
	last.release()
	if got := r.Stats().HeldBytes; got != 0 {
		t.Errorf("%d bytes are held after Close and the last lease", got)
	}
	if parts < 30 {
		t.Errorf("only %d parts", parts)
	}
}

func TestLeaseOfResident(t *testing.T) {
	s := open(t, bigStore(t, true))
	r, err := s.Resident(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	name := passNames(s)[0]
	var data, want []byte
	var release func()
	for p, err := range r.Parts(t.Context(), name) {
		if err != nil {
			t.Fatal(err)
		}
		data, want, release = p.Data, bytes.Clone(p.Data), r.Lease()
		break
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, want) {
		t.Error("the bytes of a leased part have changed")
	}
	release()
	if r.chunks != nil {
		t.Error("the memory is not given back with the last lease")
	}
}
