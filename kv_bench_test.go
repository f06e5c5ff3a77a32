package lever_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// BenchmarkLongText is plain decoding after a long text, with one bound of the memory of weights, keys and values: the model is the store that
// LEVER_BENCH_STORE names, whose layers have caches of one shape, read from the flash of a phone. The keys and values of the text are those of its
// first page over and over, since their numbers do not change the time.
func BenchmarkLongText(b *testing.B) {
	store := os.Getenv("LEVER_BENCH_STORE")
	if store == "" {
		b.Skip("skipped: set LEVER_BENCH_STORE to a store")
	}
	const page, pages, context, memory = 256, 63, 16384, 1 << 30
	profile, err := flashsim.Load("ufs-3.1")
	if err != nil {
		b.Fatal(err)
	}
	for _, kv := range []tensor.DType{tensor.F16, tensor.Q8_0, tensor.Q4_0} {
		b.Run(fmt.Sprintf("kv=%v/text=%d/memory=%dMiB", kv, page*pages, memory>>20), func(b *testing.B) {
			throttle, err := flashsim.NewThrottle(profile, flashsim.Options{})
			if err != nil {
				b.Fatal(err)
			}
			e, err := lever.Open(b.Context(), lever.Config{Model: store, Memory: memory, KV: kv, Context: context, OpenFile: throttle.Opener(nil)})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			d, logits := e.Target(), make([]float32, e.Target().Vocab())
			if _, err := d.Forward(b.Context(), layers.Batch{Tokens: make([]int32, page)}); err != nil {
				b.Fatal(err)
			}
			path := make([]int, page)
			for i := range path {
				path[i] = i
			}
			if err := d.Commit(path); err != nil {
				b.Fatal(err)
			}
			if err := d.ReadState(longState(b, d, pages)); err != nil {
				b.Fatal(err)
			}
			decode := func() {
				if err := pass(b.Context(), d, 1, 1, logits); err != nil {
					b.Fatal(err)
				}
				if err := d.Commit([]int{0}); err != nil {
					b.Fatal(err)
				}
			}
			decode() // loads what is pinned
			before, least := e.BytesRead(), math.Inf(1)
			for b.Loop() {
				began := time.Now()
				decode()
				least = min(least, time.Since(began).Seconds())
			}
			plan, _ := e.Plan()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tok/s")
			b.ReportMetric(1/least, "most-tok/s")
			b.ReportMetric(float64(e.BytesRead()-before)/float64(b.N)/(1<<20), "read-MiB/tok")
			b.ReportMetric(float64(d.Memory())/(1<<20), "kv-MiB")
			b.ReportMetric(float64(plan.DRAM)/(1<<20), "weights-MiB")
		})
	}
}

// longState returns the state of a text that is n times a decoder's, of whole pages in layers of one shape.
func longState(b *testing.B, d *layers.Decoder, n int) *bytes.Buffer {
	var short, long bytes.Buffer
	if err := d.WriteState(&short); err != nil {
		b.Fatal(err)
	}
	const numbers, shape = 3 * 4, 3 * 4 // bytes of the header and of the shape of a layer
	state := short.Bytes()
	header, state := state[:numbers], state[numbers:]
	count, rows := int(binary.LittleEndian.Uint32(header)), int(binary.LittleEndian.Uint32(header[8:]))
	long.Write(header[:8])
	long.Write(binary.LittleEndian.AppendUint32(nil, uint32(n*rows)))
	long.Write(state[:count*shape])
	tokens, values := state[count*shape:][:4*rows], state[count*shape+4*rows:]
	long.Write(bytes.Repeat(tokens, n))
	for layer := range slices.Chunk(values, len(values)/count) {
		long.Write(bytes.Repeat(layer, n))
	}
	return &long
}
