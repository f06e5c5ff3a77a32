package layers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/tensor"
)

// scalarModel describes a model of parts of this package, and computes in float64, one row after the other and with nothing cached, what
// its decoder must compute.
type scalarModel struct {
	width, vocab int
	embedScale   float32
	layers       []scalarLayer
	norm         layers.NormConfig // the last one
	head         layers.HeadConfig // Vocab, Stored and Width are filled in
	inputs       int               // elements of the input of each layer; 0 if layers have none
	streams      int               // AltUp's; 0 if there is only the residual one

	pool    *kernels.Pool // of decoders to come; nil computes on the calling goroutine
	asked   *askedFor     // if not nil, notes what decoders to come ask for
	weights layers.Memory
	values  map[string][]float64 // of the tensors, as they are stored

	keys, vals [][]float64 // of the first layer, by position
}

// scalarLayer describes one Block. Names, widths, caches and sublayers are filled in by the scalarModel.
type scalarLayer struct {
	attention layers.AttentionConfig
	freqs     []float64 // of the rotary positions
	factor    float64
	window    int
	conv      *layers.ShortConvConfig // instead of attention
	mlp       layers.MLPConfig
	experts   layers.ExpertsConfig // if there are some, in place of the MLP; their MLP is filled in
	block     layers.BlockConfig
	scaled    bool // the layer's output is multiplied by a learned number
}

// set stores a random tensor under a name: a matrix in F16, or a vector in float32.
func (m *scalarModel) set(t fataler, name string, vector bool, rows, cols int, mean, deviation float64) {
	t.Helper()
	if m.values == nil {
		m.values = map[string][]float64{}
	}
	seed := uint64(0)
	for _, c := range name {
		seed = seed*31 + uint64(c)
	}
	rng := rand.New(rand.NewPCG(seed, 5))
	values, exact := make([]float32, rows*cols), make([]float64, rows*cols)
	d := tensor.F16
	if vector {
		d = tensor.F32
	}
	for i := range values {
		values[i] = float32(mean + deviation*rng.NormFloat64())
		if !vector {
			values[i] = tensor.F16ToF32(tensor.F32ToF16(values[i]))
		}
		exact[i] = float64(values[i])
	}
	m.values[name] = exact
	if err := m.weights.SetMatrix(name, d, rows, cols, values); err != nil {
		t.Fatal(err)
	}
}

func (m *scalarModel) setNorm(t fataler, name string, width int, c layers.NormConfig) {
	m.set(t, name, true, 1, width, 1-float64(c.Offset), 0.1)
	if c.Bias {
		m.set(t, name+"_bias", true, 1, width, 0, 0.2)
	}
}

func (m *scalarModel) setLinear(t fataler, name string, out, in int, bias bool) {
	m.set(t, name, false, out, in, 0, 1.5/math.Sqrt(float64(in)))
	if bias {
		m.set(t, name+"_bias", true, 1, out, 0, 0.5)
	}
}

