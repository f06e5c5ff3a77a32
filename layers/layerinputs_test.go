package layers_test

import (
	"strings"
	"testing"

	"github.com/lever-go/lever/layers"
)

// TestHookKeepsLayerInputs: the inputs of layers, and streams, stay with their rows when a hook drops others.
func TestHookKeepsLayerInputs(t *testing.T) {
	for _, name := range []string{"gemma4", "gemma3n"} {
		m := scalarModels()[name]
		checkKept(t, m.decoder(t, 8), m.decoder(t, 8))
	}
}

// checkKept drops some rows of a tree by a hook, and compares the others with what they are in full.
func checkKept(t *testing.T, pruned, full *layers.Decoder) {
	t.Helper()
	for _, d := range []*layers.Decoder{pruned, full} {
		forward(t, d, []int32{9, 8, 7}, nil)
		commitAll(t, d)
	}
	tokens, parents := []int32{3, 14, 15, 9, 26, 5}, []int32{-1, -1, 0, 1, 2, 3}
	forward(t, full, tokens, parents)
	hook := func(int, []int, []float32) ([]int, error) { return []int{1, 3, 5}, nil }
	if _, err := pruned.Forward(ctx, layers.Batch{Tokens: tokens, Parents: parents, Hook: hook, HookAfter: []int{0}}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []int{1, 3, 5} {
		sameBits(t, "a row that is kept", logits(t, pruned, row), logits(t, full, row))
	}
}

// TestLayerInputsNeedTokens: rows of unknown tokens are an error of the pass.
func TestLayerInputsNeedTokens(t *testing.T) {
	var w layers.Memory
	c := layers.LayerInputsConfig{Width: 32, Layers: 2, Dim: 32, Vocab: 5}
	ws := layers.NewWorkspace(&w, nil, 2)
	inputs := layers.NewLayerInputs(ws, "in", c)
	if err := inputs.Forward(ctx, make([]float32, 64), pending(2)); err == nil || !strings.Contains(err.Error(), "0 tokens of 2 rows") {
		t.Errorf("rows without tokens: %v", err)
	}
	if err := inputs.Forward(ctx, make([]float32, 63), pending(2)); err == nil {
		t.Error("half a row: no error")
	}
}
