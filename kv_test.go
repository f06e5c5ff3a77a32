package lever_test

import (
	"math"
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// A quantised cache costs the demo hardly any of what it knows: of one long text, its mean negative log-likelihood is that of an F16 cache, nearly, and
// so is what it expects of each next token.
func TestQuantisedCacheKeepsQuality(t *testing.T) {
	tokens, bound := 2000, 0.002
	if testing.Short() {
		tokens, bound = 500, 0.005
	}
	pair := demoPair(t)
	engine := open(t, lever.Config{Model: pair.Target, KV: tensor.F16})
	var text []int32
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
	exact := logProbabilities(t, engine.Target(), text)
	for kv, most := range map[tensor.DType]float64{tensor.Q8_0: 0.0005, tensor.Q4_0: 0.002} {
		rounded := logProbabilities(t, open(t, lever.Config{Model: pair.Target, KV: kv}).Target(), text)
		shift, divergence := meanNLL(rounded, text)-meanNLL(exact, text), meanDivergence(exact, rounded)
		if math.Abs(shift) > bound || divergence > most || divergence == 0 {
			t.Errorf("%v: the mean is %+.5f away, the divergence %.5f", kv, shift, divergence)
		}
		t.Logf("the mean of %d tokens is %.5f with %v and %.5f with F16: %+.5f; the divergence is %.5f", tokens, meanNLL(rounded, text), kv, meanNLL(exact, text), shift, divergence)
	}
}

// logProbabilities returns those of all tokens after each token but the last.
func logProbabilities(t *testing.T, decoder *layers.Decoder, ids []int32) (rows [][]float32) {
	t.Helper()
	const batch = 64
	for i := 0; i < len(ids)-1; i += batch {
		n := min(batch, len(ids)-1-i)
		path, logits := make([]int, n), make([]float32, n*decoder.Vocab())
		for j := range path {
			path[j] = j
		}
		_, err := decoder.Forward(t.Context(), layers.Batch{Tokens: ids[i : i+n]})
		if err == nil {
			err = decoder.Project(t.Context(), logits, path)
		}
		if err == nil {
			err = decoder.Commit(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		for row := range slices.Chunk(logits, decoder.Vocab()) {
			sum := float32(logSumExp(row))
			for k := range row {
				row[k] -= sum
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// meanNLL returns the mean negative log-likelihood of the tokens after the first.
func meanNLL(rows [][]float32, ids []int32) (mean float64) {
	for i, row := range rows {
		mean -= float64(row[ids[i+1]]) / float64(len(rows))
	}
	return mean
}

// meanDivergence returns the mean divergence (Kullback-Leibler) of what is expected of the next token from what should be.
func meanDivergence(want, got [][]float32) (mean float64) {
	for i, row := range want {
		for k, p := range row {
			mean += math.Exp(float64(p)) * float64(p-got[i][k]) / float64(len(want))
		}
	}
	return mean
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
		{tensor.Q4_0, 2, 1000, 4 << 20 * 13 / 16},
		{tensor.F16, 4, 2048, memory / 2},
	} {
		engine := open(t, lever.Config{Model: pair.Target, Memory: memory, KV: c.kv, Parallel: c.parallel, Context: c.context})
		if plan, bounded := engine.Plan(); !bounded || plan.DRAM != memory-c.caches {
			t.Errorf("%d conversations of %d tokens in %v: %d bytes for weights, want %d", c.parallel, c.context, c.kv, plan.DRAM, memory-c.caches)
		}
	}
}