// decoder makes weights and returns the decoder of the model.
func (m *scalarModel) decoder(t testing.TB, maxRows int) *layers.Decoder {
	t.Helper()
	var w layers.Weights = &m.weights
	if m.asked != nil {
		m.asked.Weights = w
		w = m.asked
	}
	ws := layers.NewWorkspace(w, m.pool, maxRows)
	kv := layers.KVConfig{Context: 512, Type: tensor.F32}
	for _, l := range m.layers {
		kv.Layers = append(kv.Layers, layers.KVLayer{KVHeads: l.attention.KVHeads, HeadDim: l.attention.HeadDim, Window: l.window})
	}
	cache, err := layers.NewKVCache(kv)
	if err != nil {
		t.Fatal(err)
	}
	m.setLinear(t, "embedding", m.vocab, m.width, false)
	m.setNorm(t, "final_norm", m.width, m.norm)
	m.setLinear(t, "head", m.vocab, m.width, m.head.Bias)
	m.head.Vocab, m.head.Stored, m.head.Width = m.vocab, m.vocab, m.width
	model := layers.DecoderConfig{
		Workspace: ws, Cache: cache,
		Embedding: layers.NewScaledEmbedding(ws, "embedding", m.vocab, m.width, m.embedScale),
		Norm:      layers.NewNorm(ws, "final_norm", m.width, m.norm),
		Head:      layers.NewHead(ws, "head", m.head),
	}
	var inputs *layers.LayerInputs
	if m.inputs > 0 {
		all, norm := len(m.layers)*m.inputs, m.layers[0].block.Norm
		m.setLinear(t, "inputs.table", m.vocab, all, false)
		m.setLinear(t, "inputs.proj", all, m.width, false)
		m.setNorm(t, "inputs.norm", m.inputs, norm)
		inputs = layers.NewLayerInputs(ws, "inputs", layers.LayerInputsConfig{Width: m.width, Layers: len(m.layers), Dim: m.inputs, Vocab: m.vocab, Norm: norm})
	}
	if m.streams > 0 {
		model.Layers = m.altUpLayers(t, ws, cache, inputs)
	}
	for i := range m.layers {
		if m.streams > 0 {
			break
		}
		chain, name := layers.Chain{m.layer(t, ws, cache, i)}, fmt.Sprintf("block.%d", i)
		if inputs != nil {
			m.setLinear(t, name+".input_gate", m.inputs, m.width, false)
			m.setLinear(t, name+".input_proj", m.width, m.inputs, false)
			m.setNorm(t, name+".input_norm", m.width, m.layers[0].block.Norm)
			chain = append(chain, inputs.Gate(name, i, layers.GELUTanh))
		}
		if inputs != nil && i == 0 {
			chain = append(layers.Chain{inputs}, chain...)
		}
		if m.layers[i].scaled {
			m.set(t, name+".scale", true, 1, 1, 0.5, 0.1)
			chain = append(chain, layers.NewOutputScale(ws, name+".scale"))
		}
		model.Layers = append(model.Layers, chain)
	}
	d, err := layers.NewDecoder(model)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// layer makes the weights of a layer and returns the layer.
func (m *scalarModel) layer(t testing.TB, ws *layers.Workspace, cache *layers.KVCache, i int) layers.Layer {
	t.Helper()
	l, name := &m.layers[i], fmt.Sprintf("block.%d", i)
	a, mlp, block := &l.attention, &l.mlp, &l.block
	a.Width, mlp.Width, block.Width, a.Cache, a.Layer = m.width, m.width, m.width, cache, i
	if a.SharedKV {
		a.Layer = 0
	}
	if l.freqs != nil {
		a.Rotary = layers.NewScaledRotary(l.freqs, l.factor)
	}
	if l.conv != nil {
		block.Mixer = m.newConv(t, ws, name, *l.conv)
	} else {
		block.Mixer = m.newAttention(t, ws, name, a)
	}
	if l.experts.Experts > 0 {
		l.experts.MLP = *mlp
		block.MLP = m.newExperts(t, ws, name, l.experts)
	} else {
		block.MLP = m.newMLP(t, ws, name, *mlp)
	}
	for _, sublayer := range []string{".attn", ".mlp"} {
		if block.NormPosition != layers.NormAfter {
			m.setNorm(t, name+sublayer+"_norm", m.width, block.Norm)
		}
		if block.NormPosition != layers.NormBefore {
			m.setNorm(t, name+sublayer+"_post_norm", m.width, block.Norm)
		}
	}
	return layers.NewBlock(ws, name, *block)
}

func (m *scalarModel) newAttention(t fataler, ws *layers.Workspace, name string, a *layers.AttentionConfig) *layers.Attention {
	q, kv := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	m.setLinear(t, name+".q", q, m.width, a.Bias)
	if !a.SharedKV {
		m.setLinear(t, name+".k", kv, m.width, a.Bias)
	}
	if !a.SharedKV && !a.KeysAsValues {
		m.setLinear(t, name+".v", kv, m.width, a.Bias)
	}
	switch a.QKNorm {
	case layers.HeadQKNorm:
		m.setNorm(t, name+".q_norm", a.HeadDim, a.Norm)
		m.setNorm(t, name+".k_norm", a.HeadDim, a.Norm)
	case layers.FullQKNorm:
		m.setNorm(t, name+".q_norm", q, a.Norm)
		m.setNorm(t, name+".k_norm", kv, a.Norm)
	}
	if a.Sinks {
		m.set(t, name+".sinks", true, 1, a.Heads, 1, 2)
	}
	m.setLinear(t, name+".o", m.width, q, a.OutputBias)
	return layers.NewAttention(ws, name, *a)
}

func (m *scalarModel) setMLP(t fataler, name string, c layers.MLPConfig) {
	if !c.Ungated {
		m.setLinear(t, name+".gate", c.FFN, m.width, c.Bias)
	}
	m.setLinear(t, name+".up", c.FFN, m.width, c.Bias)
	m.setLinear(t, name+".down", m.width, c.FFN, c.Bias)
	if c.Activation == layers.ClampedSwiGLU { // so that some elements are clamped
		m.set(t, name+".gate", false, c.FFN, m.width, 0, 6/math.Sqrt(float64(m.width)))
		m.set(t, name+".up", false, c.FFN, m.width, 0, 6/math.Sqrt(float64(m.width)))
	}
}

func (m *scalarModel) newMLP(t fataler, ws *layers.Workspace, name string, c layers.MLPConfig) *layers.MLP {
	m.setMLP(t, name, c)
	return layers.NewMLP(ws, name, c)
}

func (m *scalarModel) newExperts(t fataler, ws *layers.Workspace, name string, c layers.ExpertsConfig) *layers.Experts {
	m.setLinear(t, name+".router", c.Experts, m.width, c.RouterBias)
	if c.ChoiceBias {
		m.set(t, name+".choice_bias", true, 1, c.Experts, 0, 0.5)
	}
	for e := range c.Experts {
		m.setMLP(t, fmt.Sprintf("%s.expert.%d", name, e), c.MLP)
	}
	return layers.NewExperts(ws, name, c)
}

func (m *scalarModel) newConv(t fataler, ws *layers.Workspace, name string, c layers.ShortConvConfig) *layers.ShortConv {
	c.Width = m.width
	m.setLinear(t, name+".in", 3*c.Width, c.Width, c.Bias)
	m.set(t, name+".conv", true, 1, c.Width*c.Kernel, 0, 0.6)
	if c.Bias {
		m.set(t, name+".conv_bias", true, 1, c.Width, 0, 0.5)
	}
	m.setLinear(t, name+".out", c.Width, c.Width, c.Bias)
	return layers.NewShortConv(ws, name, c)
}

// logits returns the logits after the last of tokens.
func (m *scalarModel) logits(tokens []int32) []float64 {
	var x [][]float64
	for _, token := range tokens {
		row := make([]float64, m.width)
		for i := range row {
			row[i] = m.values["embedding"][int(token)*m.width+i] * float64(m.embedScale)
		}
		x = append(x, row)
	}
	inputs := m.layerInputs(x, tokens)
	if m.streams > 0 {
		m.altUp(x, inputs)
	}
	for i := range m.layers {
		if m.streams > 0 {
			break
		}
		m.block(x, i)
		m.finishLayer(x, inputs, i)
	}
	out := m.linear("head", m.normed("final_norm", x[len(x)-1], m.norm))
	for i := range out {
		if m.head.Scale != 0 {
			out[i] *= float64(m.head.Scale)
		}
		if c := float64(m.head.SoftCap); c != 0 {
			out[i] = c * math.Tanh(out[i]/c)
		}
	}
	return out
}

// layerInputs returns the inputs of all layers, of each row, if the model has them.
func (m *scalarModel) layerInputs(x [][]float64, tokens []int32) (inputs [][]float64) {
	for r := range x {
		if m.inputs == 0 {
			break
		}
		scaled, input := make([]float64, m.width), []float64{}
		for c, v := range x[r] {
			scaled[c] = v / math.Sqrt(float64(m.width))
		}
		projected := m.linear("inputs.proj", scaled)
		for part := range slices.Chunk(projected, m.inputs) {
			input = append(input, m.normed("inputs.norm", part, m.layers[0].block.Norm)...)
		}
		for c := range input {
			stored := m.values["inputs.table"][int(tokens[r])*len(input)+c]
			input[c] = (input[c] + math.Sqrt(float64(m.inputs))*stored) / math.Sqrt2
		}
		inputs = append(inputs, input)
	}
	return inputs
}

// finishLayer does what comes after the block of a layer.
func (m *scalarModel) finishLayer(x, inputs [][]float64, i int) {
	name := fmt.Sprintf("block.%d", i)
	for r := range x {
		if inputs != nil {
			gate := m.linear(name+".input_gate", x[r])
			for c := range gate {
				gate[c] = activate(layers.GELUTanh, gate[c]) * inputs[r][i*m.inputs+c]
			}
			for c, v := range m.normed(name+".input_norm", m.linear(name+".input_proj", gate), m.layers[0].block.Norm) {
				x[r][c] += v
			}
		}
		for c := range x[r] {
			if m.layers[i].scaled {
				x[r][c] *= m.values[name+".scale"][0]
			}
		}
	}
}

func (m *scalarModel) block(x [][]float64, i int) {
	l, name := &m.layers[i], fmt.Sprintf("block.%d", i)
	residual := float64(l.block.Residual)
	if residual == 0 {
		residual = 1
	}
	for _, sublayer := range []string{".attn", ".mlp"} {
		in := make([][]float64, len(x))
		for r := range x {
			in[r] = x[r]
			if l.block.NormPosition != layers.NormAfter {
				in[r] = m.normed(name+sublayer+"_norm", x[r], l.block.Norm)
			}
		}
		var out [][]float64
		switch {
		case sublayer == ".mlp" && l.experts.Experts > 0:
			out = m.mixture(in, &l.experts, name)
		case sublayer == ".mlp":
			out = m.mlp(in, &l.mlp, name)
		case l.conv != nil:
			out = m.convolve(in, l.conv, name)
		default:
			out = m.attention(in, l, name)
		}
		for r := range x {
			if l.block.NormPosition != layers.NormBefore {
				out[r] = m.normed(name+sublayer+"_post_norm", out[r], l.block.Norm)
			}
			for c := range x[r] {
				x[r][c] += residual * out[r][c]
			}
		}
	}
}

func (m *scalarModel) attention(x [][]float64, l *scalarLayer, name string) (out [][]float64) {
	a := &l.attention
	dim, scale := a.HeadDim, float64(a.Scale)
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(dim))
	}
	if !a.SharedKV {
		m.keys, m.vals = nil, nil
	}
	for position, row := range x {
		if !a.SharedKV {
			key, value := m.keyAndValue(row, l, name, position)
			m.keys, m.vals = append(m.keys, key), append(m.vals, value)
		}
		keys, values := m.keys[:position+1], m.vals[:position+1]
		q := m.qkNorm(name+".q_norm", m.linear(name+".q", row), a)
		rotate(q, dim, l.freqs, l.factor, position)
		if a.QueryScale != nil {
			for i := range q {
				q[i] *= float64(a.QueryScale(position))
			}
		}
		mixed := make([]float64, a.Heads*dim)
		for h := range a.Heads {
			kv := h / (a.Heads / a.KVHeads)
			var scores []float64
			for _, key := range keys {
				sum := 0.0
				for c := range dim {
					sum += q[h*dim+c] * key[kv*dim+c]
				}
				sum *= scale
				if limit := float64(a.SoftCap); limit != 0 {
					sum = limit * math.Tanh(sum/limit)
				}
				scores = append(scores, sum)
			}
			if l.window > 0 {
				for j := range max(len(scores)-l.window, 0) {
					scores[j] = math.Inf(-1)
				}
			}
			if a.Sinks {
				scores = append(scores, m.values[name+".sinks"][h])
			}
			for j, weight := range softmax(scores) {
				if j == len(keys) {
					break // the sink
				}
				for c := range dim {
					mixed[h*dim+c] += weight * values[j][kv*dim+c]
				}
			}
		}
		out = append(out, m.linear(name+".o", mixed))
	}
	return out
}

