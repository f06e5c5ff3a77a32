package layers_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/lever-go/lever/layers"
)

const (
	altUpRank = 32
	altUpClip = 0.3
)

// altUpLayers makes the weights of a model with streams and returns its layers.
func (m *scalarModel) altUpLayers(t testing.TB, ws *layers.Workspace, cache *layers.KVCache, inputs *layers.LayerInputs) (all []layers.Layer) {
	t.Helper()
	norm := m.layers[0].block.Norm
	for j := 1; j < m.streams; j++ {
		m.setLinear(t, fmt.Sprintf("altup.proj.%d", j), m.width, m.width, false)
		m.setLinear(t, fmt.Sprintf("altup.unembed.%d", j), m.width, m.width, false)
	}
	streams := layers.NewAltUp(ws, "altup", layers.AltUpConfig{Width: m.width, Streams: m.streams, Clip: altUpClip, Norm: norm})
	for i := range m.layers {
		l, name := &m.layers[i], fmt.Sprintf("block.%d", i)
		m.layer(t, ws, cache, i) // makes the weights that a block has
		m.set(t, name+".router", true, 1, m.streams*m.width, 0, 8)
		m.set(t, name+".predict", true, 1, m.streams*m.streams*m.streams, 0, 0.3)
		m.set(t, name+".correct", true, 1, m.streams*m.streams, 0, 0.3)
		m.set(t, name+".correct_scale", true, 1, m.width, 1, 0.2)
		m.setLinear(t, name+".laurel_left", altUpRank, m.width, false)
		m.setLinear(t, name+".laurel_right", m.width, altUpRank, false)
		m.setLinear(t, name+".input_gate", m.inputs, m.width, false)
		m.setLinear(t, name+".input_proj", m.width, m.inputs, false)
		for _, part := range []string{".router_norm", ".laurel_norm", ".input_norm"} {
			m.setNorm(t, name+part, m.width, norm)
		}
		all = append(all, streams.Block(name, layers.AltUpBlockConfig{
			Mixer: l.block.Mixer, MLP: l.block.MLP, Rank: altUpRank, Gate: inputs.Gate(name, i, layers.GELUTanh),
		}))
	}
	last := len(all) - 1
	all[0], all[last] = layers.Chain{inputs, streams, all[0]}, layers.Chain{all[last], streams.Merge()}
	return all
}

// size returns the root of the mean of squares.
func size(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v / float64(len(x))
	}
	return math.Sqrt(sum)
}

// altUp computes what the layers make of the rows x, of which the inputs of layers are known.
func (m *scalarModel) altUp(x, inputs [][]float64) {
	streams := make([][][]float64, len(x)) // by row
	for r := range x {
		streams[r] = [][]float64{x[r]}
		for j := 1; j < m.streams; j++ {
			s := m.linear(fmt.Sprintf("altup.proj.%d", j), x[r])
			for c, factor := 0, size(x[r])/size(s); c < len(s); c++ {
				s[c] *= factor
			}
			streams[r] = append(streams[r], s)
		}
	}
	for i := range m.layers {
		m.altUpLayer(streams, inputs, i)
	}
	for r := range x {
		sum := make([]float64, m.width)
		for j, s := range streams[r] {
			if j > 0 {
				s = m.linear(fmt.Sprintf("altup.unembed.%d", j), s)
			}
			for c := range sum {
				sum[c] += s[c] * size(streams[r][0]) / size(s) / float64(m.streams)
			}
		}
		x[r] = sum
	}
}

// altUpLayer is one layer of altUp.
func (m *scalarModel) altUpLayer(streams [][][]float64, inputs [][]float64, i int) {
	l, name, norm := &m.layers[i], fmt.Sprintf("block.%d", i), m.layers[i].block.Norm
	route := func(row []float64) (routed []float64) {
		scaled := m.normed(name+".router_norm", row, norm)
		for c := range scaled {
			scaled[c] /= float64(m.width)
		}
		for _, v := range m.linear(name+".router", scaled) {
			routed = append(routed, math.Tanh(v))
		}
		return routed
	}
	z := make([][]float64, len(streams))
	for r := range streams {
		c, predicted := m.linear(name+".predict", route(streams[r][0])), make([][]float64, m.streams)
		for to := range predicted {
			predicted[to] = append([]float64(nil), streams[r][to]...)
			for from, s := range streams[r] {
				for e, v := range s {
					predicted[to][e] += c[to*m.streams+from] * v
				}
			}
		}
		streams[r] = predicted
		z[r] = m.normed(name+".attn_norm", predicted[0], norm)
	}
	mixed := m.attention(z, l, name)
	for r := range streams {
		laurel := m.normed(name+".laurel_norm", m.linear(name+".laurel_right", m.linear(name+".laurel_left", z[r])), norm)
		y := m.normed(name+".attn_post_norm", mixed[r], norm)
		for e := range y {
			y[e] = (y[e] + streams[r][0][e] + laurel[e] + z[r][e]) / math.Sqrt2
		}
		out := m.mlp([][]float64{m.normed(name+".mlp_norm", y, norm)}, &l.mlp, name)[0]
		for e, v := range m.normed(name+".mlp_post_norm", out, norm) {
			y[e] += v
		}
		routed, innovation := route(y), make([]float64, m.width)
		for e := range y {
			innovation[e] = y[e] - streams[r][0][e]
		}
		first := make([]float64, m.width)
		for to, s := range streams[r] {
			c := 1.0
			for from, v := range routed {
				c += v * min(max(m.values[name+".correct"][to*m.streams+from], -altUpClip), altUpClip)
			}
			for e := range s {
				s[e] += c * innovation[e]
			}
		}
		for e := range first {
			first[e] = streams[r][0][e] * m.values[name+".correct_scale"][e]
		}
		gate := m.linear(name+".input_gate", first)
		for c := range gate {
			gate[c] = activate(layers.GELUTanh, gate[c]) * inputs[r][i*m.inputs+c]
		}
		for e, v := range m.normed(name+".input_norm", m.linear(name+".input_proj", gate), norm) {
			for _, s := range streams[r][1:] {
				s[e] += v
			}
		}
	}
}
