package lever_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/internal/testdata"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/sampling"
	"github.com/lever-go/lever/tensor"
)

// A parallel draft predicts what an independent implementation predicted from the same texts and masks, from any node of a tree: the text's
// end is tried as the root, and as a node three below it.
func TestParallelDraftAgreesWithReference(t *testing.T) {
	const model = "models/lever-tiny-llama/draft-parallel"
	store := makeStore(t, testdata.Shared(t, model), tensor.F16)
	options := open(t, lever.Config{Model: store, Draft: store, KV: tensor.F32}).SpecOptions()
	var cases []struct {
		IDs       []int32
		Mask, K   int32
		TopIDs    [][]int32   `json:"top_ids"`
		TopLogits [][]float64 `json:"top_logits"`
	}
	readJSON(t, filepath.Join(testdata.Shared(t, model), "parallel_reference.json"), &cases)
	if len(cases) == 0 || options.Parallel != (spec.Parallel{Mask: cases[0].Mask, Reach: int(cases[0].K)}) {
		t.Fatalf("%d cases, the draft predicts %+v", len(cases), options.Parallel)
	}
	draft := spec.NewDraft(options.Draft, 128)
	draft.SetParallel(options.Parallel)
	for i, ref := range cases {
		for _, below := range []int{0, 3} {
			if err := options.Draft.Truncate(0); err != nil {
				t.Fatal(err)
			}
			root := len(ref.IDs) - 1 - below
			var tree spec.Tree
			tree.Reset(ref.IDs[root], 64, 64)
			draft.Start(ref.IDs[:root+1], &tree)
			wave := []int{0}
			for _, token := range ref.IDs[root+1:] {
				node, err := tree.Add(len(wave)-1, token, 1)
				if err != nil {
					t.Fatal(err)
				}
				wave = append(wave, node)
			}
			if err := draft.Expand(t.Context(), wave[:below], 5); err != nil {
				t.Fatal(err)
			}
			if err := draft.ExpandAhead(t.Context(), wave[below:], 5, int(ref.K)); err != nil {
				t.Fatal(err)
			}
			node := below
			for ahead := range int(ref.K) {
				source := spec.FromMasks
				if ahead == 0 {
					source = spec.FromDraft
				} else if !draft.OfferAhead(node) {
					t.Fatalf("text %d, %d ahead: nothing is offered", i, ahead)
				}
				set, _ := tree.Set(node, source)
				if set.Ahead != ahead || !slices.Equal(set.Tokens, ref.TopIDs[ahead]) {
					t.Errorf("text %d, %d ahead: tokens %v, want %v", i, ahead, set.Tokens, ref.TopIDs[ahead])
					break
				}
				for rank := range set.Tokens {
					got := math.Log(float64(set.Probs[rank])) - math.Log(float64(set.Probs[0]))
					if want := ref.TopLogits[ahead][rank] - ref.TopLogits[ahead][0]; math.Abs(got-want) > 4e-3 {
						t.Errorf("text %d, %d ahead, token %d: %v below the first, want %v", i, ahead, set.Tokens[rank], got, want)
					}
				}
				next, err := tree.Add(node, set.Tokens[0], set.Probs[0])
				if err != nil {
					t.Fatal(err)
				}
				node = next
			}
		}
	}
}

// With a parallel draft, on the CPU or on a device, the text is the target's own, whatever is drafted; mask tokens never become text.
func TestParallelDraftLeavesTextAlone(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	draft := makeStore(t, testdata.Shared(t, "models/lever-tiny-llama/draft-parallel"), tensor.Q8_0)
	device, err := npu.Open(t.Context(), "host")
	if err != nil {
		t.Fatal(err)
	}
	plain := open(t, lever.Config{Model: pair.Target})
	for name, parallel := range map[string]*lever.Engine{
		"CPU": open(t, lever.Config{Model: pair.Target, Draft: draft}),
		"NPU": open(t, lever.Config{Model: pair.Target, Draft: draft, NPU: device, Placement: lever.Placement{Draft: offload.NPU, Verify: offload.CPU, Head: lever.HeadOnDemandCPU}}),
	} {
		masked := 0
		for i, prompt := range benchmarkPrompts(t, 2) {
			for _, sampling := range []sampling.Options{{}, {Temperature: 0.8, Seed: 7}} {
				request := lever.Request{Prompt: prompt, MaxTokens: 40, Sampling: sampling}
				want, err := plain.Generate(t.Context(), request, nil)
				if err != nil {
					t.Fatal(err)
				}
				if i%2 == 0 {
					if request.Policy, err = lever.NewPolicy("pard", 8); err != nil {
						t.Fatal(err)
					}
				}
				request.Observe = func(o spec.Observation) {
					for _, set := range o.Tree.Sets() {
						if set.Source == spec.FromMasks {
							masked++
						}
					}
				}
				got, err := parallel.Generate(t.Context(), request, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.TokenIDs, want.TokenIDs) {
					t.Errorf("%s: %q: %q, want %q", name, prompt, got.Text, want.Text)
				}
			}
		}
		if masked == 0 {
			t.Errorf("%s: no mask was asked", name)
		}
	}
}
