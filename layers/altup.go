package layers

import (
	"context"
	"fmt"
	"math"
)

// AltUpConfig describes an [AltUp].
type AltUpConfig struct {
	Width   int     // elements of a row of a stream
	Streams int     // the residual stream included; at most 8
	Clip    float32 // of the coefficients of corrections, unless it is 0
	Norm    NormConfig
}

// AltUp keeps further streams beside the residual stream (Baykal et al., arXiv 2301.13310, as Gemma 3n has it): each layer computes one of them, the
// residual stream, and changes the others by what it knows of it. It is a [Layer] that comes before all others and makes the streams of the
// rows, which are embeddings still; its [AltUp.Merge] comes after all others. Between them each layer is an [AltUpBlock].
//
// The streams of a row begin as x and as proj_j·x, scaled to the size of x, and end as the mean of x and unembed_j·stream_j, scaled in the same way. Its
// tensors are name.proj.J [Width][Width] for the streams J from 1 on, and those of Merge are name.unembed.J.
type AltUp struct {
	ws      *Workspace
	name    string
	config  AltUpConfig
	proj    []*Linear
	unembed []*Linear
	streams []float32 // [MaxRows][Streams−1][Width]; by the place of the row

	// Of the layer at work, [MaxRows][Width] but targets, which has an element for each row.
	active, laurel []float32
	targets        []float32
}

// NewAltUp returns the streams whose tensors start with name.
func NewAltUp(ws *Workspace, name string, c AltUpConfig) *AltUp {
	a := &AltUp{ws: ws, name: name, config: c}
	if !ws.wiring.positive(name, c.Width, c.Streams-1, maxStreams+1-c.Streams) {
		return a // which NewDecoder refuses
	}
	for j := 1; j < c.Streams; j++ {
		a.proj = append(a.proj, NewLinear(ws, fmt.Sprintf("%s.proj.%d", name, j), c.Width, c.Width))
		a.unembed = append(a.unembed, NewLinear(ws, fmt.Sprintf("%s.unembed.%d", name, j), c.Width, c.Width))
	}
	a.streams = make([]float32, ws.maxRows*(c.Streams-1)*c.Width)
	a.active, a.laurel, a.targets = make([]float32, ws.maxRows*c.Width), make([]float32, ws.maxRows*c.Width), make([]float32, ws.maxRows)
	ws.reserve(&ws.out, c.Width)
	ws.reserve(&ws.norm, c.Width)
	return a
}

// States returns nothing: streams belong to a pass.
func (a *AltUp) States() []State { return nil }

// others returns the streams of the row at a place of the pass from number 1 on, [Streams−1][Width].
func (a *AltUp) others(at int) []float32 {
	all := (a.config.Streams - 1) * a.config.Width
	return a.streams[at*all : (at+1)*all]
}

// Forward makes the streams of the rows x, [rows.Len()][Width].
func (a *AltUp) Forward(ctx context.Context, x []float32, rows *Rows) error {
	n, ws, width := rows.Len(), a.ws, a.config.Width
	if err := ws.checkRows(a.name, x, n, width); err != nil {
		return err
	}
	out := ws.out[:n*width]
	for j, proj := range a.proj {
		if err := proj.Forward(ctx, out, ws.Input(x, n, width)); err != nil {
			return err
		}
		for i := range n {
			row := a.others(rows.Places[i])[j*width : (j+1)*width]
			copy(row, out[i*width:])
			a.setMagnitude(row, magnitude(x[i*width:(i+1)*width]))
		}
	}
	return nil
}

// maxStreams bounds [AltUpConfig].Streams.
const maxStreams = 8

// leastMagnitude is the least by which a row is divided.
var leastMagnitude = float32(math.Sqrt(1e-5))

// magnitude returns the root of the mean of squares.
func magnitude(x []float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return float32(math.Sqrt(sum / float64(len(x))))
}

// setMagnitude scales a row to a magnitude.
func (a *AltUp) setMagnitude(row []float32, to float32) {
	a.ws.Kernels().Scale(row, to/max(magnitude(row), leastMagnitude))
}

// merge is the layer of [AltUp.Merge].
type merge struct{ *AltUp }

// Merge returns the layer that comes after all others.
func (a *AltUp) Merge() Layer { return merge{a} }

// Forward makes one row of the streams of each row, in x.
func (m merge) Forward(ctx context.Context, x []float32, rows *Rows) error {
	n, ws, width := rows.Len(), m.ws, m.config.Width
	if err := ws.checkRows(m.name, x, n, width); err != nil {
		return err
	}
	in, out := ws.norm[:n*width], ws.out[:n*width]
	for i := range n {
		m.targets[i] = magnitude(x[i*width : (i+1)*width]) // before anything is added
	}
	for j, unembed := range m.unembed {
		for i := range n {
			copy(in[i*width:], m.others(rows.Places[i])[j*width:(j+1)*width])
		}
		if err := unembed.Forward(ctx, out, ws.Input(in, n, width)); err != nil {
			return err
		}
		for i := range n {
			m.setMagnitude(out[i*width:(i+1)*width], m.targets[i])
		}
		ws.Kernels().Add(x, out)
	}
	ws.Kernels().Scale(x, 1/float32(m.config.Streams))
	return nil
}

