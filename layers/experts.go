package layers

import (
	"context"
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

	// Of the pass under way.
	routes   [groups]routes
	where    []int    // by expert, its place in used
	wanted   []string // tensors of the experts in used
	buffered int      // uses whose outputs can be kept
}

// routes are where the router has sent a group of rows. A use is a row and an expert that it has chosen; uses go by expert, then by row.
type routes struct {
	ids      []int32   // [rows][Chosen]
	shares   []float32 // [rows][Chosen]
	used     []int32   // experts that some row has chosen, ascending
	begin    []int     // by element of used, its first use; and the number of uses
	rows     []int     // by use
	useShare []float32 // by use
	waiting  []int     // elements of used that are to be computed
}

// newRoutes returns those of at most n rows.
func newRoutes(n int, c *ExpertsConfig) routes {
	uses, most := n*c.Chosen, min(n*c.Chosen, c.Experts)
	return routes{
		ids: make([]int32, uses), shares: make([]float32, uses), rows: make([]int, uses), useShare: make([]float32, uses),
		used: make([]int32, 0, most), waiting: make([]int, 0, most), begin: make([]int, 0, most+1),
	}
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
	e.routes, e.where = [groups]routes{newRoutes(n, &c), newRoutes(min(n, alternating), &c)}, make([]int, c.Experts)
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
	if err := e.route(ctx, 0, x, rows); err != nil {
		return err
	}
	return e.mix(ctx, 0, dst, x)
}

// route finds the experts of each row of x, which are those of a group, and asks for them.
func (e *Experts) route(ctx context.Context, group int, x []float32, rows *Rows) error {
	n, ws, width := rows.Len(), e.ws, e.Width()
	if err := ws.checkRows(e.name, x, n, width); err != nil {
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
	r := &e.routes[group]
	for i := range n {
		e.choose(r, i)
	}
	e.collect(r, n)
	e.prefetch(group, rows)
	return nil
}

// mix writes to dst the output of each row of x, for which route was called.
func (e *Experts) mix(ctx context.Context, group int, dst, x []float32) error {
	if err := e.ws.checkRows(e.name, dst, len(x)/e.Width(), e.Width()); err != nil {
		return err
	}
	r := &e.routes[group]
	clear(dst)
	if len(r.rows) > e.buffered {
		for i := range r.used {
			if err := e.compute(ctx, r, i, 0, x); err != nil {
				return err
			}
			e.add(dst, r, i, 0)
		}
		return nil
	}
	for len(r.waiting) > 0 {
		next := e.ready(r)
		i := r.waiting[next]
		r.waiting = slices.Delete(r.waiting, next, next+1)
		if err := e.compute(ctx, r, i, r.begin[i], x); err != nil {
			return err
		}
	}
	for i := range r.used {
		e.add(dst, r, i, r.begin[i])
	}
	return nil
}

// keptRows is the most rows for which the outputs of all experts are kept until they are summed up.
const keptRows = 64

// smallestSum is added to the sum of shares, which is divided by.
const smallestSum = 1e-6

// choose finds the experts of row i and their shares.
func (e *Experts) choose(r *routes, i int) {
	c, set := &e.config, e.ws.Kernels()
	scores := e.ws.routed[i*c.Experts : (i+1)*c.Experts]
	ids, shares := r.ids[i*c.Chosen:(i+1)*c.Chosen], r.shares[i*c.Chosen:(i+1)*c.Chosen]
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
func (e *Experts) collect(r *routes, n int) {
	ids := r.ids[:n*e.config.Chosen]
	clear(e.where)
	for _, id := range ids {
		if id >= 0 {
			e.where[id]++ // how many uses it has
		}
	}
	r.used, r.begin, r.waiting = r.used[:0], r.begin[:0], r.waiting[:0]
	total := 0
	for id, count := range e.where {
		if count > 0 {
			e.where[id] = len(r.used)
			r.used, r.begin, r.waiting = append(r.used, int32(id)), append(r.begin, total), append(r.waiting, len(r.used))
			total += count
		}
	}
	r.begin = append(r.begin, total)
	r.rows, r.useShare = r.rows[:total], r.useShare[:total]
	for i, id := range ids {
		if id >= 0 {
			use := &r.begin[e.where[id]]
			r.rows[*use], r.useShare[*use] = i/e.config.Chosen, r.shares[i]
			*use++
		}
	}
	copy(r.begin[1:], r.begin) // which are now the ends
	r.begin[0] = 0
}

// mostUses is the number of rows for which those of a large batch count in how often an expert was used: few enough that those after it soon count more.
const mostUses = 24

// prefetch tells the weights which experts come next and how many rows use them, and counts, by row, those that have to be read.
func (e *Experts) prefetch(group int, rows *Rows) {
	if e.ahead == nil {
		return
	}
	r := &e.routes[group]
	e.ws.experts += len(r.rows)
	e.wanted = e.wanted[:0]
	for i, expert := range r.used {
		uses := r.begin[i+1] - r.begin[i]
		for range uses*min(rows.Len(), mostUses)/rows.Len() - 1 {
			e.wanted = append(e.wanted, e.tensors[expert][0])
		}
		e.wanted = append(e.wanted, e.tensors[expert]...)
		if !e.isReady(r, i) && !(group > 0 && slices.Contains(e.routes[0].used, expert)) { // which is on its way
			e.ws.countCold(rows.Pending[r.rows[r.begin[i]]])
		}
	}
	e.ahead.Prefetch(e.wanted)
}

// isReady reports whether an element of used is in memory.
func (e *Experts) isReady(r *routes, i int) bool {
	for _, name := range e.tensors[r.used[i]] {
		if !e.ahead.Ready(name) {
			return false
		}
	}
	return true
}

// ready returns the index in waiting of the first expert that is in memory; if none is, of the first.
func (e *Experts) ready(r *routes) int {
	if e.ahead != nil {
		if i := slices.IndexFunc(r.waiting, func(i int) bool { return e.isReady(r, i) }); i > 0 {
			return i
		}
	}
	return 0
}

// compute has an element of used compute its rows of x, to where the outputs of uses from the given one on are kept.
func (e *Experts) compute(ctx context.Context, r *routes, i, from int, x []float32) error {
	width := e.Width()
	rows := r.rows[r.begin[i]:r.begin[i+1]]
	in, out := e.ws.gathered[:len(rows)*width], e.ws.expert[from*width:][:len(rows)*width]
	for j, row := range rows {
		copy(in[j*width:(j+1)*width], x[row*width:])
	}
	return e.experts[r.used[i]].forward(ctx, out, in, len(rows))
}

// add adds to dst what compute has put there.
func (e *Experts) add(dst []float32, r *routes, i, from int) {
	width, set := e.Width(), e.ws.Kernels()
	for j, row := range r.rows[r.begin[i]:r.begin[i+1]] {
		y := e.ws.expert[(from+j)*width:][:width]
		set.Scale(y, r.useShare[r.begin[i]+j])
		set.Add(dst[row*width:(row+1)*width], y)
	}
}
