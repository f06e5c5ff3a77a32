package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lever-go/lever/internal/giveway"
)

// Work has a quarter of the time while there are light requests, and nearly all of it otherwise.
func TestWorkGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l light
		work := func(requests int64, piece time.Duration) (share float64) {
			l.Store(requests)
			ctx := l.givesWay(context.Background())
			began, worked := time.Now(), time.Duration(0)
			for worked < 100*time.Millisecond {
				time.Sleep(piece)
				worked += piece
				giveway.Now(ctx)
			}
			return worked.Seconds() / time.Since(began).Seconds()
		}
		for _, piece := range []time.Duration{50 * time.Microsecond, time.Millisecond} {
			if share := work(1, piece); share < 0.24 || share > 0.26 {
				t.Errorf("in pieces of %v it has %v of the time beside a light request", piece, share)
			}
			if share := work(0, piece); share < 0.99 {
				t.Errorf("in pieces of %v it has %v of the time alone", piece, share)
			}
		}
		if share := work(1, 100*time.Millisecond); share < 0.9 {
			t.Errorf("it rests for longer than it may: %v", share)
		}
	})
}
