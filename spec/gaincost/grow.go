package gaincost

import (
	"context"
	"slices"

	"github.com/lever-go/lever/spec"
)

// grower grows the tree of one pass, best first. Its objective is gain(T) = 1 + Σ p̂(v), the expected number of
// tokens of the pass, against cost(T), its time; p̂(v) is the product of â along v's path. It maximises gain - rate · cost,
// where rate is the number of tokens per second that can be had otherwise: with the rate of the best policy itself, that
// maximises the ratio of all gains to all costs (Dinkelbach), where the best ratio of each pass by itself would stop too late
// in passes that go badly and too early in those that go well.
//
// As a child's p̂ is never above its parent's, the n candidates of the largest p̂ form a tree, which has the largest gain of
// all trees of n nodes that can be made of them; where cost depends on n alone, the best tree is one of these. All n are looked
// at, so the steps of padded batches need no care. With experts the cost of a node depends a little on its place, too; of the same trees the best is
// taken then.
type grower struct {
	model   *CostModel
	learned *Estimator
	lookup  *Lookup // or nil
	nodes   int     // at most, besides the root; 0 = as many as can be verified

	sequence []int32 // borrowed
	tree     *spec.Tree
	limit    int     // of nodes
	rate     float64 // tokens per second
	plain    float64 // seconds of a plain pass
	most     float64 // seconds that the pass may take besides those of a plain pass for each token that is as good as certain, beyond which only plain decoding is left
	doubt    float64 // tokens that a tree must be expected to bring beyond what else could be had in its time
	drafting float64 // predicted seconds of the draft forwards so far

	chance   []float64 // of each node: p̂
	given    []float64 // of each node: â, the chance given its parent
	best     ranking   // of the nodes but the root
	looked   int       // nodes for which look-up is done
	suffixes []Suffix  // of these, with a lookup

	wide bool // the draft model was asked about several tokens at once

	found    []Continuation
	ids      []int32
	probs    []float32
	frontier []int
	outlook  ranking // best, and what a wave can be expected to add to it
	keep     []int
}

// start begins a tree that has its root only.
func (g *grower) start(sequence []int32, tree *spec.Tree) {
	tree.Explore()
	g.sequence, g.tree, g.limit = sequence, tree, tree.Budget()
	if g.nodes > 0 {
		g.limit = min(g.limit, g.nodes)
	}
	g.chance, g.given, g.best = append(g.chance[:0], 1), append(g.given[:0], 1), g.best[:0]
	g.looked, g.drafting, g.wide = 0, 0, false
	if g.lookup != nil {
		g.suffixes = append(g.suffixes[:0], g.lookup.Follow(sequence))
	}
}

// likelyChance is the p̂ below which a node is not worth a look-up.
const likelyChance = 0.05

