package layers

import (
	"context"
	"errors"
	"fmt"
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
}

// Experts is a sparse mixture of experts (Shazeer et al., arXiv 1701.06538): of several MLPs a router chooses some for each row.
//
//	p = softmax(Wrouter·x); y = Σ p_e·mlp_e(x), over the Chosen largest
//
// Of equal experts the one with the lower index is chosen. Its tensors are name.router [Experts][Width], followed by name.router_bias if there is one,
// and those of each expert, which start with name.expert.N; experts that no row has chosen are not read. A store best marks the tensors
// of an expert. The sum of a row goes by the index of the experts, whatever other rows have chosen.
type Experts struct {
	ws      *Workspace
	name    string
	config  ExpertsConfig
	router  *Linear
	experts []*MLP
	tensors [][]string // of each expert
	ahead   Prefetcher // nil if the weights are none

	// Of the Forward under way; see [Workspace.reserve].
	ids     []int32   // [maxRows][Chosen]
	shares  []float32 // [maxRows][Chosen]
	used    []int32   // experts that some row has chosen, ascending
	wanted  []string  // their tensors
	rows    []int     // that have chosen the expert at work
	shareOf []float32 // the share of that expert in each of them
}

// NewExperts returns the layer whose tensors start with name.
func NewExperts(ws *Workspace, name string, c ExpertsConfig) *Experts {
	e := &Experts{ws: ws, name: name, config: c}
	if !ws.wiring.positive(name, c.Experts, c.Chosen, c.MLP.Width) {
		return e // which Assemble refuses
	}
	if c.Chosen > c.Experts {
		ws.wiring.fault(name, "%d of %d experts", c.Chosen, c.Experts)
	}
	e.router = newLinear(ws, name+".router", c.Experts, c.Experts, c.MLP.Width, c.RouterBias)
	for i := range c.Experts {
		mlp := NewMLP(ws, fmt.Sprintf("%s.expert.%d", name, i), c.MLP)
		e.experts, e.tensors = append(e.experts, mlp), append(e.tensors, mlp.tensors())
	}
	e.ahead, _ = ws.weights.(Prefetcher)
	n := ws.maxRows
	e.ids, e.shares = make([]int32, n*c.Chosen), make([]float32, n*c.Chosen)
	e.used = make([]int32, 0, n*c.Chosen)
	e.rows, e.shareOf = make([]int, 0, n), make([]float32, 0, n)
	ws.reserve(&ws.routed, c.Experts)
	ws.reserve(&ws.gathered, c.MLP.Width)
	ws.reserve(&ws.expert, c.MLP.Width)
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
	for i := range n {
		e.choose(i)
	}
	e.collect(n)
	clear(dst)
	for _, expert := range e.used {
		e.gather(expert, x, n)
		if err := e.experts[expert].forward(ctx, ws.expert[:len(e.rows)*width], ws.gathered[:len(e.rows)*width], len(e.rows)); err != nil {
			return err
		}
		e.scatter(dst)
	}
	return nil
}

// choose finds the experts of row i and their shares.
func (e *Experts) choose(i int) {
	c, set := &e.config, e.ws.Kernels()
	scores := e.ws.routed[i*c.Experts : (i+1)*c.Experts]
	ids, shares := e.ids[i*c.Chosen:(i+1)*c.Chosen], e.shares[i*c.Chosen:(i+1)*c.Chosen]
	if c.KeepShares {
		set.Softmax(scores)
	}
	found := set.TopK(ids, shares, scores)
	if !c.KeepShares {
		set.Softmax(shares[:found])
	}
	for j := found; j < c.Chosen; j++ { // scores that are no numbers
		ids[j] = -1
	}
}

// collect finds the experts that some of n rows have chosen, and tells the weights that they come next.
func (e *Experts) collect(n int) {
	e.used = append(e.used[:0], e.ids[:n*e.config.Chosen]...)
	slices.Sort(e.used)
	e.used = slices.Compact(e.used)
	if len(e.used) > 0 && e.used[0] < 0 { // no expert
		e.used = slices.Delete(e.used, 0, 1)
	}
	if e.ahead == nil {
		return
	}
	e.wanted = e.wanted[:0]
	for _, expert := range e.used {
		e.wanted = append(e.wanted, e.tensors[expert]...)
	}
	e.ahead.Prefetch(e.wanted)
}

// gather collects the rows that have chosen an expert.
func (e *Experts) gather(expert int32, x []float32, n int) {
	width, chosen := e.Width(), e.config.Chosen
	e.rows, e.shareOf = e.rows[:0], e.shareOf[:0]
	for i := range n {
		for j, id := range e.ids[i*chosen : (i+1)*chosen] {
			if id == expert {
				copy(e.ws.gathered[len(e.rows)*width:(len(e.rows)+1)*width], x[i*width:(i+1)*width])
				e.rows, e.shareOf = append(e.rows, i), append(e.shareOf, e.shares[i*chosen+j])
			}
		}
	}
}

// scatter adds what the expert made of the rows.
func (e *Experts) scatter(dst []float32) {
	width, set := e.Width(), e.ws.Kernels()
	for i, row := range e.rows {
		y := e.ws.expert[i*width : (i+1)*width]
		set.Scale(y, e.shareOf[i])
		set.Add(dst[row*width:(row+1)*width], y)
	}
}
