package earlyexit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lever-go/lever/layers"
	"github.com/lever-go/lever/spec"
	"github.com/lever-go/lever/spec/gaincost"
)

// Predictor guesses the target's next token from its hidden states after one of its layers; *layers.Predictor is one.
type Predictor interface {
	// Layer returns the layer after which the predictor looks, counted from 0.
	Layer() int
	// Vocab returns the number of tokens that it can score.
	Vocab() int
	// Blend returns the weights of it and of the draft to begin with.
	Blend() layers.BlendWeights
	// Look takes in the given rows of hidden, [any][width].
	Look(hidden []float32, rows []int)
	// Score writes the logits of tokens after the i-th row of the latest Look to dst, [len(tokens)+1], and, as the last, that of another
	// token than these.
	Score(dst []float32, i int, tokens []int32)
}

// Options describe a [Pruner].
type Options struct {
	// Predictors look at different layers.
	Predictors []Predictor
	// Layers is the number of the target's layers.
	Layers int
	// Loss is the part of the expected accepted nodes of a tree that may be given up: above 0 for some, 1 to leave nothing but one path
	// down from the root. 0 leaves it to the policy: a node goes if what it may gain is worth less than the time that its row takes in
	// the remaining layers. Policies that do not know what a pass is worth then have nothing pruned.
	Loss float64
}

// Pricer is a policy that knows what the pass that it has grown a tree for is worth, which depends on what is pruned.
type Pricer interface {
	// Worth returns the value of the pass, in tokens: those that it is expected to add, of which there are gain, less those that could be had
	// in the same time otherwise. cuts say how many rows go on where.
	Worth(cuts []spec.Cut, gain float64) float64
}

// Pruner prunes a tree by what the target's own hidden states say of its nodes half-way: the early exit of "Lever: Speculative LLM
// Inference on Smartphones" (arXiv 2605.16786). At an exit layer, the state of a node scores the candidates after it, those of all its
// [spec.CandidateSet]s, shadow candidates included, and the chance that it is none of them. Their chances combine the predictor's softmax over
// the set with what the draft said of them; the product along a path is the chance that the target accepts it. Nodes are dropped from the
// lowest chance up, as far as [Options] allow. The path of the best candidate at each node, down from the root, always stays.
//
// How much to believe predictor and draft is learned from what the target accepts, and so is how often it would have accepted what was
// dropped. What is learned stays for later generations. Where the policy decides, states are looked at only where dropping all nodes would be worth a tenth
// of a pass, and seldom where looks have gained less than their time. A Pruner serves one [spec.Generator] at a time, and is an [spec.Observer]. After the first
// passes it does not allocate.
type Pruner struct {
	options Options
	exits   []exit
	layers  []int
	learned gaincost.Estimator

	tree   *spec.Tree
	pricer Pricer     // the policy; nil if it is none
	cuts   []spec.Cut // of the pass so far

	seconds float64       // that the policy expects of the pass; 0 if it does not tell
	took    time.Duration // by looking in this pass
	spared  float64       // by it, as a part of the worth of the pass's tokens
	brought float64       // by looks of late: what they spared, less the part of the pass that they took
	idle    int           // passes without a look, though one could have paid

	sets     []choice  // what each inner node's children are chosen from, in the order of nodes
	setOf    []int     // by node: index in sets, or -1
	tokens   []int32   // of sets, one after the other, anotherToken behind each
	priors   []float64 // log â of each
	order    []int     // nodes by chance
	stays    []bool    // by node
	rows     []int
	logits   []float32
	strength []float64
}

// exit is one place at which nodes are dropped.
type exit struct {
	predictor   Predictor
	blend       blend
	calibration calibration
	chances     []float64 // by node, in the latest pass
	scores      []float64 // log of the softmax in each choice, as Pruner.tokens; NaN where the node was gone by then
	looked      bool      // in this pass
	dropped     []int
}

// choice is the union of the candidate sets of a node and its children: the target picks one of these tokens, or another.
type choice struct {
	node       int
	begin, end int // in Pruner.tokens, the last of which stands for all other tokens
}

// anotherToken stands for the tokens that are no candidates.
const anotherToken = -1

