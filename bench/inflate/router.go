package inflate

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// Routers are random, as all experts of a layer compute the same; but how often rows share experts must be as in models that exist. The score of
// expert e for a row of direction u, a unit vector, is
//
//	popularity·p_e·(mean·u) + ξ_e·u
//
// where p_e is a normal deviate, ξ_e a vector of them, and mean the mean direction after a layer. The first term is about the same for all rows, and
// makes some experts popular; the second differs as far as the rows do.

// popularity is chosen such that of the experts that greedy decoding asks for, 76 of 100 are among those used last if a quarter of all, 1,582 of
// 6,144, are kept: what BigMoeOnEdge states for Qwen3-30B-A3B with a cache of 4,000 MiB.
const popularity = 6.2

// addRouter adds the router of layer l, whose other tensors are those of the source's block own.
func (m *Inflation) addRouter(l int, own string) error {
	gains := m.gains(own, "mlp_norm", m.src.Width)
	values := make([]float32, m.dst.Experts*m.dst.Width)
	for e, row := range m.routerRows(l, popularity) {
		for i, w := range row {
			if math.Abs(float64(gains[i])) > 0.05 {
				values[e*m.dst.Width+i] = float32(w) / gains[i] // of which the norm makes w
			}
		}
	}
	t := weights.Tensor{Type: tensor.Q8_0, Rows: m.dst.Experts, Cols: m.dst.Width}
	data := make([]byte, t.Rows*t.Type.RowBytes(t.Cols))
	if err := tensor.Encode(data, values, t.Type); err != nil {
		return fmt.Errorf("inflate: router of layer %d: %w", l, err)
	}
	t.Data = bytes.NewReader(data)
	m.add(fmt.Sprintf("block.%d.router", l), t)
	return nil
}

// routerRows returns the weights of each expert of layer l for directions.
func (m *Inflation) routerRows(l int, popularity float64) [][]float64 {
	random := rand.New(rand.NewPCG(11, uint64(l)))
	mean := m.means[l*m.src.Layers/m.dst.Layers]
	rows := make([][]float64, m.dst.Experts)
	for e := range rows {
		popular := popularity * random.NormFloat64()
		for _, x := range mean {
			rows[e] = append(rows[e], popular*x+random.NormFloat64())
		}
	}
	return rows
}

// meanDirections returns, by layer, the mean of the directions of its output for random tokens, as a unit vector.
func meanDirections(ctx context.Context, described *arch.Model, w layers.Weights) ([][]float64, error) {
	const tokens = 128
	d, err := described.Decoder(w, arch.Options{MaxBatch: tokens, Context: tokens})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	means := make([][]float64, described.Layers)
	batch := layers.Batch{Hook: func(layer int, rows []int, hidden []float32) ([]int, error) {
		sum := make([]float64, d.Width())
		for i := range rows {
			row := hidden[i*d.Width() : (i+1)*d.Width()]
			length := norm(row)
			for j, x := range row {
				sum[j] += float64(x) / length
			}
		}
		length := norm(sum)
		for j := range sum {
			sum[j] /= length
		}
		means[layer] = sum
		return rows, nil
	}}
	random := rand.New(rand.NewPCG(12, 0))
	for range tokens {
		batch.Tokens = append(batch.Tokens, random.Int32N(int32(d.Vocab())))
	}
	for i := range means {
		batch.HookAfter = append(batch.HookAfter, i)
	}
	_, err = d.Forward(ctx, batch)
	return means, err
}

func norm[T float32 | float64](x []T) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

// sparseConfig returns the keys of the configuration that a model with experts has besides those of the source.
func (m *Inflation) sparseConfig() map[string]any {
	config := map[string]any{
		"architectures": []string{m.architecture.Class}, "model_type": m.architecture.Name, "num_experts_per_tok": m.dst.Chosen,
	}
	if m.architecture == arch.Qwen3MoE {
		config["num_experts"], config["moe_intermediate_size"], config["norm_topk_prob"] = m.dst.Experts, m.dst.FFN, true
		return config
	}
	config["num_local_experts"], config["attention_multiplier"] = m.dst.Experts, 1/math.Sqrt(float64(m.dst.HeadDim))
	for _, key := range []string{"embedding_multiplier", "residual_multiplier", "logits_scaling"} {
		config[key] = 1.0
	}
	return config
}
