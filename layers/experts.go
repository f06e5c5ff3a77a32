package layers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ExpertsConfig describes an [Experts] layer.
type ExpertsConfig struct {
	Experts    int       // from which the router chooses
	Chosen     int       // experts of a row
	MLP        MLPConfig // of each expert
	RouterBias bool

	// KeepShares leaves the weights of the chosen experts as they are in the softmax over all experts. Otherwise they are scaled to sum up to 1,
	// which makes them the softmax over the chosen ones.
	KeepShares bool
	// Sigmoid makes each expert's weight the sigmoid of its score in place of the softmax over all. Of these, too, KeepShares leaves those of the chosen as they are.
	Sigmoid bool
	// ChoiceBias has experts chosen by their weights plus a vector.
	ChoiceBias bool
}

// Experts is a sparse mixture of experts (Shazeer et al., arXiv 1701.06538): of several MLPs a router chooses some for each row.
//
//	p = softmax(Wrouter·x); y = Σ p_e·mlp_e(x), over the Chosen largest
//
// Of equal experts the one with the lower index is chosen. Its tensors are name.router [Experts][Width], followed by name.router_bias and name.choice_bias
// [Experts] if there are such, and those of each expert, which start with name.expert.N; experts that no row has chosen are not read. A store best marks the tensors
// of an expert. Where weights are a [Prefetcher], the experts of all rows are asked for at once, and those that are in memory are computed
// while others are read; of a large batch all are computed in order. The sum of a row goes by the index of the experts, whatever other rows have
// chosen and whatever came first.
type Experts struct {
	ws      *Workspace
	name    string
	config  ExpertsConfig
	router  *Linear
	bias    *vector   // nil without ChoiceBias
	ranked  []float32 // scores of a row with it
	experts []*MLP
	tensors [][]string // of each expert
	ahead   Prefetcher // nil if the weights are none

	// Of the Forward under way; see [Workspace.reserve]. A use is a row and an expert that it has chosen; uses go by expert, then by row.
	ids      []int32   // [maxRows][Chosen]
	shares   []float32 // [maxRows][Chosen]
	used     []int32   // experts that some row has chosen, ascending
	begin    []int     // by element of used, its first use; and the number of uses
	rows     []int     // by use
	useShare []float32 // by use
	where    []int     // by expert, its place in used
	wanted   []string  // tensors of the experts in used
	waiting  []int     // elements of used that are to be computed
	buffered int       // uses whose outputs can be kept
}

// NewExperts returns the layer whose tensors start with name.
func NewExperts(ws *Workspace, name string, c ExpertsConfig) *Experts {
	e := &Experts{ws: ws, name: name, config: c}
	if !ws.wiring.positive(name, c.Experts, c.Chosen, c.MLP.Width) {
		return e // which NewDecoder refuses
	}
	if c.Chosen > c.Experts {
		ws.wiring.fault(name, "%d of %d experts", c.Chosen, c.Experts)
	}
	e.router = newLinear(ws, name+".router", c.Experts, c.Experts, c.MLP.Width, c.RouterBias)
	if c.ChoiceBias {
		e.bias, e.ranked = newVector(ws, name+".choice_bias", c.Experts), make([]float32, c.Experts)
	}
	for i := range c.Experts {
		before := len(ws.linears)
		mlp := NewMLP(ws, fmt.Sprintf("%s.expert.%d", name, i), c.MLP)
		e.experts, e.tensors = append(e.experts, mlp), append(e.tensors, mlp.tensors())
		for _, l := range ws.linears[before:] {
			l.experts, l.chosen, l.alike = c.Experts, c.Chosen, i > 0
		}
	}
	e.ahead, _ = ws.weights.(Prefetcher)
	n := ws.maxRows
	e.ids, e.shares = make([]int32, n*c.Chosen), make([]float32, n*c.Chosen)
	most := min(n*c.Chosen, c.Experts)
	e.used, e.waiting, e.begin = make([]int32, 0, most), make([]int, 0, most), make([]int, 0, most+1)
	e.rows, e.useShare, e.where = make([]int, n*c.Chosen), make([]float32, n*c.Chosen), make([]int, c.Experts)
	e.buffered = min(n, keptRows) * c.Chosen
	ws.reserve(&ws.routed, c.Experts)
	ws.reserve(&ws.gathered, c.MLP.Width)
	ws.reserve(&ws.expert, c.MLP.Width*((e.buffered+n-1)/max(n, 1)))
	return e
}

// Width returns the number of elements of a row.
func (e *Experts) Width() int { return e.config.MLP.Width }

// States returns nothing.
func (e *Experts) States() []State { return nil }

// Forward writes the output of each row of x to dst, both [rows.Len()][Width]. dst must not overlap x.
func (e *Experts) Forward(ctx context.Context, dst, x []float32, rows *Rows) error {
	n, ws, width := rows.Len(), e.ws, e.Width()
	if err := errors.Join(ws.checkRows(e.name, x, n, width), ws.checkRows(e.name, dst, n, width)); err != nil {
		return err
	}
	if err := e.router.Forward(ctx, ws.routed, ws.Input(x, n, width)); err != nil {
		return err
	}
	if e.bias != nil {
		if err := e.bias.read(ctx); err != nil {
			return err
		}
	}
	for i := range n {
		e.choose(i)
	}
	e.collect(n)
	e.prefetch(rows)
	clear(dst)
	if len(e.rows) > e.buffered {
		for i := range e.used {
			if err := e.compute(ctx, i, 0, x); err != nil {
				return err
			}
			e.add(dst, i, 0)
		}
		return nil
	}
	for len(e.waiting) > 0 {
		next := e.ready()
		i := e.waiting[next]
		e.waiting = slices.Delete(e.waiting, next, next+1)
		if err := e.compute(ctx, i, e.begin[i], x); err != nil {
			return err
		}
	}
	for i := range e.used {
		e.add(dst, i, e.begin[i])
	}
	return nil
}

