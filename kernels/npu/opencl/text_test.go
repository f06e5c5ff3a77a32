package opencl_test

import (
	"slices"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/internal/demo"
	"github.com/lever-go/lever/spec/baseline"
)

// TestText generates with the demo pair. As products are rounded as the scalar reference's, speculation does not change the text of plain decoding; with
// the reference's kernels on the CPU, the text is that of the CPU as well.
func TestText(t *testing.T) {
	pair, err := demo.Unpack(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	generate := func(t *testing.T, cfg lever.Config, tokens int, places string) lever.Result {
		t.Helper()
		if places != "" {
			cfg.NPU = open(t)
			var err error
			if cfg.Placement, err = lever.ParsePlacement(places); err != nil {
				t.Fatal(err)
			}
		}
		engine, err := lever.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		request := lever.Request{Prompt: "Tom has 4 boxes of 6 pens.", MaxTokens: tokens}
		if cfg.Draft != "" { // whether it pays here is not the question
			if request.Policy, err = baseline.NewChain(4, 0); err != nil {
				t.Fatal(err)
			}
		}
		result, err := engine.Generate(t.Context(), request, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s := result.NPUStats; places != "" && (s == nil || s.Products == 0 || s.Fallbacks != 0 || s.Lost) {
			t.Fatalf("statistics %+v", s)
		}
		return result
	}
	t.Run("speculation", func(t *testing.T) {
		want := generate(t, lever.Config{Model: pair.Target}, 16, "verify=npu,head=eager-npu")
		for i, places := range []string{"draft=npu,verify=npu,head=eager-npu", "draft=cpu,verify=npu,head=ondemand-npu"} {
			dram := int64(i) * 4 << 20
			got := generate(t, lever.Config{Model: pair.Target, Draft: pair.Draft, DRAM: dram}, 16, places)
			if !slices.Equal(got.TokenIDs, want.TokenIDs) {
				t.Errorf("%s: %q, want %q", places, got.Text, want.Text)
			}
			if got.Drafted == 0 {
				t.Errorf("%s: nothing was drafted", places)
			}
		}
	})
	t.Run("reference", func(t *testing.T) {
		if testing.Short() {
			t.Skip("the reference is slow")
		}
		want := generate(t, lever.Config{Model: pair.Target, Kernels: "ref"}, 6, "")
		got := generate(t, lever.Config{Model: pair.Target, Kernels: "ref"}, 6, "verify=npu,head=eager-npu")
		if !slices.Equal(got.TokenIDs, want.TokenIDs) {
			t.Errorf("%q, want %q", got.Text, want.Text)
		}
	})
}
