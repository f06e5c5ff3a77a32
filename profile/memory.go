package profile

import (
	"context"
	"encoding/binary"
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
	data := make([]byte, memoryBytes)
	for i := range data {
		data[i] = byte(i) // pages that were never written share one page of zeros
	}
	best, began := 0.0, time.Now()
	for round := 0; round < leastRounds || time.Since(began) < duration; round++ {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("profile: %w", err)
		}
		start := time.Now()
		ReadMemory(pool, data)
		best = max(best, memoryBytes/time.Since(start).Seconds())
	}
	return best, nil
}

// ReadMemory reads data, which is as long as whole MiB, with all workers of the pool, and returns a sum of it, so that no compiler leaves it out.
func ReadMemory(pool *kernels.Pool, data []byte) (total uint64) {
	sums := make([]uint64, len(data)/memoryPart)
	pool.Run(len(sums), func(_, i int) { sums[i] = sum(data[i*memoryPart : (i+1)*memoryPart]) })
	for _, s := range sums {
		total += s
	}
	return total
}

// sum adds up x, whose length is a multiple of 64, in sums that don't wait for each other.
func sum(x []byte) uint64 {
	var a, b, c, d uint64
	for ; len(x) >= 64; x = x[64:] {
		a += binary.LittleEndian.Uint64(x) + binary.LittleEndian.Uint64(x[32:])
		b += binary.LittleEndian.Uint64(x[8:]) + binary.LittleEndian.Uint64(x[40:])
		c += binary.LittleEndian.Uint64(x[16:]) + binary.LittleEndian.Uint64(x[48:])
		d += binary.LittleEndian.Uint64(x[24:]) + binary.LittleEndian.Uint64(x[56:])
	}
	return a + b + c + d
}