// keptRows is the most rows for which the outputs of all experts are kept until they are summed up.
const keptRows = 64

// smallestSum is added to the sum of shares, which is divided by.
const smallestSum = 1e-6

// choose finds the experts of row i and their shares.
func (e *Experts) choose(i int) {
	c, set := &e.config, e.ws.Kernels()
	scores := e.ws.routed[i*c.Experts : (i+1)*c.Experts]
	ids, shares := e.ids[i*c.Chosen:(i+1)*c.Chosen], e.shares[i*c.Chosen:(i+1)*c.Chosen]
	switch {
	case c.Sigmoid:
		for j, score := range scores {
			scores[j] = float32(1 / (1 + math.Exp(-float64(score))))
		}
	case c.KeepShares:
		set.Softmax(scores)
	}
	ranked := scores
	if e.bias != nil {
		ranked = e.ranked
		copy(ranked, scores)
		set.Add(ranked, e.bias.values)
	}
	found := set.TopK(ids, shares, ranked)
	for j, id := range ids[:found] {
		shares[j] = scores[id]
	}
	switch {
	case c.KeepShares:
	case c.Sigmoid:
		sum := float32(smallestSum)
		for _, share := range shares[:found] {
			sum += share
		}
		set.Scale(shares[:found], 1/sum)
	default:
		set.Softmax(shares[:found])
	}
	for j := found; j < c.Chosen; j++ { // scores that are no numbers
		ids[j] = -1
	}
}

// collect finds the uses of experts by n rows.
func (e *Experts) collect(n int) {
	ids := e.ids[:n*e.config.Chosen]
	clear(e.where)
	for _, id := range ids {
		if id >= 0 {
			e.where[id]++ // how many uses it has
		}
	}
	e.used, e.begin, e.waiting = e.used[:0], e.begin[:0], e.waiting[:0]
	total := 0
	for id, count := range e.where {
		if count > 0 {
			e.where[id] = len(e.used)
			e.used, e.begin, e.waiting = append(e.used, int32(id)), append(e.begin, total), append(e.waiting, len(e.used))
			total += count
		}
	}
	e.begin = append(e.begin, total)
	e.rows, e.useShare = e.rows[:total], e.useShare[:total]
	for i, id := range ids {
		if id >= 0 {
			use := &e.begin[e.where[id]]
			e.rows[*use], e.useShare[*use] = i/e.config.Chosen, e.shares[i]
			*use++
		}
	}
	copy(e.begin[1:], e.begin) // which are now the ends
	e.begin[0] = 0
}

// mostUses is the number of rows for which those of a large batch count in how often an expert was used: few enough that those after it soon count more.
const mostUses = 24

// prefetch tells the weights which experts come next and how many rows use them, and counts, by row, those that have to be read.
func (e *Experts) prefetch(rows *Rows) {
	if e.ahead == nil {
		return
	}
	e.wanted = e.wanted[:0]
	for i, expert := range e.used {
		uses := e.begin[i+1] - e.begin[i]
		for range uses*min(rows.Len(), mostUses)/rows.Len() - 1 {
			e.wanted = append(e.wanted, e.tensors[expert][0])
		}
		e.wanted = append(e.wanted, e.tensors[expert]...)
		if !e.isReady(i) {
			e.ws.countCold(rows.Pending[e.rows[e.begin[i]]])
		}
	}
	e.ahead.Prefetch(e.wanted)
}

// isReady reports whether an element of used is in memory.
func (e *Experts) isReady(i int) bool {
	for _, name := range e.tensors[e.used[i]] {
		if !e.ahead.Ready(name) {
			return false
		}
	}
	return true
}

// ready returns the index in waiting of the first expert that is in memory; if none is, of the first.
func (e *Experts) ready() int {
	if e.ahead != nil {
		if i := slices.IndexFunc(e.waiting, e.isReady); i > 0 {
			return i
		}
	}
	return 0
}

// compute has an element of used compute its rows of x, to where the outputs of uses from the given one on are kept.
func (e *Experts) compute(ctx context.Context, i, from int, x []float32) error {
	width := e.Width()
	rows := e.rows[e.begin[i]:e.begin[i+1]]
	in, out := e.ws.gathered[:len(rows)*width], e.ws.expert[from*width:][:len(rows)*width]
	for j, row := range rows {
		copy(in[j*width:(j+1)*width], x[row*width:])
	}
	return e.experts[e.used[i]].forward(ctx, out, in, len(rows))
}

// add adds to dst what compute has put there.
func (e *Experts) add(dst []float32, i, from int) {
	width, set := e.Width(), e.ws.Kernels()
	for j, row := range e.rows[e.begin[i]:e.begin[i+1]] {
		y := e.ws.expert[(from+j)*width:][:width]
		set.Scale(y, e.useShare[e.begin[i]+j])
		set.Add(dst[row*width:(row+1)*width], y)
	}
}
