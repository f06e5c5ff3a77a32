// Package giveway lets work that takes long give way to what takes less. The work, deep inside a package that knows nothing of others, calls [Now] now and
// then; who began it, and knows what else there is to do, says by the context what happens then.
package giveway

import (
	"context"
	"runtime"
)

type key struct{}

// With returns a context for work of one goroutine, which calls f each time that it can give way: f may sleep.
func With(ctx context.Context, f func()) context.Context { return context.WithValue(ctx, key{}, f) }

// Now gives way as the context says; if it says nothing, to other goroutines that could run. It is called every few tenths of a millisecond.
func Now(ctx context.Context) {
	if f, ok := ctx.Value(key{}).(func()); ok {
		f()
		return
	}
	runtime.Gosched()
}