// AltUpBlockConfig describes an [AltUpBlock].
type AltUpBlockConfig struct {
	// Mixer combines rows; MLP computes each row by itself. Both are built on the workspace of the streams.
	Mixer, MLP Sublayer
	Rank       int        // of the linear path beside the mixer
	Gate       *InputGate // of the layer's inputs, which are added to all streams but the residual one
}

// AltUpBlock is a layer of Gemma 3n. With the router r(y) = tanh(Wrouter·norm(y)/Width), [Streams], it predicts all streams, of which x is number 0,
// computes the residual one with a low-rank path beside the mixer (LAuReL, Menghani et al., arXiv 2411.07501), and corrects all by the difference:
//
//	s_b += Σ_a predict_b,a(r(x))·s_a;  z = norm(x);  y = (x + norm(mixer(z)) + z + norm(Wright·Wleft·z))/√2;  y += norm(mlp(norm(y)))
//	s_b += (1 + correct_b(r(y)))·(y − x);  s_b += gate(x ⊙ scale) for b > 0
//
// Its tensors are name.router_norm, name.router [Streams][Width], name.predict [Streams²][Streams], name.attn_norm, name.laurel_left [Rank][Width],
// name.laurel_right [Width][Rank], name.laurel_norm, those of the mixer, name.attn_post_norm, name.mlp_norm, those of the MLP, name.mlp_post_norm,
// name.correct [Streams][Streams], name.correct_scale [Width] and those of the gate, read in this order. Router, predict and correct are vectors.
type AltUpBlock struct {
	a                           *AltUp
	config                      AltUpBlockConfig
	routerNorm                  *Norm
	router, predict, correct    *vector
	left, right                 *Linear
	laurelNorm                  *Norm
	attnNorm, attnPost          *Norm
	mlpNorm, mlpPost            *Norm
	scale                       *vector
	coefficients                []float32 // [MaxRows][Streams + Streams²]: of the router, and what is made of them
	x                           []float32 // of the Forward under way
	rows                        *Rows
	predictRow, correctRow, add func(worker, i int)
}

// Block returns the layer whose tensors start with name.
func (a *AltUp) Block(name string, c AltUpBlockConfig) *AltUpBlock {
	ws, width, n := a.ws, a.config.Width, a.config.Streams
	ws.wiring.sublayer(name, "Mixer", c.Mixer, width)
	ws.wiring.sublayer(name, "MLP", c.MLP, width)
	if c.Gate == nil {
		ws.wiring.fault(name, "it has no Gate")
	}
	norm := func(part string) *Norm { return NewNorm(ws, name+part, width, a.config.Norm) }
	b := &AltUpBlock{
		a: a, config: c,
		routerNorm: norm(".router_norm"), router: newVector(ws, name+".router", n*width), predict: newVector(ws, name+".predict", n*n*n),
		left: NewLinear(ws, name+".laurel_left", c.Rank, width), right: NewLinear(ws, name+".laurel_right", width, c.Rank), laurelNorm: norm(".laurel_norm"),
		attnNorm: norm(".attn_norm"), attnPost: norm(".attn_post_norm"), mlpNorm: norm(".mlp_norm"), mlpPost: norm(".mlp_post_norm"),
		correct: newVector(ws, name+".correct", n*n), scale: newVector(ws, name+".correct_scale", width),
		coefficients: make([]float32, ws.maxRows*(n+n*n)),
	}
	b.predictRow, b.correctRow, b.add = b.predictStreams, b.correctStreams, b.addGated
	ws.reserve(&ws.projected, c.Rank)
	return b
}

// Forward computes all streams of the rows of x, [rows.Len()][Width], the residual one.
func (b *AltUpBlock) Forward(ctx context.Context, x []float32, rows *Rows) error {
	a, ws, n, width := b.a, b.a.ws, rows.Len(), b.a.config.Width
	if err := ws.checkRows(b.router.reader.name, x, n, width); err != nil {
		return err
	}
	b.x, b.rows = x, rows
	defer func() { b.x, b.rows = nil, nil }()
	if err := b.routerNorm.Load(ctx); err != nil {
		return err
	}
	if err := readAll(ctx, b.router, b.predict); err != nil {
		return err
	}
	ws.pool.Run(n, b.predictRow)
	if err := b.activate(ctx, a.active[:n*width], x, rows); err != nil {
		return err
	}
	if err := readAll(ctx, b.correct, b.scale); err != nil {
		return err
	}
	b.clip()
	ws.pool.Run(n, b.correctRow)
	if err := b.config.Gate.compute(ctx, ws.out[:n*width], ws.norm[:n*width], rows); err != nil {
		return err
	}
	ws.pool.Run(n, b.add)
	return nil
}

