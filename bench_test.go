package lever_test

import (
	"context"
	"fmt"
	"os"
	"testing"

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
		b.Run(fmt.Sprintf("%s/impl=%s", name, kernels.Features()), func(b *testing.B) {
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

// openWhole loads a model with all rows of its head: an engine leaves those away that no token has, and other programs do not.
func openWhole(b *testing.B, path string) *layers.Decoder {
	store, err := weights.Open(b.Context(), path, weights.OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	config, err := layers.ParseConfig(store.Config())
	if err != nil {
		b.Fatal(err)
	}
	resident, err := store.Resident(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	pool := kernels.NewPool(0)
	decoder, err := layers.NewDecoder(config, resident, layers.Options{Pool: pool})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		decoder.Close()
		pool.Close()
		resident.Close()
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
