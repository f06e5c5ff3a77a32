package spec_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/tensor"
)

// lastTime is a policy: after a token comes what came after it the last time. It needs no draft model, learns how often that is
// right, and says what it expects.
type lastTime struct {
	length         int             // of the chain that it proposes
	seen           int             // tokens of the sequence that after knows
	after          map[int32]int32 // by token
	right, guessed float64
	expected       float64 // tokens of the latest tree
}

func newLastTime(length int) *lastTime {
	return &lastTime{length: length, after: map[int32]int32{}, right: 1, guessed: 2}
}

// Grow makes lastTime a spec.Policy.
func (p *lastTime) Grow(_ context.Context, sequence []int32, tree *spec.Tree, _ *spec.Draft) error {
	if p.seen > len(sequence) { // another text
		p.seen = 0
		clear(p.after)
	}
	for i := max(1, p.seen); i < len(sequence); i++ {
		p.after[sequence[i-1]] = sequence[i]
	}
	p.seen = len(sequence)

	chance := float32(p.right / p.guessed)
	p.expected = 1 // the target's own token
	node := 0
	for i := 0; i < p.length && !tree.Full(node); i++ {
		token, found := p.after[tree.Tokens()[node]]
		if !found {
			break
		}
		if err := tree.Offer(node, spec.FromNGram, []int32{token}, []float32{chance}); err != nil {
			return err
		}
		set, _ := tree.Set(node, spec.FromNGram)
		if len(set.Tokens) == 0 { // the request's constraint forbids it
			break
		}
		var err error
		if node, err = tree.Add(node, token, chance); err != nil {
			return err
		}
		p.expected += float64(tree.Weights()[node])
	}
	return nil
}

// Observe makes it a spec.Observer: all accepted nodes but the root are guesses that were right, and where the tree goes on after
// the last of them, the guess there was wrong.
func (p *lastTime) Observe(o spec.Observation) {
	right := float64(len(o.Path) - 1)
	p.right += right
	p.guessed += right
	if _, guessed := o.Tree.Set(o.Path[len(o.Path)-1], spec.FromNGram); guessed {
		p.guessed++
	}
}

// Forecast makes it a spec.Forecaster, which knows nothing of seconds.
func (p *lastTime) Forecast() (accepted, seconds float64) { return p.expected, 0 }

// A policy of one's own. The text is that of plain decoding, in fewer passes.
func ExamplePolicy() {
	target, err := smallDecoder()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	var texts [][]int32
	var passes []int
	for _, policy := range []spec.Policy{spec.None{}, newLastTime(8)} {
		g, err := spec.NewGenerator(spec.Options{Target: target, Policy: policy})
		if err != nil {
			fmt.Println(err)
			return
		}
		result, err := g.Generate(context.Background(), spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 100}, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		texts, passes = append(texts, result.Tokens), append(passes, result.Stats.Passes)
	}
	fmt.Println("same text:", slices.Equal(texts[0], texts[1]))
	fmt.Println("at most half of the passes:", 2*passes[1] <= passes[0])
	// Output:
	// same text: true
	// at most half of the passes: true
}

// smallDecoder is a Llama of one block with random weights. Its attention is so faint that it repeats itself before long.
func smallDecoder() (*layers.Decoder, error) {
	cfg, err := arch.Parse([]byte(`{"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
		"intermediate_size": 64, "vocab_size": 64, "tie_word_embeddings": false, "max_position_embeddings": 256}`))
	if err != nil {
		return nil, err
	}
	var w layers.Memory
	rng := rand.New(rand.NewPCG(1, 2))
	for _, m := range []struct {
		name       string
		rows, cols int
		scale      float64
	}{
		{"embedding", 64, 32, 1}, {"head", 64, 32, 1}, {"block.0.q", 32, 32, 1}, {"block.0.k", 32, 32, 1}, {"block.0.v", 32, 32, 1},
		{"block.0.o", 32, 32, 0.01}, {"block.0.gate", 64, 32, 1}, {"block.0.up", 64, 32, 1}, {"block.0.down", 32, 64, 1},
	} {
		values := make([]float32, m.rows*m.cols)
		for i := range values {
			values[i] = float32(m.scale * rng.NormFloat64() / math.Sqrt(float64(m.cols)))
		}
		if err := w.SetMatrix(m.name, tensor.F16, m.rows, m.cols, values); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"block.0.attn_norm", "block.0.mlp_norm", "final_norm"} {
		if err := w.SetMatrix(name, tensor.F32, 1, 32, slices.Repeat([]float32{1}, 32)); err != nil {
			return nil, err
		}
	}
	return cfg.Decoder(&w, arch.Options{})
}