// keyAndValue returns the key and the value of a row.
func (m *scalarModel) keyAndValue(row []float64, l *scalarLayer, name string, position int) (key, value []float64) {
	a := &l.attention
	key = m.linear(name+".k", row)
	if value = key; !a.KeysAsValues {
		value = m.linear(name+".v", row)
	}
	if a.ValueNorm {
		var normed []float64
		for head := range slices.Chunk(value, a.HeadDim) {
			squares := 0.0
			for _, v := range head {
				squares += v * v / float64(a.HeadDim)
			}
			for _, v := range head {
				normed = append(normed, v/math.Sqrt(squares+float64(a.Norm.Eps)))
			}
		}
		value = normed
	}
	key = m.qkNorm(name+".k_norm", slices.Clone(key), a)
	rotate(key, a.HeadDim, l.freqs, l.factor, position)
	return key, value
}

func (m *scalarModel) convolve(x [][]float64, c *layers.ShortConvConfig, name string) (out [][]float64) {
	w, bias := m.values[name+".conv"], m.values[name+".conv_bias"]
	var u [][]float64
	for i, row := range x {
		bcv := m.linear(name+".in", row)
		u = append(u, make([]float64, m.width))
		y := make([]float64, m.width)
		for ch := range m.width {
			u[i][ch] = bcv[ch] * bcv[2*m.width+ch]
			for back := range min(c.Kernel, i+1) {
				y[ch] += w[ch*c.Kernel+c.Kernel-1-back] * u[i-back][ch]
			}
			if c.Bias {
				y[ch] += bias[ch]
			}
			y[ch] *= bcv[m.width+ch]
		}
		out = append(out, m.linear(name+".out", y))
	}
	return out
}