// New checks the options and returns a Pruner.
func New(o Options) (*Pruner, error) {
	if len(o.Predictors) == 0 {
		return nil, errors.New("earlyexit: no predictor")
	}
	if !(o.Loss >= 0 && o.Loss <= 1) {
		return nil, fmt.Errorf("earlyexit: loss of %v is not from 0 to 1", o.Loss)
	}
	e := &Pruner{options: o}
	sorted := slices.SortedFunc(slices.Values(o.Predictors), func(a, b Predictor) int { return a.Layer() - b.Layer() })
	for i, p := range sorted {
		switch layer := p.Layer(); {
		case layer < 0 || layer >= o.Layers-1:
			return nil, fmt.Errorf("earlyexit: a predictor after layer %d of %d saves nothing", layer, o.Layers)
		case i > 0 && layer == sorted[i-1].Layer():
			return nil, fmt.Errorf("earlyexit: two predictors after layer %d", layer)
		}
		e.exits = append(e.exits, exit{predictor: p, blend: newBlend(p.Blend()), calibration: newCalibration()})
		e.layers = append(e.layers, p.Layer())
	}
	return e, nil
}

// Layers returns the number of the target's layers.
func (e *Pruner) Layers() int { return e.options.Layers }

// Begin takes in the candidates of a tree.
func (e *Pruner) Begin(tree *spec.Tree, policy spec.Policy) []int {
	e.pricer, _ = policy.(Pricer)
	if e.options.Loss == 0 && e.pricer == nil {
		e.tree = nil
		return nil
	}
	e.tree, e.cuts, e.seconds = tree, e.cuts[:0], 0
	if e.options.Loss == 0 && !e.worthLooking(policy) {
		e.tree = nil
		return nil
	}
	began := time.Now()
	e.sets, e.setOf = e.sets[:0], e.setOf[:0]
	e.tokens, e.priors = e.tokens[:0], e.priors[:0]
	for node := range tree.Len() {
		e.setOf = append(e.setOf, -1)
		if !tree.IsLeaf(node) {
			e.setOf[node] = len(e.sets)
			e.sets = append(e.sets, e.choose(node))
		}
	}
	for i := range e.exits {
		e.exits[i].looked, e.exits[i].dropped = false, e.exits[i].dropped[:0]
	}
	e.took, e.spared = time.Since(began), 0
	return e.layers
}

// worthLooking reports whether to look at the states of a tree whose policy knows what its pass is worth: what could be spared at best must be worth it, and
// what looks have spared of late their time. Where it was not, one pass in many is looked at, as that may change.
func (e *Pruner) worthLooking(policy spec.Policy) bool {
	const least, seldom = 0.1, 32
	gain := 1.0
	if f, ok := policy.(spec.Forecaster); ok {
		gain, e.seconds = f.Forecast()
	}
	if !e.pays(&e.exits[0], e.tree.Len(), gain, least) {
		return false
	}
	if e.idle++; e.brought < 0 && e.idle < seldom {
		return false
	}
	e.idle = 0
	return true
}

// choose collects the candidates after a node with the chances that their sources give them, which together are no more than mostPriors,
// and what is left for other tokens.
func (e *Pruner) choose(node int) choice {
	const leastPrior, mostPriors = 1e-4, 0.98
	t, c := e.tree, choice{node: node, begin: len(e.tokens)}
	add := func(token int32, chance float64) {
		chance = max(chance, leastPrior)
		if at := slices.Index(e.tokens[c.begin:], token); at >= 0 {
			e.priors[c.begin+at] = max(e.priors[c.begin+at], chance)
			return
		}
		e.tokens, e.priors = append(e.tokens, token), append(e.priors, chance)
	}
	for set := range t.SetsOf(node) {
		for rank, token := range set.Tokens {
			add(token, e.learned.Estimate(t, set, rank))
		}
	}
	for child := range t.Children(node) {
		add(t.Tokens()[child], 0)
	}
	total := 0.0
	for _, chance := range e.priors[c.begin:] {
		total += chance
	}
	scale := min(1, mostPriors/total)
	for i := c.begin; i < len(e.tokens); i++ {
		e.priors[i] = math.Log(scale * e.priors[i])
	}
	e.tokens, e.priors = append(e.tokens, anotherToken), append(e.priors, math.Log(1-scale*total))
	c.end = len(e.tokens)
	return c
}

