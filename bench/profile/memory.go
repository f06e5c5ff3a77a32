package profile

import (
	"context"
	"fmt"
	"time"

	"github.com/lever-go/lever/kernels"
)

const (
	memoryBytes = 256 << 20 // far more than caches hold
	memoryPart  = 1 << 20   // read by one worker at a time
)

// measureMemory returns the bytes per second that all workers together read from memory: the best of several sweeps.
func measureMemory(ctx context.Context, pool *kernels.Pool, duration time.Duration) (float64, error) {
	data := make([]uint64, memoryBytes/8)
	for i := range data {
		data[i] = uint64(i) // pages that were never written share one page of zeros
	}
	const part = memoryPart / 8
	sums := make([]uint64, len(data)/part)
	best, began := 0.0, time.Now()
	for round := 0; round < leastRounds || time.Since(began) < duration; round++ {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("profile: %w", err)
		}
		start := time.Now()
		pool.Run(len(sums), func(_, i int) { sums[i] = sum(data[i*part : (i+1)*part]) })
		best = max(best, memoryBytes/time.Since(start).Seconds())
	}
	return best, nil
}

// sum adds up x, whose length is a multiple of 8, in sums that don't wait for each other.
func sum(x []uint64) uint64 {
	var a, b, c, d uint64
	for ; len(x) >= 8; x = x[8:] {
		a += x[0] + x[4]
		b += x[1] + x[5]
		c += x[2] + x[6]
		d += x[3] + x[7]
	}
	return a + b + c + d
}
