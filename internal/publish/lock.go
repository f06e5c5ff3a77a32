package publish

import (
	"context"
	"errors"
	"os"
	"time"
)

// LockFolder waits until nobody else has locked the folder dir in this way, and locks it until unlock is called or the process ends. Who
// looks at what lies in a folder and then replaces it, as several processes may at once, has it locked meanwhile. Where folders cannot be
// locked, as on Windows, it does not wait.
func LockFolder(ctx context.Context, dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for errors.Is(TryLock(d), ErrLocked) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			d.Close()
			return nil, ctx.Err()
		}
	}
	return func() { d.Close() }, nil
}