func softmax(scores []float64) []float64 {
	most, sum := math.Inf(-1), 0.0
	for _, s := range scores {
		most = max(most, s)
	}
	for i, s := range scores {
		scores[i] = math.Exp(s - most)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
	return scores
}

// qkNorm normalises queries or keys.
func (m *scalarModel) qkNorm(name string, x []float64, a *layers.AttentionConfig) (out []float64) {
	width := len(x)
	switch a.QKNorm {
	case layers.NoQKNorm:
		return x
	case layers.HeadQKNorm:
		width = a.HeadDim
	}
	for ; len(x) > 0; x = x[width:] {
		out = append(out, m.normed(name, x[:width], a.Norm)...)
	}
	return out
}

// rotate turns the heads of x, each of dim elements.
func rotate(x []float64, dim int, freqs []float64, factor float64, position int) {
	for ; len(x) > 0; x = x[dim:] {
		for i, f := range freqs {
			sin, cos := math.Sincos(f * float64(position))
			a, b := &x[i], &x[i+len(freqs)]
			*a, *b = factor*(*a*cos-*b*sin), factor*(*b*cos+*a*sin)
		}
	}
}

func (m *scalarModel) mlp(x [][]float64, c *layers.MLPConfig, name string) (out [][]float64) {
	for _, row := range x {
		up := m.linear(name+".up", row)
		inner := up
		if !c.Ungated {
			inner = m.linear(name+".gate", row)
		}
		mean, squares := 0.0, 0.0
		for _, v := range inner {
			mean += v / float64(len(inner))
		}
		for _, v := range inner {
			squares += (v - mean) * (v - mean) / float64(len(inner))
		}
		least := mean + float64(c.Cutoff)*math.Sqrt(squares)
		for i, v := range inner {
			if c.Activation == layers.ClampedSwiGLU {
				g, u := min(v, 7), max(min(up[i], 7), -7)
				inner[i] = g / (1 + math.Exp(-1.702*g)) * (u + 1)
				continue
			}
			inner[i] = activate(c.Activation, max(v-least, 0))
			if c.Cutoff == 0 {
				inner[i] = activate(c.Activation, v)
			}
			if !c.Ungated {
				inner[i] *= up[i]
			}
		}
		out = append(out, m.linear(name+".down", inner))
	}
	return out
}

func (m *scalarModel) mixture(x [][]float64, c *layers.ExpertsConfig, name string) (out [][]float64) {
	for _, row := range x {
		scores := m.linear(name+".router", row)
		shares := softmax(slices.Clone(scores))
		if c.Sigmoid {
			for e, score := range scores {
				shares[e] = 1 / (1 + math.Exp(-score))
			}
		}
		ranked := slices.Clone(shares)
		for e, v := range m.values[name+".choice_bias"] {
			ranked[e] += v
		}
		y, sum := make([]float64, m.width), 0.0
		for range c.Chosen {
			best := 0
			for e, rank := range ranked {
				if rank > ranked[best] {
					best = e
				}
			}
			for i, v := range m.mlp([][]float64{row}, &c.MLP, fmt.Sprintf("%s.expert.%d", name, best))[0] {
				y[i] += shares[best] * v
			}
			sum += shares[best]
			ranked[best] = math.Inf(-1)
		}
		if !c.KeepShares {
			for i := range y {
				y[i] /= sum
			}
		}
		out = append(out, y)
	}
	return out
}

func activate(a layers.Activation, x float64) float64 {
	switch a {
	case layers.SiLU:
		return x / (1 + math.Exp(-x))
	case layers.GELU:
		return x / 2 * (1 + math.Erf(x/math.Sqrt2))
	case layers.GELUTanh:
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case layers.ReLU2:
		return max(x, 0) * max(x, 0)
	}
	return math.NaN()
}

func (m *scalarModel) linear(name string, x []float64) []float64 {
	w, bias := m.values[name], m.values[name+"_bias"]
	out := make([]float64, len(w)/len(x))
	for r := range out {
		for c, v := range x {
			out[r] += w[r*len(x)+c] * v
		}
		if bias != nil {
			out[r] += bias[r]
		}
	}
	return out
}

func (m *scalarModel) normed(name string, x []float64, c layers.NormConfig) []float64 {
	out, mean, squares := make([]float64, len(x)), 0.0, 0.0
	if c.Centered {
		for _, v := range x {
			mean += v / float64(len(x))
		}
	}
	for _, v := range x {
		squares += (v - mean) * (v - mean) / float64(len(x))
	}
	for i, v := range x {
		out[i] = (v - mean) / math.Sqrt(squares+float64(c.Eps)) * (m.values[name][i] + float64(c.Offset))
		if c.Bias {
			out[i] += m.values[name+"_bias"][i]
		}
	}
	return out
}

// near fails unless got is want up to the rounding of float32.
func near(t fataler, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	spread := 0.0
	for _, w := range want {
		spread = max(spread, math.Abs(w))
	}
	for i, w := range want {
		if off := math.Abs(float64(got[i]) - w); !(off <= tolerance*spread) {
			t.Fatalf("%s: value %d is %v, want %v: off by %.2g of %.3g", what, i, got[i], w, off/spread, spread)
		}
	}
}

// frequencies returns plain rotary frequencies of so many elements.
func frequencies(theta float64, elements int) []float64 {
	return layers.Rope{Theta: theta}.Frequencies(elements)
}

// scalarModels are models of every option that parts have.
func scalarModels() map[string]*scalarModel {
	rms := layers.NormConfig{Eps: 1e-5}
	attention := layers.AttentionConfig{Heads: 4, KVHeads: 2, HeadDim: 16}
	mlp := layers.MLPConfig{FFN: 96}
	// model makes one of two layers, which change may make differ.
	model := func(change func(m *scalarModel, i int, l *scalarLayer)) *scalarModel {
		m := &scalarModel{width: 64, vocab: 40, embedScale: 1, norm: rms}
		for i := range 2 {
			l := scalarLayer{attention: attention, freqs: frequencies(1e4, 16), factor: 1, mlp: mlp, block: layers.BlockConfig{Norm: rms}}
			change(m, i, &l)
			m.layers = append(m.layers, l)
		}
		return m
	}
	return map[string]*scalarModel{
		"llama": model(func(*scalarModel, int, *scalarLayer) {}),
		"qwen2": model(func(_ *scalarModel, _ int, l *scalarLayer) { l.attention.Bias = true }),
		"qwen3": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.attention.QKNorm, l.attention.Norm = layers.HeadQKNorm, rms
		}),
		"gemma": model(func(m *scalarModel, i int, l *scalarLayer) {
			gemma := layers.NormConfig{Eps: 1e-6, Offset: 1}
			m.embedScale, m.norm, m.head.SoftCap = 8, gemma, 5
			l.block.Norm, l.block.NormPosition = gemma, layers.NormAround
			l.attention.QKNorm, l.attention.Norm, l.attention.Scale = layers.HeadQKNorm, gemma, 0.2
			l.mlp.Activation = layers.GELUTanh
			if i == 1 {
				l.attention.HeadDim, l.attention.KVHeads, l.attention.Heads = 32, 1, 3 // a layer of another shape
				l.freqs = frequencies(1e6, 32)
			}
		}),
		"gemma2": model(func(_ *scalarModel, i int, l *scalarLayer) {
			l.attention.SoftCap = 2
			if i == 0 {
				l.window = 5
			}
		}),
		"gemma4": model(func(m *scalarModel, i int, l *scalarLayer) {
			m.inputs, l.scaled = 16, true
			l.attention.QKNorm, l.attention.Norm, l.attention.ValueNorm, l.attention.Scale = layers.HeadQKNorm, rms, true, 1
			l.attention.SharedKV = i == 1
		}),
		"gemma3n": model(func(m *scalarModel, i int, l *scalarLayer) {
			m.inputs, m.streams, m.head.SoftCap = 16, 4, 5
			l.attention.QKNorm, l.attention.Norm, l.attention.ValueNorm, l.attention.Scale = layers.HeadQKNorm, rms, true, 1
			l.attention.SharedKV = i == 1
			l.block.NormPosition = layers.NormAround
		}),
		"keys as values": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.attention.QKNorm, l.attention.Norm, l.attention.ValueNorm, l.attention.KeysAsValues = layers.HeadQKNorm, rms, true, true
		}),
		"sparse gates": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.mlp.Activation, l.mlp.Cutoff = layers.GELUTanh, 0.8
		}),
		"gpt-oss": model(func(_ *scalarModel, i int, l *scalarLayer) {
			l.attention.Sinks, l.attention.Bias, l.attention.OutputBias = true, true, true
			l.experts = layers.ExpertsConfig{Experts: 5, Chosen: 2, RouterBias: true}
			l.mlp.Activation, l.mlp.Bias, l.mlp.FFN = layers.ClampedSwiGLU, true, 32
			if i == 0 {
				l.window = 4
			}
		}),
		"lfm2": model(func(_ *scalarModel, i int, l *scalarLayer) {
			if i == 0 {
				l.conv = &layers.ShortConvConfig{Kernel: 3}
			} else {
				l.attention.QKNorm, l.attention.Norm = layers.HeadQKNorm, rms
			}
		}),
		"convolutions": model(func(m *scalarModel, i int, l *scalarLayer) {
			m.width = 160 // more channels than one worker takes at a time
			l.conv = &layers.ShortConvConfig{Kernel: 1 + 3*i, Bias: true}
		}),
		"qwen3-moe": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.experts = layers.ExpertsConfig{Experts: 6, Chosen: 3}
			l.attention.QKNorm, l.attention.Norm = layers.HeadQKNorm, rms
		}),
		"olmoe": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.experts = layers.ExpertsConfig{Experts: 6, Chosen: 2, KeepShares: true}
			l.attention.QKNorm, l.attention.Norm = layers.FullQKNorm, rms
		}),
		"lfm2-moe": model(func(_ *scalarModel, i int, l *scalarLayer) {
			l.experts = layers.ExpertsConfig{Experts: 6, Chosen: 3, Sigmoid: true, ChoiceBias: true, KeepShares: i == 1}
		}),
		"window": model(func(_ *scalarModel, _ int, l *scalarLayer) { l.window = 3 }),
		"olmo2": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.attention.QKNorm, l.attention.Norm = layers.FullQKNorm, rms
			l.block.NormPosition = layers.NormAfter
		}),
		"phi": model(func(m *scalarModel, _ int, l *scalarLayer) {
			norm := layers.NormConfig{Eps: 1e-5, Centered: true, Bias: true}
			m.norm, m.head.Bias, l.block.Norm = norm, true, norm
			l.attention.Bias, l.attention.OutputBias = true, true
			l.freqs, l.attention.RotaryDim, l.factor = frequencies(1e4, 6), 6, 1.19
			l.mlp.Activation, l.mlp.Ungated, l.mlp.Bias = layers.GELU, true, true
		}),
		"smollm3": model(func(_ *scalarModel, i int, l *scalarLayer) {
			if i == 1 {
				l.freqs, l.attention.NoRotary = nil, true
			}
		}),
		"ministral3": model(func(_ *scalarModel, _ int, l *scalarLayer) {
			l.attention.QueryScale = func(position int) float32 { return 1 + float32(position)/8 }
		}),
		"granite": model(func(m *scalarModel, _ int, l *scalarLayer) {
			m.embedScale, m.head.Scale, l.block.Residual, l.attention.Scale = 12, 1.0/8, 0.22, 0.015625
		}),
		"nemotron": model(func(m *scalarModel, _ int, l *scalarLayer) {
			norm := layers.NormConfig{Eps: 1e-5, Centered: true, Offset: 1, Bias: true}
			m.norm, l.block.Norm = norm, norm
			l.mlp.Activation, l.mlp.Ungated = layers.ReLU2, true
		}),
	}
}

