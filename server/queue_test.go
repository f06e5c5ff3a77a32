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
				if err := q.run(ctx, q.line(large, time.Now(), nil), func() { time.Sleep(10 * time.Second); ended(name) }); err != nil {
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
				if err := q.run(t.Context(), q.line(false, time.Now(), nil), func() { time.Sleep(time.Minute) }); err != nil {
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
					if err := q.run(t.Context(), q.line(true, time.Now(), nil), func() { time.Sleep(time.Minute) }); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			if _, running := q.lengths(); running != most {
				t.Errorf("of %d turns large requests have %d", parallel, running)
			}
			began := time.Now()
			if err := q.run(t.Context(), q.line(false, time.Now(), nil), func() {}); err != nil || time.Since(began) > 0 != (parallel == 1) {
				t.Errorf("with %d turns a small request waits %v: %v", parallel, time.Since(began), err)
			}
			group.Wait()
			if _, running := q.lengths(); running != 0 {
				t.Errorf("%d run in the end", running)
			}
		}
	})
}

// While a prompt is taken in, those that begin alike have no turn, in which they would wait for it; others do. A part that is taken in is waited for no more.
func TestQueuePassesThoseWhoWouldWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const taken, answered = 10 * time.Second, 30 * time.Second
		q := newQueue(8, 3)
		began := time.Now()
		var group sync.WaitGroup
		waits := map[string][]time.Duration{}
		var mu sync.Mutex
		request := func(kind string, prompt []int32) {
			turn := q.line(false, time.Now(), prompt)
			group.Go(func() {
				err := q.run(t.Context(), turn, func() {
					mu.Lock()
					waits[kind] = append(waits[kind], time.Since(began))
					mu.Unlock()
					for i := range 10 {
						if time.Since(began) >= answered { // the first one's beginning is kept
							i = 9
						}
						time.Sleep(taken / 10)
						q.holds(turn, len(prompt)*(i+1)/10)
					}
					time.Sleep(answered - taken)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		for i := range int32(4) {
			prompt := make([]int32, 100)
			prompt[99] = i
			request("alike", prompt)
		}
		half := make([]int32, 120)
		for i := 60; i < len(half); i++ {
			half[i] = int32(i)
		}
		request("another", []int32{1, 2, 3})
		request("half alike", half)
		group.Wait()
		const second = time.Second // a tenth of the first prompt, after which less than half of the half alike is to come
		want := map[string][]time.Duration{"alike": {0, answered, answered + second, answered + 2*second}, "another": {0}, "half alike": {second}}
		for kind, times := range want {
			if !slices.Equal(waits[kind], times) {
				t.Errorf("%s: turns after %v, want %v", kind, waits[kind], times)
			}
		}
	})
}