// Prune drops what is not worth the layers that follow.
func (e *Pruner) Prune(layer int, nodes []int, hidden []float32) ([]int, error) {
	at := slices.Index(e.layers, layer)
	if at < 0 || e.tree == nil {
		return nil, fmt.Errorf("earlyexit: nothing looks at layer %d", layer)
	}
	began := time.Now()
	x := &e.exits[at]
	e.look(x, nodes, hidden)
	e.weigh(x)
	e.chooseNodes(x, nodes)
	keep := nodes[:0]
	for _, node := range nodes {
		if e.stays[node] {
			keep = append(keep, node)
		} else {
			x.dropped = append(x.dropped, node)
		}
	}
	x.looked = true
	e.cuts = append(e.cuts, e.cut(x, len(keep)))
	e.took += time.Since(began)
	return keep, nil
}

// look scores the candidates after those of nodes that have children.
func (e *Pruner) look(x *exit, nodes []int, hidden []float32) {
	x.scores = slices.Grow(x.scores[:0], len(e.tokens))[:len(e.tokens)]
	for i := range x.scores {
		x.scores[i] = math.NaN()
	}
	e.rows = e.rows[:0]
	for i, node := range nodes {
		if e.setOf[node] >= 0 {
			e.rows = append(e.rows, i)
		}
	}
	x.predictor.Look(hidden, e.rows)
	for i, row := range e.rows {
		c := e.sets[e.setOf[nodes[row]]]
		e.logits = slices.Grow(e.logits[:0], c.end-c.begin)[:c.end-c.begin]
		x.predictor.Score(e.logits, i, e.tokens[c.begin:c.end-1])
		logSoftmax(x.scores[c.begin:c.end], e.logits)
	}
}

// logSoftmax writes the logarithm of the softmax of logits to dst.
func logSoftmax(dst []float64, logits []float32) {
	most, total := slices.Max(logits), 0.0
	for _, z := range logits {
		total += math.Exp(float64(z - most))
	}
	total = math.Log(total)
	for i, z := range logits {
		dst[i] = float64(z-most) - total
	}
}

// weigh computes the chances of all nodes at an exit. Those below a node that was not looked at keep what the draft said.
func (e *Pruner) weigh(x *exit) {
	t := e.tree
	x.chances = slices.Grow(x.chances[:0], t.Len())[:t.Len()]
	x.chances[0] = 1
	for _, c := range e.sets {
		total := e.strengths(x, c)
		for child := range t.Children(c.node) {
			i := slices.Index(e.tokens[c.begin:c.end], t.Tokens()[child])
			x.chances[child] = x.chances[c.node] * e.strength[i] / total
		}
	}
}

// strengths blends what is known of the candidates of c, into e.strength.
func (e *Pruner) strengths(x *exit, c choice) (total float64) {
	e.strength = slices.Grow(e.strength[:0], c.end-c.begin)[:c.end-c.begin]
	return x.blend.strengths(e.strength, e.priors[c.begin:c.end], x.scores[c.begin:c.end])
}

// chooseNodes marks in stays which of nodes go on.
func (e *Pruner) chooseNodes(x *exit, nodes []int) {
	t := e.tree
	e.stays = slices.Grow(e.stays[:0], t.Len())[:t.Len()]
	clear(e.stays)
	e.order = e.order[:0]
	for node := 0; node >= 0; { // the path that the predictor is surest of
		e.stays[node] = true
		e.order = append(e.order, node)
		best := -1
		for child := range t.Children(node) {
			if _, left := slices.BinarySearch(nodes, child); left && (best < 0 || x.chances[child] > x.chances[best]) {
				best = child
			}
		}
		node = best
	}
	path := len(e.order)
	for _, node := range nodes {
		if !e.stays[node] {
			e.order = append(e.order, node)
		}
	}
	// A child's chance is below its parent's, or equal, and then it comes later: with the path, the first of any number are a tree.
	slices.SortFunc(e.order[path:], func(a, b int) int {
		switch {
		case x.chances[a] > x.chances[b]:
			return -1
		case x.chances[a] < x.chances[b]:
			return 1
		}
		return a - b
	})
	for _, node := range e.order[path:e.count(x, path)] {
		e.stays[node] = true
	}
}

