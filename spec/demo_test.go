package spec_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
	"github.com/lever-go/lever/weights/convert"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
)

// loadShared returns the decoder of a shared model, converted to Q8_0.
func loadShared(t *testing.T, src string, pool *kernels.Pool) *layers.Decoder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model.lever")
	if err := convert.Convert(t.Context(), src, dir, weights.WriteOptions{Type: tensor.Q8_0}); err != nil {
		t.Fatal(err)
	}
	store, err := weights.Open(t.Context(), dir, weights.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := arch.Parse(store.Config())
	if err != nil {
		t.Fatal(err)
	}
	resident, err := store.Resident(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := cfg.Decoder(resident, arch.Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		decoder.Close()
		if err := resident.Close(); err != nil {
			t.Error(err)
		}
	})
	return decoder
}

// A trained pair: the draft is right often enough that long runs are accepted, and cut in all places.
func TestTrainedPairSpeculationEqualsPlain(t *testing.T) {
	dir := testdata.Shared(t, "models/lever-tiny-llama")
	content, err := os.ReadFile(filepath.Join(dir, "target", "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var reference struct{ Cases []struct{ IDs []int32 } }
	if err := json.Unmarshal(content, &reference); err != nil {
		t.Fatal(err)
	}
	pool := kernels.NewPool(0)
	t.Cleanup(pool.Close)
	target, draft := loadShared(t, filepath.Join(dir, "target"), pool), loadShared(t, filepath.Join(dir, "draft"), pool)
	cases := reference.Cases
	if testing.Short() {
		cases = cases[:1]
	}
	for i, c := range cases {
		for s, sampling := range []sampling.Options{{}, {Temperature: 0.7, TopP: 0.9, Seed: uint64(i)}} {
			req := spec.Request{Prompt: c.IDs, MaxTokens: 40, Sampling: sampling, StopTokens: []int32{4089, 4092}}
			want := spectest.Generate(t, spec.Options{Target: target}, req, nil)
			for j, name := range lever.PolicyNames() {
				if (i+j+s)%2 == 1 { // the next prompt has it
					continue
				}
				budget := budgets[(i+j)%len(budgets)]
				got := spectest.Generate(t, spec.Options{Target: target, Draft: draft, Parallel: masked, Policy: mustPolicy(t, name, budget)}, req, nil)
				spectest.CheckResult(t, got, want.Tokens, want.Finish)
				t.Logf("prompt %d, %+v, %s of %d: %d tokens, %.2f per pass, %.0f against %.0f tokens/s; draft %.0f%%, target %.0f%% of the time",
					i, sampling, name, budget, got.Stats.Tokens, got.Stats.AcceptedPerPass, got.Stats.TokensPerSecond, want.Stats.TokensPerSecond,
					100*got.Stats.DraftSeconds/got.Stats.Seconds, 100*got.Stats.ComputeSeconds/got.Stats.Seconds)
			}
		}
	}
}
