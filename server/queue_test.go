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
		request := func(name string, ctx context.Context, large bool) {
			if !q.enter(large) {
				t.Fatalf("there is no room for %s", name)
			}
			go func() {
				defer q.leave()
				if err := q.run(ctx, large, 0, func() { time.Sleep(10 * time.Second); ended(name) }); err != nil {
					ended(name + " left")
				}
			}()
			time.Sleep(100 * time.Millisecond)
		}
		leaving, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		request("first", t.Context(), false)
		request("large", t.Context(), true)
		request("small", t.Context(), false)
		request("leaves", leaving, false)
		request("later large", t.Context(), true)
		request("small too", t.Context(), false)
		time.Sleep(time.Second)
		if waiting, running := q.lengths(); waiting != 4 || running != 1 {
			t.Errorf("%d wait and %d run", waiting, running)
		}
		request("much later", t.Context(), false)
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
				if err := q.run(t.Context(), false, 0, func() { time.Sleep(time.Minute) }); err != nil {
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

// A large request never has the last turn, so that a small one need not wait for it; where there is one turn alone, it has that.
func TestQueueKeepsATurnForSmallRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for parallel, most := range map[int]int{1: 1, 2: 1, 4: 3} {
			q := newQueue(8, parallel)
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					if err := q.run(t.Context(), true, 0, func() { time.Sleep(time.Minute) }); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			if _, running := q.lengths(); running != most {
				t.Errorf("of %d turns large requests have %d", parallel, running)
			}
			began := time.Now()
			if err := q.run(t.Context(), false, 0, func() {}); err != nil || time.Since(began) > 0 != (parallel == 1) {
				t.Errorf("with %d turns a small request waits %v: %v", parallel, time.Since(began), err)
			}
			group.Wait()
			if _, running := q.lengths(); running != 0 {
				t.Errorf("%d run in the end", running)
			}
		}
	})
}
