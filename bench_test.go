package lever_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/weights"
)

// BenchmarkModel measures whole passes over a model in memory: the store that LEVER_BENCH_STORE names, so that models of real size
// can be compared with other programs on the same machine.
//
//   - decode: 64 tokens one after the other, each with logits;
//   - rows=n: n tokens in one pass, as siblings of a tree, with the logits of all;
//   - prompt=512: 512 tokens, with the logits of the last.
func BenchmarkModel(b *testing.B) {
	store := os.Getenv("LEVER_BENCH_STORE")
	if store == "" {
		b.Skip("skipped: set LEVER_BENCH_STORE to a store")
	}
	const prompt, decoded, mostRows = 512, 64, 64
	decoder := openWhole(b, store)
	logits := make([]float32, mostRows*decoder.Vocab())

	measure := func(name string, tokens int, work func() error) {
		b.Run(fmt.Sprintf("%s/impl=%s", name, kernels.Default().Name()), func(b *testing.B) {
			for b.Loop() {
				if err := decoder.Truncate(0); err != nil {
					b.Fatal(err)
				}
				if err := work(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*tokens)/b.Elapsed().Seconds(), "tok/s")
		})
	}
	measure("decode", decoded, func() error {
		for range decoded {
			if err := pass(b.Context(), decoder, 1, 1, logits); err != nil {
				return err
			}
			if err := decoder.Commit([]int{0}); err != nil {
				return err
			}
		}
		return nil
	})
	for rows := 2; rows <= mostRows; rows *= 2 {
		measure(fmt.Sprintf("rows=%d", rows), rows, func() error { return pass(b.Context(), decoder, rows, rows, logits) })
	}
	measure(fmt.Sprintf("prompt=%d", prompt), prompt, func() error {
		if _, err := decoder.Forward(b.Context(), layers.Batch{Tokens: make([]int32, prompt)}); err != nil {
			return err
		}
		return decoder.Project(b.Context(), logits[:decoder.Vocab()], []int{prompt - 1})
	})
}

// BenchmarkStreamedModel compares decoding a token with streamed weights, of which a part is pinned, with reading what it reads and
// with decoding in memory, by turns. The longer one of these bounds it.
func BenchmarkStreamedModel(b *testing.B) {
	path := os.Getenv("LEVER_BENCH_STORE")
	if path == "" {
		b.Skip("skipped: set LEVER_BENCH_STORE to a store")
	}
	resident := openWhole(b, path)
	logits := make([]float32, resident.Vocab())
	decode := func(b *testing.B, d *layers.Decoder) float64 {
		began := time.Now()
		if err := pass(b.Context(), d, 1, 1, logits); err != nil {
			b.Fatal(err)
		}
		if err := d.Commit([]int{0}); err != nil {
			b.Fatal(err)
		}
		return time.Since(began).Seconds()
	}
	for _, share := range []int64{0, 25, 50, 75} {
		b.Run(fmt.Sprintf("pinned=%d", share), func(b *testing.B) {
			store := openBenchStore(b, path)
			least, err := store.PlanFor(weights.StreamOptions{})
			if err != nil {
				b.Fatal(err)
			}
			streamer, err := store.Stream(b.Context(), weights.StreamOptions{
				DRAM: least.Total() + least.Pass*share/100, Ring: least.Ring, HeadOnce: true,
			})
			if err != nil {
				b.Fatal(err)
			}
			defer streamer.Close()
			streamed := newWholeDecoder(b, store, streamer)
			decode(b, streamed) // loads what is pinned
			var over, both, read, compute []float64
			for b.Loop() {
				before := readPass(b, store, streamer)
				one := decode(b, streamed)
				after := readPass(b, store, streamer)
				alone := decode(b, resident)
				over = append(over, one/max((before+after)/2, alone))
				both, read, compute = append(both, one), append(read, before, after), append(compute, alone)
			}
			b.ReportMetric(median(over), "pass/max")
			b.ReportMetric(median(both), "pass-s")
			b.ReportMetric(median(read), "read-s")
			b.ReportMetric(median(compute), "compute-s")
		})
	}
}

// readPass reads the weights of a pass in order and returns the time in seconds.
func readPass(b *testing.B, store *weights.Store, streamer *weights.Streamer) float64 {
	info, err := weights.Inspect(store.Dir())
	if err != nil {
		b.Fatal(err)
	}
	order := info.Tensors[1:]
	if embedding := info.Tensors[0]; order[len(order)-1].Name != "head" {
		order = append(order, embedding) // which serves as the head
	}
	began := time.Now()
	for _, t := range order {
		for _, err := range streamer.Parts(b.Context(), t.Name) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	return time.Since(began).Seconds()
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// openWhole loads a model.
func openWhole(b *testing.B, path string) *layers.Decoder {
	store := openBenchStore(b, path)
	resident, err := store.Resident(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { resident.Close() })
	return newWholeDecoder(b, store, resident)
}

func openBenchStore(b *testing.B, path string) *weights.Store {
	store, err := weights.Open(b.Context(), path, weights.OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return store
}

// newWholeDecoder returns a decoder with all rows of its head: an engine leaves those away that no token has, and other programs do not.
func newWholeDecoder(b *testing.B, store *weights.Store, from layers.Weights) *layers.Decoder {
	config, err := arch.Parse(store.Config())
	if err != nil {
		b.Fatal(err)
	}
	pool := kernels.NewPool(0)
	decoder, err := config.Decoder(from, arch.Options{Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		decoder.Close()
		pool.Close()
	})
	return decoder
}

// pass computes rows siblings and the logits of the first projected of them.
func pass(ctx context.Context, decoder *layers.Decoder, rows, projected int, logits []float32) error {
	batch := layers.Batch{Tokens: make([]int32, rows), Parents: make([]int32, rows)}
	which := make([]int, projected)
	for i := range batch.Parents {
		batch.Parents[i] = -1
	}
	for i := range which {
		which[i] = i
	}
	if _, err := decoder.Forward(ctx, batch); err != nil {
		return err
	}
	return decoder.Project(ctx, logits[:projected*decoder.Vocab()], which)
}
