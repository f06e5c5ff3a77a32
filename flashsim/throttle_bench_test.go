package flashsim

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkThrottle reads a file in no time through a Throttle, and tells how near it comes to the bandwidth of the profile.
func BenchmarkThrottle(b *testing.B) {
	for _, name := range []string{"ufs-3.1", "ufs-4.0"} {
		for _, size := range []int{4096, 256 << 10, 1 << 20, 4 << 20} {
			for _, depth := range []int{1, 4} {
				b.Run(fmt.Sprintf("profile=%s/size=%d/depth=%d", name, size, depth), func(b *testing.B) {
					p, err := Load(name)
					if err != nil {
						b.Fatal(err)
					}
					throttle, err := NewThrottle(p, Options{Seed: 1})
					if err != nil {
						b.Fatal(err)
					}
					f, _ := throttle.Opener(openInstant)("")
					defer f.Close()
					b.SetBytes(int64(size))
					var begun atomic.Int64
					var group sync.WaitGroup
					for range depth {
						group.Go(func() {
							buf := make([]byte, size)
							for begun.Add(1) <= int64(b.N) {
								if _, err := f.ReadAt(buf, 0); err != nil {
									b.Error(err)
								}
							}
						})
					}
					group.Wait()
					want := float64(size*depth) / p.readSeconds(float64(size), depth)
					b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds()/want, "of-profile")
				})
			}
		}
	}
}