// lookUp offers what costs no draft after the nodes that are new, and after those that this adds: the tokens that must follow, and after the
// nodes that are likely enough what look-up finds.
func (g *grower) lookUp() error {
	for ; g.looked < g.tree.Len(); g.looked++ {
		node := g.looked
		if g.lookup != nil && node > 0 {
			g.suffixes = append(g.suffixes, g.lookup.After(g.suffixes[g.tree.Parents()[node]], g.tree.Tokens()[node]))
		}
		if g.tree.Full(node) || g.chance[node] < likelyChance {
			continue
		}
		forced, err := g.tree.OfferForced(node)
		if err == nil && forced {
			err = g.weigh(node)
		} else if err == nil && g.lookup != nil {
			err = g.lookUpNode(node)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *grower) lookUpNode(node int) error {
	g.found = g.lookup.Next(g.found[:0], g.suffixes[node])
	if len(g.found) == 0 {
		return nil
	}
	for _, source := range [...]spec.Source{spec.FromNGram, spec.FromHistory} {
		g.ids, g.probs = g.ids[:0], g.probs[:0]
		for _, c := range g.found {
			if c.Source == source {
				g.ids, g.probs = append(g.ids, c.Token), append(g.probs, c.Prob)
			}
		}
		if len(g.ids) > 0 {
			if err := g.tree.Offer(node, source, g.ids, g.probs); err != nil {
				return err
			}
		}
	}
	return g.weigh(node)
}

// expand drafts a wave of nodes, and what follows each of them up to reach places further on.
func (g *grower) expand(ctx context.Context, draft *spec.Draft, nodes []int, candidates, reach int) error {
	rows := len(nodes) * reach
	if nodes[0] == 0 {
		rows += draft.Unseen() // tokens that the draft model has not seen
	}
	g.drafting += g.model.Forward(rows)
	g.model.Drafted(rows)
	if err := draft.ExpandAhead(ctx, nodes, candidates, reach); err != nil {
		return err
	}
	for _, node := range nodes {
		if err := g.weigh(node); err != nil {
			return err
		}
	}
	if reach > 1 {
		g.wide = true
	}
	if err := g.lookUp(); err != nil || !g.wide {
		return err
	}
	return g.lookAhead(draft)
}

// lookAhead offers what masks predict after the nodes that are likely enough, and after those that this adds.
func (g *grower) lookAhead(draft *spec.Draft) error {
	for node := 1; node < g.tree.Len(); node++ {
		if g.chance[node] < likelyChance || g.tree.Full(node) {
			continue
		}
		if !draft.OfferAhead(node) {
			continue
		}
		if err := g.weigh(node); err != nil {
			return err
		}
	}
	return g.lookUp()
}

// weigh estimates the candidates after a node, where it got a new set of them, and adds those to the tree that may be among
// the best.
func (g *grower) weigh(node int) error {
	t := g.tree
	had := !t.IsLeaf(node)
	for c := range t.Children(node) { // one that no set has any more is not expected
		g.given[c] = 0
	}
	total := 0.0
	for set := range t.SetsOf(node) {
		for rank, token := range set.Tokens {
			given := g.estimate(set, rank)
			total += given
			if c := t.Child(node, token); c >= 0 && given > 0 {
				g.given[c] = given
			}
		}
	}
	// The target picks one token only. But estimates err to both sides, so that cutting all sums at 1 would leave too little.
	const most = 1.2
	scale := 1.0
	if total > most {
		scale = most / total
	}
	for c := range t.Children(node) {
		g.given[c] *= scale
	}
	if had {
		g.reweigh()
	}
	if t.Full(node) {
		return nil
	}
	for set := range t.SetsOf(node) {
		for rank, token := range set.Tokens {
			given := scale * g.estimate(set, rank)
			if chance := given * g.chance[node]; g.promising(chance) && t.Child(node, token) < 0 {
				child, err := t.Add(node, token, set.Probs[rank])
				if err != nil {
					return err
				}
				g.chance, g.given = append(g.chance, chance), append(g.given, given)
				g.best.insert(ranked{chance, child, isSibling(t, child)}, g.limit)
			}
		}
	}
	return nil
}

// estimate returns â of a candidate.
func (g *grower) estimate(set *spec.CandidateSet, rank int) float64 {
	return g.learned.Estimate(g.tree, set, rank)
}

// promising reports whether a candidate of this chance would be among the best.
func (g *grower) promising(chance float64) bool {
	return len(g.best) < g.limit || g.limit > 0 && chance > g.best[g.limit-1].chance
}

// reweigh computes all chances anew from those given the parents.
func (g *grower) reweigh() {
	g.best = g.best[:0]
	for node := 1; node < len(g.chance); node++ {
		g.chance[node] = g.chance[g.tree.Parents()[node]] * g.given[node]
		g.best.insert(ranked{g.chance[node], node, isSibling(g.tree, node)}, g.limit)
	}
}

// ranking holds the nodes of the largest p̂, the largest first, and those that came first among equals: with the parent of
// each, as it comes before its children.
type ranking []ranked

type ranked struct {
	chance float64
	node   int
	later  bool // its parent has a child before it
}

// insert adds x to a ranking that keeps at most limit of all.
func (r *ranking) insert(x ranked, limit int) {
	if len(*r) < limit {
		*r = append(*r, ranked{})
	} else if limit == 0 || (*r)[limit-1].chance >= x.chance {
		return
	}
	s := *r
	at := len(s) - 1
	for ; at > 0 && s[at-1].chance < x.chance; at-- {
		s[at] = s[at-1]
	}
	s[at] = x
}

// certain is the p̂ from which a token is as good as certain.
const certain = 0.9

// value is what a pass of this many rows is worth that reads so many experts, or false if it may not take that long. So many of its tokens are certain.
func (g *grower) value(rows int, drafting, gain, cold float64, sure int) (float64, bool) {
	seconds := g.model.fairPass(rows, drafting, gain) + cold*g.model.cold.each(rows)
	return gain - g.rate*seconds, seconds <= g.most+float64(sure)*g.plain
}

// size returns the number of the first nodes of a ranking that makes the best tree, and its value. The root alone is always
// allowed, and taken unless a tree is better by more than doubt.
func (g *grower) size(r ranking, drafting float64) (nodes int, value float64) {
	gain, cold, sure := 1.0, g.model.cold.row(0, false), 0
	value, _ = g.value(1, drafting, gain, cold, sure)
	value += g.doubt
	for i, x := range r {
		gain += x.chance
		cold += g.model.cold.row(i+1, x.later)
		if x.chance >= certain {
			sure = i + 1
		}
		if v, allowed := g.value(i+2, drafting, gain, cold, sure); allowed && v > value {
			nodes, value = i+1, v
		}
	}
	return nodes, value
}

// maxWave is the largest number of nodes in a draft forward.
const maxWave = 16

// wave returns the nodes to draft from next: those of the largest p̂ whose children can be expected to be worth more than the
// draft forward that finds them takes. hits are the chances of a draft's first candidates.
func (g *grower) wave(draft *spec.Draft, hits []float64) []int {
	g.frontier, g.outlook = g.frontier[:0], append(g.outlook[:0], g.best...)
	_, value := g.size(g.best, g.drafting)
	chosen := 0
	for _, x := range g.best {
		if draft.Expanded(x.node) || g.tree.Full(x.node) || draft.Full(x.node) {
			continue
		}
		g.frontier = append(g.frontier, x.node)
		if g.wide { // what masks have found after the node is found anew
			g.outlook = slices.DeleteFunc(g.outlook, func(y ranked) bool { return y.node > 0 && int(g.tree.Parents()[y.node]) == x.node })
		}
		if _, forced := g.tree.Set(x.node, spec.FromConstraint); !forced {
			g.expect(&g.outlook, x.chance, hits)
		}
		n := len(g.frontier)
		switch n {
		case 1, 2, 3, 4, 6, 8, 12, maxWave:
			if _, v := g.size(g.outlook, g.drafting+g.model.Forward(n)); v > value {
				chosen, value = n, v
			}
		}
		if n == maxWave {
			break
		}
	}
	return g.frontier[:chosen]
}

// expect adds to a ranking what can be expected after a node of some chance, and returns the chance of the first candidate.
func (g *grower) expect(r *ranking, chance float64, hits []float64) float64 {
	for rank, hit := range hits {
		r.insert(ranked{chance * hit, -1, rank > 0}, g.limit)
	}
	return chance * hits[0]
}

// reaches are the numbers of tokens ahead that may be asked for, as far as the draft model can tell them.
var reaches = [...]int{2, 4, 8, 16}

// reach returns how many tokens ahead of the root to draft. masks are the chances of the first candidate of each mask. To look ahead must be
// worth more than to draft from the likeliest node wave by wave, which knows the tokens between. Other nodes are not worth a look ahead: for
// them there are masks of the root already.
func (g *grower) reach(hits, masks []float64) int {
	best, most := 1, g.waveByWave(hits, len(masks))
	for _, reach := range reaches {
		if reach > 1+len(masks) || reach > 1+g.tree.Budget() {
			break
		}
		g.outlook = append(g.outlook[:0], g.best...)
		chance := g.expect(&g.outlook, 1, hits)
		for i := range reach - 1 {
			chance = g.expect(&g.outlook, chance, masks[i:i+1])
		}
		if _, v := g.size(g.outlook, g.drafting+g.model.Forward(reach)); v > most {
			best, most = reach, v
		}
	}
	return best
}

// waveByWave returns what the tree can be expected to be worth if the root is drafted from and then the first candidate of each wave, at most
// so many times as long as that pays.
func (g *grower) waveByWave(hits []float64, waves int) float64 {
	g.outlook = append(g.outlook[:0], g.best...)
	drafting := g.drafting + g.model.Forward(1)
	chance := g.expect(&g.outlook, 1, hits)
	_, most := g.size(g.outlook, drafting)
	for range waves {
		chance = g.expect(&g.outlook, chance, hits)
		drafting += g.model.Forward(1)
		_, v := g.size(g.outlook, drafting)
		most = max(most, v)
	}
	return most
}

// finish reduces the tree to the given number of its best nodes and returns its gain.
func (g *grower) finish(nodes int) (gain float64, err error) {
	g.keep, gain = g.keep[:0], 1
	for _, x := range g.best[:nodes] {
		g.keep = append(g.keep, x.node)
		gain += x.chance
	}
	slices.Sort(g.keep)
	return gain, g.tree.Select(g.keep)
}
