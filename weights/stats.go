package weights

import "time"

// Stats counts what a reader did since it was made.
type Stats struct {
	BytesRead int64         // from files
	ReadTime  time.Duration // during which at least one read was under way
	WaitTime  time.Duration // that consumers waited for data
	PeakBytes int64         // of memory held for weights
	Seeks     int64         // requests that the read-ahead had not foreseen; always 0 for a Resident
	TileHits  int64         // tiles found in the cache of a Streamer
	TileReads int64         // tiles that it read
	Retries   int64         // reads that failed or were not right, and were done again
	CheckTime time.Duration // of checking, all workers together
	HeldBytes int64         // of memory held for weights now

	// Of the experts that passes asked for, by the marks of the store: how many, the reads of those that were not in memory, and the part of
	// WaitTime that was for them.
	Experts     int64
	ExpertReads int64
	ExpertBytes int64
	ExpertWait  time.Duration

	Mode IOMode // how files are read; buffered where at least one is

	// OutOfOrder counts the requests to a Streamer for a tensor that the store holds before the one that was asked for last in the same pass.
	// They cost reads that the order of the store does not, unless all is pinned. FirstOutOfOrder is the tensor of the first of them.
	OutOfOrder      int64
	FirstOutOfOrder string
}

// readClock adds up the time during which at least one read is under way. Callers hold a lock.
type readClock struct {
	active int
	since  time.Time
	total  time.Duration
}

func (c *readClock) start() {
	if c.active++; c.active == 1 {
		c.since = time.Now()
	}
}

func (c *readClock) stop() {
	if c.active--; c.active == 0 {
		c.total += time.Since(c.since)
	}
}

// sum returns the time so far.
func (c *readClock) sum() time.Duration {
	if c.active > 0 {
		return c.total + time.Since(c.since)
	}
	return c.total
}
