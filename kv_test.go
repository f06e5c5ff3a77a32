package lever_test

import (
	"math"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// A cache of bytes costs the demo hardly any of what it knows: its mean negative log-likelihood of one long text is that of an F16 cache, nearly.
func TestQuantisedCacheKeepsQuality(t *testing.T) {
	tokens, bound := 2000, 0.002
	if testing.Short() {
		tokens, bound = 500, 0.005
	}
	pair := demoPair(t)
	var text []int32
	nll := map[tensor.DType]float64{}
	for _, kv := range []tensor.DType{tensor.F16, tensor.Q8_0} {
		engine := open(t, lever.Config{Model: pair.Target, KV: kv})
		for _, prompt := range benchmarkPrompts(t, 40) {
			ids, err := engine.Encode(t.Context(), lever.Request{Prompt: prompt})
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, ids...)
		}
		if len(text) < tokens {
			t.Fatalf("%d tokens of text", len(text))
		}
		text = text[:tokens]
		nll[kv] = meanNLL(t, engine.Target(), text)
	}
	if d := nll[tensor.Q8_0] - nll[tensor.F16]; math.Abs(d) > bound || d == 0 {
		t.Errorf("the mean is %.5f with bytes and %.5f with F16", nll[tensor.Q8_0], nll[tensor.F16])
	} else {
		t.Logf("the mean of %d tokens is %.5f with bytes and %.5f with F16: %+.5f", tokens, nll[tensor.Q8_0], nll[tensor.F16], d)
	}
}

// meanNLL returns the mean negative log-likelihood of the tokens after the first.
func meanNLL(t *testing.T, decoder *layers.Decoder, ids []int32) float64 {
	t.Helper()
	const batch = 64
	sum, logits := 0.0, make([]float32, batch*decoder.Vocab())
	for i := 0; i < len(ids)-1; i += batch {
		n := min(batch, len(ids)-1-i)
		path := make([]int, n)
		for j := range path {
			path[j] = j
		}
		_, err := decoder.Forward(t.Context(), layers.Batch{Tokens: ids[i : i+n]})
		if err == nil {
			err = decoder.Project(t.Context(), logits[:n*decoder.Vocab()], path)
		}
		if err == nil {
			err = decoder.Commit(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		for j := range n {
			row := logits[j*decoder.Vocab() : (j+1)*decoder.Vocab()]
			sum += logSumExp(row) - float64(row[ids[i+j+1]])
		}
	}
	return sum / float64(len(ids)-1)
}

// A bound of all memory leaves to weights what keys and values do not take, and no less than half.
func TestMemoryIsShared(t *testing.T) {
	const memory = 12 << 20
	pair := demoPair(t)
	for _, c := range []struct {
		kv                tensor.DType
		parallel, context int
		caches            int64
	}{
		{tensor.F16, 1, 1000, 4 << 20}, // 8 layers, 2, 1,024 positions, 128 elements, 2 bytes
		{tensor.Q8_0, 2, 1000, 4 << 20 * 17 / 16},
		{tensor.F16, 4, 2048, memory / 2},
	} {
		engine := open(t, lever.Config{Model: pair.Target, Memory: memory, KV: c.kv, Parallel: c.parallel, Context: c.context})
		if plan, bounded := engine.Plan(); !bounded || plan.DRAM != memory-c.caches {
			t.Errorf("%d conversations of %d tokens in %v: %d bytes for weights, want %d", c.parallel, c.context, c.kv, plan.DRAM, memory-c.caches)
		}
	}
}
