package layers_test

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/layers"
)

// gatedRecurrence mixes rows by a gated linear recurrence, in the manner of HGRN (Qin et al., arXiv 2311.04823):
//
//	a = sigmoid(Wa·x); h = a ⊙ h of the row before + (1−a) ⊙ Wv·x; y = Wo·h
type gatedRecurrence struct {
	ws          *layers.Workspace
	width       int
	gate, value *layers.Linear
	out         *layers.Linear
	states      *layers.RowStates // h
	a, v        []float32         // [MaxRows][width]
}

func newGatedRecurrence(ws *layers.Workspace, name string, width int) *gatedRecurrence {
	return &gatedRecurrence{
		ws: ws, width: width,
		gate:   layers.NewLinear(ws, name+".gate", width, width),
		value:  layers.NewLinear(ws, name+".value", width, width),
		out:    layers.NewLinear(ws, name+".out", width, width),
		states: layers.NewRowStates(width),
		a:      make([]float32, ws.MaxRows()*width), v: make([]float32, ws.MaxRows()*width),
	}
}

// States hands the recurrence to the Decoder, which commits, drops and saves it.
func (g *gatedRecurrence) States() []layers.State { return []layers.State{g.states} }

func (g *gatedRecurrence) Forward(ctx context.Context, dst, x []float32, rows *layers.Rows) error {
	n, width := rows.Len(), g.width
	in := g.ws.Input(x, n, width)
	if err := g.gate.Forward(ctx, g.a, in); err != nil {
		return err
	}
	if err := g.value.Forward(ctx, g.v, in); err != nil {
		return err
	}
	g.states.Grow(rows)
	for i := range n { // a parent comes before its children
		before, h := g.states.At(rows.Parents[i]), g.states.At(rows.Pending[i])
		for c := range width {
			a := float32(1 / (1 + math.Exp(-float64(g.a[i*width+c]))))
			h[c] = a*before[c] + (1-a)*g.v[i*width+c]
		}
		copy(g.v[i*width:(i+1)*width], h)
	}
	return g.out.Forward(ctx, dst, g.ws.Input(g.v, n, width))
}

// A recurrent model of one's own: nothing else is needed for trees, drafts and saved sessions.
func ExampleRowStates() {
	const vocab, width, ffn = 100, 32, 64
	w := &toyWeights{}
	w.matrix("embedding", vocab, width)
	for _, name := range []string{"block.0.gate", "block.0.value", "block.0.out"} {
		w.matrix(name, width, width)
	}
	w.gain("block.0.attn_norm", width)
	w.gain("block.0.mlp_norm", width)
	w.matrix("block.0.mlp.gate", ffn, width)
	w.matrix("block.0.mlp.up", ffn, width)
	w.matrix("block.0.mlp.down", width, ffn)
	w.gain("final_norm", width)

	ws := layers.NewWorkspace(w, nil, 16)
	cache, err := layers.NewKVCache(layers.KVConfig{Context: 512}) // of no layers
	if err != nil {
		panic(err)
	}
	norm := layers.NormConfig{Eps: 1e-6}
	d, err := layers.NewDecoder(layers.DecoderConfig{
		Workspace: ws, Cache: cache,
		Embedding: layers.NewEmbedding(ws, "embedding", vocab, width),
		Layers: []layers.Layer{layers.NewBlock(ws, "block.0", layers.BlockConfig{
			Width: width, Norm: norm,
			Mixer: newGatedRecurrence(ws, "block.0", width),
			MLP:   layers.NewMLP(ws, "block.0.mlp", layers.MLPConfig{Width: width, FFN: ffn}),
		})},
		Norm: layers.NewNorm(ws, "final_norm", width, norm),
		Head: layers.NewHead(ws, "embedding", layers.HeadConfig{Vocab: vocab, Stored: vocab, Width: width}),
	})
	if err != nil {
		panic(err)
	}
	defer d.Close()

	ctx := context.Background()
	// After 1, 2 comes 3 and then 4 or 5; the text goes on with 1, 2, 3, 5.
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{1, 2, 3, 4, 5}, Parents: []int32{-1, 0, 1, 2, 2}}); err != nil {
		panic(err)
	}
	inTree := slices.Clone(d.Hidden(4))
	if err := d.Truncate(0); err != nil {
		panic(err)
	}
	for _, token := range []int32{1, 2, 3} {
		if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{token}}); err != nil {
			panic(err)
		}
		if err := d.Commit([]int{0}); err != nil {
			panic(err)
		}
	}
	if _, err := d.Forward(ctx, layers.Batch{Tokens: []int32{5}}); err != nil {
		panic(err)
	}
	fmt.Println("the same alone as in a tree:", slices.Equal(inTree, d.Hidden(0)))
	// Output: the same alone as in a tree: true
}