// TestPartsEqualScalarReference: decoders of every option of the parts compute what the definitions say.
func TestPartsEqualScalarReference(t *testing.T) {
	for name, m := range scalarModels() {
		t.Run(name, func(t *testing.T) {
			d := m.decoder(t, 8)
			tokens := []int32{3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 3}
			forward(t, d, tokens, nil) // in two pieces
			for _, row := range []int{len(tokens) - 1, len(tokens) - 5} {
				near(t, fmt.Sprintf("row %d", row), logits(t, d, row), m.logits(tokens[:row+1]), 2e-5)
			}
		})
	}
}

// TestPartsKeepTreesExact: with every option, each row of a tree has the bits that it has alone.
func TestPartsKeepTreesExact(t *testing.T) {
	for name, m := range scalarModels() {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(8, 9))
			alone := m.decoder(t, 1)
			m.pool = kernels.NewPool(3)
			defer m.pool.Close()
			tree := m.decoder(t, 7)
			trees := 3
			if testing.Short() {
				trees = 1
			}
			for range trees {
				checkRandomTree(t, rng, tree, alone)
			}
		})
	}
}

// checkRandomTree puts a random tree below a random text in several passes and compares each row with its path decoded token by token, and then
// what follows the rows of one path that are committed. Both decoders end up empty.
func checkRandomTree(t *testing.T, rng *rand.Rand, tree, alone *layers.Decoder) {
	t.Helper()
	draw := func(n int) []int32 {
		tokens := make([]int32, n)
		for i := range tokens {
			tokens[i] = rng.Int32N(int32(tree.Vocab()))
		}
		return tokens
	}
	text := draw(1 + rng.IntN(8))
	forward(t, tree, text, nil)
	commitAll(t, tree)
	var tokens, parents []int32
	var got [][]float32
	for range 3 {
		batch := draw(1 + rng.IntN(7))
		var up []int32
		for range batch {
			up = append(up, rng.Int32N(int32(len(parents)+len(up)+1))-1)
		}
		first := forward(t, tree, batch, up)
		for i := range batch {
			got = append(got, logits(t, tree, first+i))
		}
		tokens, parents = append(tokens, batch...), append(parents, up...)
	}
	pathTo := func(row int) (path []int, sequence []int32) {
		for ; row >= 0; row = int(parents[row]) {
			path = append([]int{row}, path...)
		}
		sequence = slices.Clone(text)
		for _, row := range path {
			sequence = append(sequence, tokens[row])
		}
		return path, sequence
	}
	kept := rng.IntN(len(tokens))
	if err := tree.Rollback(kept); err != nil {
		t.Fatal(err)
	}
	other, up := draw(2), []int32{rng.Int32N(int32(kept+1)) - 1, rng.Int32N(int32(kept+2)) - 1}
	forward(t, tree, other, up)
	tokens, parents = append(tokens[:kept], other...), append(parents[:kept], up...)
	got = append(got[:kept], logits(t, tree, kept), logits(t, tree, kept+1))
	for row := range tokens {
		truncate(t, alone, 0)
		_, sequence := pathTo(row)
		sameBits(t, fmt.Sprintf("row %d of %v", row, parents), got[row], plain(t, alone, sequence))
	}
	path, sequence := pathTo(rng.IntN(len(tokens)))
	commit(t, tree, path...)
	next := draw(2)
	truncate(t, alone, 0)
	sameBits(t, fmt.Sprintf("after committing %v of %v", path, parents), plain(t, tree, next), plain(t, alone, append(sequence, next...)))
	truncate(t, tree, 0)
	truncate(t, alone, 0)
}