// activate writes to y what the layer makes of the residual stream x.
func (b *AltUpBlock) activate(ctx context.Context, y, x []float32, rows *Rows) error {
	ws, n := b.a.ws, rows.Len()
	set, z, out, laurel := ws.Kernels(), ws.norm[:len(x)], ws.out[:len(x)], b.a.laurel[:len(x)]
	if err := b.attnNorm.Forward(ctx, z, x); err != nil {
		return err
	}
	if err := b.left.Forward(ctx, ws.projected, ws.Input(z, n, b.a.config.Width)); err != nil {
		return err
	}
	if err := b.right.Forward(ctx, laurel, ws.Input(ws.projected, n, b.config.Rank)); err != nil {
		return err
	}
	if err := b.laurelNorm.Forward(ctx, laurel, laurel); err != nil {
		return err
	}
	set.Add(laurel, z)
	if err := b.config.Mixer.Forward(ctx, out, z, rows); err != nil {
		return err
	}
	if err := b.attnPost.Forward(ctx, y, out); err != nil {
		return err
	}
	set.Add(y, x)
	set.Add(y, laurel)
	set.Scale(y, float32(1/math.Sqrt2))
	if err := b.mlpNorm.Forward(ctx, z, y); err != nil {
		return err
	}
	if err := b.config.MLP.Forward(ctx, out, z, rows); err != nil {
		return err
	}
	if err := b.mlpPost.Forward(ctx, out, out); err != nil {
		return err
	}
	set.Add(y, out)
	return nil
}

// route writes what the router makes of a row to the first elements of the coefficients of row i of the pass, and returns them and the rest.
func (b *AltUpBlock) route(i int, row, normed []float32) (routed, rest []float32) {
	n, width := b.a.config.Streams, b.a.config.Width
	c := b.coefficients[i*(n+n*n) : (i+1)*(n+n*n)]
	b.routerNorm.Apply(normed, row)
	for j := range n {
		c[j] = float32(math.Tanh(sumProducts(b.router.values[j*width:(j+1)*width], normed) / float64(width)))
	}
	return c[:n], c[n:]
}

// sumProducts sums up in float64, in the order of the elements.
func sumProducts(w, x []float32) (sum float64) {
	for i, v := range x {
		sum += float64(w[i]) * float64(v)
	}
	return sum
}

// predictStreams adds to each stream of row i of the pass what follows from all of them.
func (b *AltUpBlock) predictStreams(_, i int) {
	n, width := b.a.config.Streams, b.a.config.Width
	x := b.x[i*width : (i+1)*width]
	routed, coefficients := b.route(i, x, b.a.ws.norm[i*width:(i+1)*width])
	for j := range coefficients {
		coefficients[j] = float32(sumProducts(b.predict.values[j*n:(j+1)*n], routed))
	}
	others := b.a.others(b.rows.Places[i])
	var sums [maxStreams]float32
	for e := range width {
		for to := range n {
			c := coefficients[to*n : (to+1)*n]
			sums[to] = c[0] * x[e]
			for from := 1; from < n; from++ {
				sums[to] += c[from] * others[(from-1)*width+e]
			}
		}
		x[e] += sums[0]
		for to := 1; to < n; to++ {
			others[(to-1)*width+e] += sums[to]
		}
	}
}

// clip limits the coefficients of corrections.
func (b *AltUpBlock) clip() {
	limit := b.a.config.Clip
	for i, c := range b.correct.values {
		if limit > 0 {
			b.correct.values[i] = min(max(c, -limit), limit)
		}
	}
}

// correctStreams corrects each stream of row i of the pass by what the layer made of the residual one, and leaves what the gate reads in the scratch
// memory for norms.
func (b *AltUpBlock) correctStreams(_, i int) {
	n, width, set := b.a.config.Streams, b.a.config.Width, b.a.ws.Kernels()
	x, active, in := b.x[i*width:(i+1)*width], b.a.active[i*width:(i+1)*width], b.a.ws.norm[i*width:(i+1)*width]
	routed, coefficients := b.route(i, active, in)
	for j := range n {
		coefficients[j] = float32(1 + sumProducts(b.correct.values[j*n:(j+1)*n], routed))
	}
	for e, v := range active {
		active[e] = v - x[e]
	}
	others := b.a.others(b.rows.Places[i])
	for to := 1; to < n; to++ {
		stream := others[(to-1)*width : to*width]
		for e, v := range active {
			stream[e] += coefficients[to] * v
		}
	}
	for e, v := range active {
		x[e] += coefficients[0] * v
	}
	copy(in, x)
	set.Mul(in, b.scale.values)
}

// addGated adds what the gate has made of row i of the pass to all streams but the residual one.
func (b *AltUpBlock) addGated(_, i int) {
	width, set := b.a.config.Width, b.a.ws.Kernels()
	others := b.a.others(b.rows.Places[i])
	for ; len(others) > 0; others = others[width:] {
		set.Add(others[:width], b.a.ws.out[i*width:(i+1)*width])
	}
}

// readAll reads vectors one after the other.
func readAll(ctx context.Context, vectors ...*vector) error {
	for _, v := range vectors {
		if err := v.read(ctx); err != nil {
			return err
		}
	}
	return nil
}
