package server

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Small requests come first, but not before large ones that came much earlier; else the order is that of arrival. Who leaves gives up its turn.
func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(8, 1)
		var mu sync.Mutex
		var order []string
		ended := func(name string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
		}
		request := func(name string, ctx context.Context, later time.Duration) {
			if !q.enter(later > 0) {
				t.Fatalf("there is no room for %s", name)
			}
			go func() {
				defer q.leave()
				if err := q.run(ctx, later, func() { time.Sleep(10 * time.Second); ended(name) }); err != nil {
					ended(name + " left")
				}
			}()
			time.Sleep(100 * time.Millisecond)
		}
		leaving, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		request("first", t.Context(), 0)
		request("large", t.Context(), time.Second)
		request("small", t.Context(), 0)
		request("leaves", leaving, 0)
		request("later large", t.Context(), time.Second)
		request("small too", t.Context(), 0)
		time.Sleep(time.Second)
		if waiting, running := q.lengths(); waiting != 4 || running != 1 {
			t.Errorf("%d wait and %d run", waiting, running)
		}
		request("much later", t.Context(), 0)
		synctest.Wait()
		time.Sleep(time.Minute + 10*time.Second)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"leaves left", "first", "small", "small too", "large", "later large", "much later"}; !slices.Equal(order, want) {
			t.Errorf("%q, want %q", order, want)
		}
		if waiting, running := q.lengths(); waiting != 0 || running != 0 {
			t.Errorf("%d wait and %d run in the end", waiting, running)
		}
	})
}

// Large requests leave half of the room to others.
func TestQueueRoom(t *testing.T) {
	q := newQueue(5, 1)
	for n := range 3 {
		if !q.enter(true) {
			t.Errorf("no room for large request %d", n)
		}
	}
	if q.enter(true) {
		t.Error("large requests have more than half of the room")
	}
	for n := range 3 {
		if !q.enter(false) {
			t.Errorf("no room for small request %d", n)
		}
	}
	if q.enter(false) {
		t.Error("there is more room than there should be")
	}
	q.leave()
	if !q.enter(false) {
		t.Error("no room although one left")
	}
}

// As many requests run at once as may, and no more.
func TestQueueParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, 3)
		var group sync.WaitGroup
		for range 5 {
			if !q.enter(false) {
				t.Fatal("there is no room")
			}
			group.Go(func() {
				defer q.leave()
				if err := q.run(t.Context(), 0, func() { time.Sleep(time.Minute) }); err != nil {
					t.Error(err)
				}
			})
		}
		if q.enter(false) {
			t.Error("there is more room than there should be")
		}
		synctest.Wait()
		if waiting, running := q.lengths(); waiting != 2 || running != 3 {
			t.Errorf("%d wait and %d run", waiting, running)
		}
		began := time.Now()
		group.Wait()
		if took := time.Since(began); took != 2*time.Minute {
			t.Errorf("5 requests of a minute took %v", took)
		}
		if waiting, running := q.lengths(); waiting != 0 || running != 0 {
			t.Errorf("%d wait and %d run in the end", waiting, running)
		}
	})
}