// TestWindowEqualsPlainDecoding: what a window has left behind makes no difference, however the text came about, and can't be gone back to.
func TestWindowEqualsPlainDecoding(t *testing.T) {
	m := scalarModels()["window"]
	for i := range m.layers {
		m.layers[i].window = 30
	}
	whole, pieces := m.decoder(t, 128), m.decoder(t, 128)
	text := make([]int32, 500)
	for i := range text {
		text[i] = int32(i * i % 37)
	}
	forward(t, whole, text, nil) // all pending: nothing is given up
	for part := range slices.Chunk(text[:499], 50) {
		forward(t, pieces, part, nil)
		commitAll(t, pieces)
	}
	forward(t, pieces, text[499:], nil)
	sameBits(t, "in pieces", logits(t, pieces, 0), logits(t, whole, 499))
	if err := pieces.Truncate(200); !errors.Is(err, layers.ErrNotKept) || pieces.Len() != 499 || pieces.Pending() != 1 {
		t.Errorf("truncate to 200: %v; %d rows and %d pending", err, pieces.Len(), pieces.Pending())
	}
	truncate(t, pieces, 300)
	sameBits(t, "after truncate", plain(t, pieces, text[300:301]), logitsOf(t, m, text[:301]))

	var state bytes.Buffer
	if err := pieces.WriteState(&state); err != nil {
		t.Fatal(err)
	}
	read := m.decoder(t, 128)
	if err := read.ReadState(&state); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "after the state is read", plain(t, read, text[301:302]), logitsOf(t, m, text[:302]))
	if err := read.Truncate(200); !errors.Is(err, layers.ErrNotKept) {
		t.Errorf("truncate a read state to 200: %v", err)
	}
	truncate(t, read, 0)
	sameBits(t, "from the start", plain(t, read, text[:3]), logitsOf(t, m, text[:3]))
}

