package lever_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
)

// BenchmarkConversations is several clients at once of the demo pair, whose target is read at the speed of a phone's flash as if it were so much
// larger that reading takes all the time. tok/s is of all clients together.
func BenchmarkConversations(b *testing.B) {
	profile, err := flashsim.Load("ufs-3.1")
	if err != nil {
		b.Fatal(err)
	}
	pair, err := demo.Unpack(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for _, policy := range []string{"lever", "none"} {
		for _, clients := range []int{1, 4, 8} {
			b.Run(fmt.Sprintf("policy=%s/clients=%d", policy, clients), func(b *testing.B) {
				throttle, err := flashsim.NewThrottle(profile, flashsim.Options{Scale: 40})
				if err != nil {
					b.Fatal(err)
				}
				config := lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: 4 << 20, OpenFile: throttle.Opener(nil), Parallel: clients, Context: 512}
				if policy == "none" {
					config.Draft, config.NewPolicy = "", func(*lever.Engine) (spec.Policy, error) { return spec.None{}, nil }
				}
				e, err := lever.Open(b.Context(), config)
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				var mu sync.Mutex
				var firsts []float64
				tokens := 0
				began := time.Now()
				for b.Loop() {
					var group sync.WaitGroup
					for i := range clients {
						group.Go(func() {
							request := lever.Request{Prompt: "Write about " + strings.Repeat("stones and ", i) + "the sea.", MaxTokens: 48}
							result, err := e.Generate(b.Context(), request, nil)
							if err != nil {
								b.Error(err)
							}
							mu.Lock()
							defer mu.Unlock()
							tokens, firsts = tokens+len(result.TokenIDs), append(firsts, result.TimeToFirstToken)
						})
					}
					group.Wait()
				}
				b.ReportMetric(float64(tokens)/time.Since(began).Seconds(), "tok/s")
				b.ReportMetric(slices.Max(firsts), "max-first-s")
				b.ReportMetric(throttle.Stats().ReadTime.Seconds()/time.Since(began).Seconds(), "reading")
			})
		}
	}
}
