package layers_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// benchConfig has the shapes of the trained test model.
var benchConfig = arch.Transformer{
	Width: 384, Layers: 8, Heads: 3, KVHeads: 1, HeadDim: 128, FFN: 1024, Vocab: 4096, MaxPositions: 2048, NormEps: 1e-5,
	Rope: layers.Rope{Theta: 500000}, Tied: true,
}

// BenchmarkDecode computes rows tokens per pass, with the logits of the last, at 512 tokens of text.
func BenchmarkDecode(b *testing.B) {
	const text = 512
	for _, d := range []tensor.DType{tensor.F16, tensor.Q8_0, tensor.Q4_0} {
		w := randomWeights(b, benchConfig, d)
		for _, rows := range []int{1, 8, 64} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("weights=%v/rows=%d/threads=%d/impl=%s", d, rows, threads, kernels.Default().Name()), func(b *testing.B) {
					pool := kernels.NewPool(threads)
					defer pool.Close()
					decoder := newDecoder(b, benchConfig, w, arch.Options{Pool: pool})
					forward(b, decoder, make([]int32, text), nil)
					commitAll(b, decoder)
					tokens, logits := make([]int32, rows), make([]float32, decoder.Vocab())
					b.ReportAllocs()
					for b.Loop() {
						forward(b, decoder, tokens, nil)
						if err := decoder.Project(ctx, logits, []int{rows - 1}); err != nil {
							b.Fatal(err)
						}
						commit(b, decoder)
					}
					b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "tok/s")
				})
			}
		}
	}
}