// askedFor notes which tensors are asked for.
type askedFor struct {
	layers.Weights
	names []string
}

func (w *askedFor) Parts(ctx context.Context, name string) iter.Seq2[tensor.Packed, error] {
	w.names = append(w.names, name)
	return w.Weights.Parts(ctx, name)
}

// TestExpertsThatNobodyChose: they are not read; the others are, in their order.
func TestExpertsThatNobodyChose(t *testing.T) {
	m := scalarModels()["qwen3-moe"]
	m.decoder(t, 1) // makes the weights
	w := &askedFor{Weights: &m.weights}
	experts := layers.NewExperts(layers.NewWorkspace(w, nil, 1), "block.0", layers.ExpertsConfig{
		Experts: 6, Chosen: 2, MLP: layers.MLPConfig{Width: m.width, FFN: m.layers[0].mlp.FFN},
	})
	x, dst := make([]float32, m.width), make([]float32, m.width)
	for i := range x {
		x[i] = float32(i%7) - 3
	}
	if err := experts.Forward(ctx, dst, x, pending(1)); err != nil {
		t.Fatal(err)
	}
	order := []string{"block.0.router"}
	for e := range 6 {
		for _, matrix := range []string{"gate", "up", "down"} {
			order = append(order, fmt.Sprintf("block.0.expert.%d.%s", e, matrix))
		}
	}
	asked := slices.DeleteFunc(order, func(name string) bool { return !slices.Contains(w.names, name) })
	if len(asked) != 7 || !slices.Equal(w.names, asked) {
		t.Errorf("asked for %v", w.names)
	}
}

// TestPartsAskInOrder: parts read their tensors in the order that their documentation gives, which is that of a store.
func TestPartsAskInOrder(t *testing.T) {
	rms := layers.NormConfig{Eps: 1e-5, Bias: true}
	m := &scalarModel{width: 64, vocab: 40, embedScale: 1, norm: rms, asked: &askedFor{}, layers: []scalarLayer{
		{
			attention: layers.AttentionConfig{
				Heads: 4, KVHeads: 2, HeadDim: 16, Bias: true, OutputBias: true, QKNorm: layers.HeadQKNorm, Norm: rms, Sinks: true, NoRotary: true,
			},
			mlp: layers.MLPConfig{FFN: 32, Bias: true}, block: layers.BlockConfig{Norm: rms, NormPosition: layers.NormAround},
		},
		{
			attention: layers.AttentionConfig{Heads: 1, KVHeads: 1, HeadDim: 1}, conv: &layers.ShortConvConfig{Kernel: 3, Bias: true},
			mlp:     layers.MLPConfig{FFN: 32, Ungated: true},
			experts: layers.ExpertsConfig{Experts: 2, Chosen: 2, RouterBias: true},
		},
	}}
	m.head.Bias = true
	d := m.decoder(t, 4)
	want := strings.Fields(`
		block.0.attn_norm block.0.attn_norm_bias
		block.0.q block.0.q_bias block.0.k block.0.k_bias block.0.v block.0.v_bias
		block.0.q_norm block.0.q_norm_bias block.0.k_norm block.0.k_norm_bias block.0.sinks
		block.0.o block.0.o_bias block.0.attn_post_norm block.0.attn_post_norm_bias
		block.0.mlp_norm block.0.mlp_norm_bias
		block.0.gate block.0.gate_bias block.0.up block.0.up_bias block.0.down block.0.down_bias
		block.0.mlp_post_norm block.0.mlp_post_norm_bias
		block.1.attn_norm block.1.in block.1.in_bias block.1.conv block.1.conv_bias block.1.out block.1.out_bias
		block.1.mlp_norm block.1.router block.1.router_bias
		block.1.expert.0.up block.1.expert.0.down block.1.expert.1.up block.1.expert.1.down
		final_norm final_norm_bias head head_bias`)
	for range 2 {
		m.asked.names = nil
		decode(t, d, 1)
		if !slices.Equal(m.asked.names, want) {
			t.Fatalf("asked for\n%v, want\n%v", m.asked.names, want)
		}
	}
}

// TestHookDropsRowsOfStates: rows that a hook lets pass have the bits that they have without it, though layers after it know nothing of the others.
func TestHookDropsRowsOfStates(t *testing.T) {
	m := scalarModels()["convolutions"]
	pruned, full := m.decoder(t, 8), m.decoder(t, 8)
	tokens, parents := []int32{3, 14, 15, 9, 26, 5}, []int32{-1, 0, 0, 1, 2, 4} // without row 1, row 3 goes too
	drop := func(_ int, rows []int, _ []float32) ([]int, error) {
		return slices.DeleteFunc(rows, func(row int) bool { return row == 1 }), nil
	}
	if _, err := pruned.Forward(ctx, layers.Batch{Tokens: tokens, Parents: parents, Hook: drop, HookAfter: []int{0}}); err != nil {
		t.Fatal(err)
	}
	forward(t, full, tokens, parents)
	for _, row := range []int{0, 2, 4, 5} {
		sameBits(t, fmt.Sprintf("row %d", row), logits(t, pruned, row), logits(t, full, row))
	}
	commit(t, pruned, 0, 2, 4)
	commit(t, full, 0, 2, 4)
	sameBits(t, "after the commit", plain(t, pruned, []int32{7, 8}), plain(t, full, []int32{7, 8}))
}

