package lever_test

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/weights"
)

var clientsOf struct {
	target, draft, prompts string
	dram                   int64
	share                  float64
	requests, tokens       int
}

func init() {
	flag.StringVar(&clientsOf.target, "clients.target", "", "store that BenchmarkConversations reads in place of the demo")
	flag.StringVar(&clientsOf.draft, "clients.draft", "", "store of its draft model")
	flag.StringVar(&clientsOf.prompts, "clients.prompts", "", "folder of data sets of prompts, in place of a few of its own")
	flag.Int64Var(&clientsOf.dram, "clients.dram", 0, "MiB of the store in memory")
	flag.Float64Var(&clientsOf.share, "clients.share", 1, "how fast this machine computes as a part of a phone's speed; flash is slowed as much, so that reading takes the same part of the time as on the phone")
	flag.IntVar(&clientsOf.requests, "clients.requests", 24, "number of requests")
	flag.IntVar(&clientsOf.tokens, "clients.tokens", 40, "most tokens of an answer")
}

// clientsRequests are requests with prompts of their own, of all data sets by turns.
func clientsRequests(b *testing.B) []lever.Request {
	requests := make([]lever.Request, clientsOf.requests)
	if clientsOf.prompts == "" {
		for i := range requests {
			requests[i].Prompt = "Write about " + strings.Repeat("stones and ", i%8) + fmt.Sprintf("the sea in %d words.", 20+i)
		}
		return requests
	}
	prompts := promptsIn(b, clientsOf.prompts, 24)
	for i := range requests {
		sets := len(prompts) / 24
		requests[i] = prompts[i%sets*24+i/sets%24].Request()
	}
	return requests
}

// BenchmarkConversations is several clients that have the same requests answered, each the next one that no other has taken. Without a
// store of one's own, the demo's target is read as if it were so much larger that reading takes all the time. tok/s is of all clients together, with the
// time in which prompts are taken in and in which some of the clients have no more to ask.
func BenchmarkConversations(b *testing.B) {
	flash, scale, dram := "ufs-4-measured", 1.0, clientsOf.dram<<20
	pair := demo.Pair{Target: clientsOf.target, Draft: clientsOf.draft}
	if pair.Target == "" {
		flash, scale, dram = "ufs-3.1", 40, 4<<20
		var err error
		if pair, err = demo.Unpack(b.Context(), b.TempDir()); err != nil {
			b.Fatal(err)
		}
	}
	profile, err := flashsim.Load(flash)
	if err != nil {
		b.Fatal(err)
	}
	if profile, err = profile.Slowed(1 / clientsOf.share); err != nil {
		b.Fatal(err)
	}
	requests := clientsRequests(b)
	for _, policy := range []string{"lever", "none"} {
		for _, clients := range []int{1, 4, 8} {
			b.Run(fmt.Sprintf("policy=%s/clients=%d", policy, clients), func(b *testing.B) {
				throttle, err := flashsim.NewThrottle(profile, flashsim.Options{Scale: scale})
				if err != nil {
					b.Fatal(err)
				}
				config := lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: dram, OpenFile: throttle.Opener(weights.OpenDirect), Parallel: clients, Context: 1024}
				if policy == "none" {
					config.Draft, config.NewPolicy = "", func(*lever.Engine) (spec.Policy, error) { return spec.None{}, nil }
				}
				e, err := lever.Open(b.Context(), config)
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				var all []lever.Result
				for b.Loop() {
					all = append(all, answerAll(b, e, clients, requests)...)
				}
				reportAnswers(b, all, clients)
			})
		}
	}
}

// answerAll has clients take the requests, one after the other.
func answerAll(b *testing.B, e *lever.Engine, clients int, requests []lever.Request) []lever.Result {
	results := make([]lever.Result, len(requests))
	var taken atomic.Int64
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for i := int(taken.Add(1)) - 1; i < len(requests); i = int(taken.Add(1)) - 1 {
				request := requests[i]
				request.MaxTokens = clientsOf.tokens
				var err error
				if results[i], err = e.Generate(b.Context(), request, nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return results
}

// reportAnswers tells of all answers. decode-tok/s is what clients get that all have their prompts taken in.
func reportAnswers(b *testing.B, all []lever.Result, clients int) {
	tokens, passes, seconds := 0, 0, 0.0
	for _, r := range all {
		tokens, passes, seconds = tokens+r.Tokens, passes+r.Passes, seconds+r.Seconds
	}
	slices.SortFunc(all, func(a, b lever.Result) int { return cmp.Compare(a.TimeToFirstToken, b.TimeToFirstToken) })
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tok/s")
	b.ReportMetric(float64(clients*tokens)/seconds, "decode-tok/s")
	b.ReportMetric(float64(tokens)/float64(passes), "tok/pass")
	b.ReportMetric(all[len(all)/2].TimeToFirstToken, "median-first-s")
	b.ReportMetric(all[len(all)-1].TimeToFirstToken, "max-first-s")
}