func (e *Pruner) cut(x *exit, rows int) spec.Cut {
	return spec.Cut{Done: float64(x.predictor.Layer()+1) / float64(e.options.Layers), Rows: rows}
}

// pays reports whether it would be worth more than a part of gain if only the root went on instead of so many rows, and nothing were lost.
func (e *Pruner) pays(x *exit, rows int, gain, part float64) bool {
	all := e.pricer.Worth(append(e.cuts, e.cut(x, rows)), gain)
	return e.pricer.Worth(append(e.cuts, e.cut(x, 1)), gain) > all+part*gain
}

// count returns how many of e.order, at least the given number, go on.
func (e *Pruner) count(x *exit, least int) int {
	all, total := len(e.order), 0.0
	for _, node := range e.order[1:] {
		total += x.chances[node]
	}
	if loss := e.options.Loss; loss > 0 {
		if loss == 1 {
			return least
		}
		// Dropped chances are summed from the lowest up.
		n, given := all, 0.0
		for n > least {
			if given += x.calibration.of(x.chances[e.order[n-1]]); given > loss*total {
				break
			}
			n--
		}
		return n
	}
	if !e.pays(x, all, 1+total, worthwhile) {
		return all
	}
	e.cuts = append(e.cuts, e.cut(x, all))
	defer func() { e.cuts = e.cuts[:len(e.cuts)-1] }()
	here := &e.cuts[len(e.cuts)-1]
	best, gain := all, 1+total
	whole := e.pricer.Worth(e.cuts, gain)
	worth := whole + worthwhile*gain
	for n := all - 1; n >= least; n-- {
		gain -= x.calibration.of(x.chances[e.order[n]])
		here.Rows = n
		if v := e.pricer.Worth(e.cuts, gain); v > worth {
			best, worth = n, v
		}
	}
	if best < all {
		e.spared += (worth - whole) / (1 + total)
	}
	return best
}

// worthwhile is the part of a pass's tokens below which pruning is not worth the risk that the estimates are wrong.
const worthwhile = 0.01

// Chance returns the chance that a predictor after layer gave a node of the latest pass to be accepted by the target.
func (e *Pruner) Chance(layer, node int) float64 {
	return e.exits[slices.Index(e.layers, layer)].chances[node]
}

// picked returns the index in a choice of the token that the target picked.
func (e *Pruner) picked(c choice, token int32) int {
	if at := slices.Index(e.tokens[c.begin:c.end], token); at >= 0 {
		return at
	}
	return c.end - c.begin - 1
}

// Choice is what the target picked from after a node that it accepted.
type Choice struct {
	Node   int
	Tokens []int32   // candidates
	Priors []float64 // log â of each, and of another token than these
	Picked int       // index in Priors
}

// Choices calls yield for what the target picked from in the latest pass, which Observe was not told of yet. Slices are borrowed until then.
func (e *Pruner) Choices(o spec.Observation, yield func(Choice)) {
	if e.tree == nil {
		return
	}
	for i, node := range o.Path {
		if e.setOf[node] >= 0 {
			c := e.sets[e.setOf[node]]
			yield(Choice{node, e.tokens[c.begin : c.end-1], e.priors[c.begin:c.end], e.picked(c, o.Token(i))})
		}
	}
}

// Observe learns from a pass.
func (e *Pruner) Observe(o spec.Observation) {
	if e.tree == nil {
		return
	}
	defer func() { e.tree = nil }() // not every pass begins here
	e.learned.Learn(&o)
	if e.seconds > 0 {
		const window = 16
		e.brought += (e.spared - e.took.Seconds()/e.seconds - e.brought) / window
	}
	for i, node := range o.Path {
		if e.setOf[node] < 0 {
			continue
		}
		c := e.sets[e.setOf[node]]
		picked := e.picked(c, o.Token(i))
		for at := range e.exits {
			x := &e.exits[at]
			if !x.looked || math.IsNaN(x.scores[c.begin]) {
				continue
			}
			total := e.strengths(x, c)
			x.blend.learn(e.priors[c.begin:c.end], x.scores[c.begin:c.end], picked, e.strength, total)
			for _, child := range x.dropped {
				if int(e.tree.Parents()[child]) == node {
					x.calibration.learn(x.chances[child]/x.chances[node], e.tree.Tokens()[child] == o.Token(i))
				}
			}
		}
	}
}