// TestPartsAreSaved: a text that was saved and read goes on as it would have, whatever the layers keep.
func TestPartsAreSaved(t *testing.T) {
	for name, m := range scalarModels() {
		t.Run(name, func(t *testing.T) {
			d, other := m.decoder(t, 8), m.decoder(t, 8)
			forward(t, d, []int32{3, 14, 15, 9, 26, 5, 35}, nil)
			commitAll(t, d)
			var state bytes.Buffer
			if err := d.WriteState(&state); err != nil {
				t.Fatal(err)
			}
			whole := slices.Clone(state.Bytes())
			forward(t, other, []int32{1, 2, 3}, nil) // is given up
			commitAll(t, other)
			if err := other.ReadState(&state); err != nil || state.Len() > 0 {
				t.Fatalf("%v, %d bytes are left", err, state.Len())
			}
			sameBits(t, "after it is read", plain(t, other, []int32{8, 9}), plain(t, d, []int32{8, 9}))
			if err := other.ReadState(bytes.NewReader(whole[:len(whole)-1])); err == nil || other.Len() != 0 {
				t.Errorf("without the last byte: %v, %d rows", err, other.Len())
			}
			truncate(t, d, 0)
			sameBits(t, "after an error", plain(t, other, []int32{8, 9}), plain(t, d, []int32{8, 9}))
		})
	}
}

// TestShortConvTruncate: a text can be emptied and left as it is, but not be shortened to rows that are no longer kept.
func TestShortConvTruncate(t *testing.T) {
	m := scalarModels()["lfm2"]
	d := m.decoder(t, 8)
	forward(t, d, []int32{3, 14, 15}, nil)
	commitAll(t, d)
	want := plain(t, d, []int32{9, 26})
	truncate(t, d, 5)
	if err := d.Truncate(3); !errors.Is(err, layers.ErrNotKept) || d.Len() != 5 {
		t.Errorf("to 3 of 5: %v, %d rows", err, d.Len())
	}
	truncate(t, d, 0)
	sameBits(t, "from the start", plain(t, d, []int32{3, 14, 15, 9, 26}), want)
}

// logitsOf returns the logits after a text that one pass computes.
func logitsOf(t *testing.T, m *scalarModel, tokens []int32) []float32 {
	t.Helper()
	d := m.decoder(t, len(tokens))
	forward(t, d, tokens, nil)
	return logits(t, d, len(tokens)-1)
}

// TestPartsDoNotAllocate: a decode step of any of the parts allocates nothing.
func TestPartsDoNotAllocate(t *testing.T) {
	for name, m := range scalarModels() {
		t.Run(name, func(t *testing.T) {
			d := m.decoder(t, 8)
			tokens, path, dst := []int32{1, 2}, []int{1}, make([]float32, d.Vocab())
			parents, rows := []int32{-1, -1}, []int{1}
			step := func() {
				if _, err := d.Forward(ctx, layers.Batch{Tokens: tokens, Parents: parents}); err != nil {
					t.Fatal(err)
				}
				if err := d.Project(ctx, dst, rows); err != nil {
					t.Fatal(err)
				}
				if err := d.Commit(path); err != nil {
					t.Fatal(err)
				}
			}
			for range 20 {
				step()
			}
			if n := testing.AllocsPerRun(50, step); n != 0 {
				t.Errorf("%v allocations in a step", n)
			}
		})
	}
}

// TestScalarReferenceSeesEveryOption: the reference above can tell each option from its absence.
func TestScalarReferenceSeesEveryOption(t *testing.T) {
	tokens := []int32{3, 14, 15, 9}
	plain := scalarModels()["llama"]
	plain.decoder(t, 1)
	want := plain.logits(tokens)
	for name, m := range scalarModels() {
		m.decoder(t, 1)
		same := true
		for i, v := range m.logits(tokens) {
			same = same && math.Abs(v-want[i]) < 1e-3
		}
		if same != strings.HasPrefix(name, "llama") {
			t.Errorf("%s: like llama: %v", name, same)
		}
	}
}

// sometimesReady is weights of which it says at random that they can be read without waiting.
type sometimesReady struct {
	layers.Weights
	random *rand.Rand
	told   int
}

func (w *sometimesReady) Prefetch(names []string) { w.told += len(names) }
func (w *sometimesReady) Ready(string) bool       { return w.random.IntN(3) > 0 }
func (w *sometimesReady) Resident() bool          { return false }

// Experts that are in memory are computed before others, and the sum has the same bits.
func TestExpertsInAnyOrder(t *testing.T) {
	m := scalarModels()["qwen3-moe"]
	m.decoder(t, 1) // makes the weights
	random := rand.New(rand.NewPCG(1, 2))
	w := &sometimesReady{Weights: &m.weights, random: random}
	c := layers.ExpertsConfig{Experts: 6, Chosen: 3, MLP: layers.MLPConfig{Width: m.width, FFN: m.layers[0].mlp.FFN}}
	const most = 80 // more rows than outputs are kept for
	inOrder := layers.NewExperts(layers.NewWorkspace(&m.weights, nil, most), "block.0", c)
	anyOrder := layers.NewExperts(layers.NewWorkspace(w, nil, most), "block.0", c)
	for _, n := range []int{1, 2, 5, 17, most} {
		x := make([]float32, n*m.width)
		for i := range x {
			x[i] = random.Float32() - 0.5
		}
		want, got := make([]float32, len(x)), make([]float32, len(x))
		if err := errors.Join(inOrder.Forward(ctx, want, x, pending(n)), anyOrder.Forward(ctx, got, x, pending(n))); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d rows: other bits", n)
		}
	}
	if w.told == 0 {
		t.Error("nobody was told which experts come next")
	}
}
