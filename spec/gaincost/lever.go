package gaincost

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/lever-go/lever/spec"
)

// LeverKind describes [Lever]. Its trees seldom use the whole budget.
var LeverKind = spec.PolicyKind{Name: "lever", Budget: 64, Draft: spec.DraftOptional, New: func(budget int) (spec.Policy, error) {
	return NewLever(LeverOptions{Budget: budget})
}}

// LeverOptions describe a [Lever]. The zero value has no profile of the machine and looks up n-grams.
type LeverOptions struct {
	// Costs are what a profile of the machine says; what they leave out is measured during the first passes.
	Costs Costs
	// Quantile, if above 0, makes trees for passes that read as slowly as at most this part of them does not exceed, instead of
	// for the average over fast and slow ones. Near 1 it favours a steady pace over a high one.
	Quantile float64
	// Budget is the most nodes of a tree besides its root. If it is 0, as many as can be verified.
	Budget int
	// Candidates of each node that the draft model expands. The default is 8.
	Candidates int
	// NoLookup turns off look-up, else done as Lookup says.
	NoLookup bool
	Lookup   LookupOptions
}

// Lever is the policy that this module is named after: it grows the tree that makes the most of a pass, by the expected number
// of accepted tokens against the time of the pass on this machine (Lever: Speculative LLM Inference on Smartphones, arXiv
// 2605.16786), with the cost of a pipeline that reads ahead. Candidates come from the draft model, in waves, and from look-up,
// which takes no time; their probabilities are calibrated by what the target accepts.
//
// Where no tree pays it decodes plainly, and looks now and then whether the draft model has become worth asking. It keeps
// account of the time that speculation has cost over plain decoding: whatever its estimates say, it spends no more than a
// hundredth of all time, and that of a few passes; of a target with experts, one for each text. What it learns stays for later generations.
//
// A Lever serves one [Generator] at a time. After the first passes it does not allocate.
type Lever struct {
	grower     grower
	model      *CostModel
	learned    Estimator
	candidates int

	hits     [outlookRanks]float64 // how often the draft's first candidates are right
	hitsSeen float64
	asked    mean      // value that asking the draft model added of late
	missed   float64   // seconds that it took in what it had not seen for, when it was asked last
	masks    []float64 // how often the first candidate of each mask of a draft is right, given that those before it are
	tokens   float64   // and seconds: of late, for the rate
	seconds  float64
	credit   float64 // plain passes that speculation may cost
	measure  int     // rows of the next pass that is to teach how time grows with them; 0 = enough is known
	sizes    bool    // no profile tells this
	compared bool    // a plain pass was measured
	doubtful bool    // the latest pass was hardly better than plain ones are taken to be
	drafted  int     // passes since one without nodes
	idle     int     // passes since the draft model was asked
	patience int     // of those between probes
	probing  bool
	added    float64 // value that asking the draft model was expected to add to the latest tree for which it was asked
	gain     float64 // of the latest tree, by the estimates
	expected float64 // drafted tokens of late that gains foretold, and those that were accepted
	accepted float64
	forecast struct{ accepted, seconds float64 }
	off      mean // squared error of the seconds that were forecast of passes over trees
	root     [1]int
}

// outlookRanks is the number of candidates that a draft forward is expected to be good for.
const outlookRanks = 3

const (
	startCredit = 3.5 // plain passes
	firstCredit = 2.0 // if the target has experts, with which trees gain less; and where another text begins,
	textCredit  = 0.8 // as what trees of one text gained or lost says little of the next
	leastStake  = 0.7 // of it a tree may cost so much then, what a token more costs,
	sparseStake = 0.4 // or this part of all, lest a long one that is wrong at its first token take what many others gained
	maxCredit   = 6.0
	minCredit   = -1.0
	creditRate  = 0.01 // per pass
	minPatience = 4    // passes
	maxPatience = 64
	hitsWindow  = 36.0 // candidates that the chances of the draft's first ones are averaged over
	priorTokens = 20   // expected tokens that the prior counts for, before what is accepted moves the forecast
)

// NewLever returns the policy.
func NewLever(o LeverOptions) (*Lever, error) {
	model, err := NewCostModel(o.Costs, o.Quantile)
	if err != nil {
		return nil, fmt.Errorf("gaincost: lever: %w", err)
	}
	if o.Candidates < 0 || o.Budget < 0 {
		return nil, fmt.Errorf("gaincost: lever: budget %d, %d candidates", o.Budget, o.Candidates)
	}
	if o.Candidates == 0 {
		o.Candidates = 8
	}
	l := &Lever{
		model: model, candidates: o.Candidates,
		hits: [outlookRanks]float64{0.6, 0.12, 0.05}, credit: startCredit, patience: minPatience, measure: 1, sizes: !model.Known(),
		expected: priorTokens, accepted: priorTokens,
	}
	l.grower = grower{model: model, learned: &l.learned, nodes: o.Budget}
	if !o.NoLookup {
		if l.grower.lookup, err = NewLookup(o.Lookup); err != nil {
			return nil, fmt.Errorf("gaincost: lever: %w", err)
		}
	}
	return l, nil
}

// Start learns from a prefill what passes cost, where no profile tells, so that the first tree can be as large as pays. What a profile says is
// measured against a plain pass first.
func (l *Lever) Start(p spec.Prefill) {
	// What earlier texts allowed counts as a few tokens: this one may be harder, and a rate that it does not allow would hold back trees that pay here.
	const few = 8
	if l.tokens > few {
		l.tokens, l.seconds = few, l.seconds*few/l.tokens
	}
	if p.IO.Experts > 0 {
		if l.credit = firstCredit; l.seconds > 0 {
			l.credit = textCredit
		}
		l.asked, l.patience, l.idle = mean{}, minPatience, minPatience // the draft model may be right more often than in the text before, or less
	}
	if l.sizes && l.model.Start(p) && l.seconds == 0 {
		l.measure, l.sizes = 0, false
	}
}

// Grow makes the tree of a pass.
func (l *Lever) Grow(ctx context.Context, sequence []int32, tree *spec.Tree, draft *spec.Draft) error {
	g := &l.grower
	g.start(sequence, tree)
	plain := l.model.chainPass(1, 0)
	stake := max(0, l.credit)
	if l.sparse() {
		stake = min(stake, max(leastStake, sparseStake*stake))
	}
	g.most, g.plain = plain*(1+stake), plain
	g.rate = l.rate(plain) * l.model.others.texts // all of which wait for what this tree takes
	g.doubt = g.rate * l.doubt(plain)
	if err := g.lookUp(); err != nil {
		return err
	}
	l.probing = false
	if l.measure != 1 && draft != nil && !tree.Full(0) && !draft.Full(0) {
		if err := l.draft(ctx, draft); err != nil {
			return err
		}
	}
	nodes := 0
	if l.measure != 1 {
		nodes, _ = g.size(g.best, g.drafting)
		if l.measure > nodes+1 && l.model.chainPass(l.measure, g.drafting) <= g.most {
			nodes = min(l.measure-1, len(g.best))
		}
	}
	gain, err := g.finish(nodes)
	l.gain, l.forecast.accepted = gain, 1+(gain-1)*l.accepted/l.expected
	l.forecast.seconds = l.model.Pass(nodes+1, g.drafting, gain) + l.model.ExpertWait(tree)
	return err
}

// rate returns the tokens per second of late; at first, those of plain decoding.
func (l *Lever) rate(plain float64) float64 {
	const worth = 2 // passes
	if plain == 0 {
		return 0
	}
	return (l.tokens + worth) / (l.seconds + worth*plain)
}

// doubt returns the standard error of the seconds that are expected of trees, which must gain more than that to be taken for better than plain
// decoding. Only how many experts a pass reads is so uncertain that it counts.
func (l *Lever) doubt(plain float64) float64 {
	const (
		usual = 0.15 // error of a pass, relative to a plain one
		prior = 4    // passes that this counts for
	)
	if !l.sparse() {
		return 0
	}
	passes := l.off.count + prior
	square := (l.off.value*l.off.count + prior*usual*usual*plain*plain) / passes
	return math.Sqrt(square / passes)
}

// draft asks the draft model for candidates if that can be expected to pay, or to see whether it does by now.
func (l *Lever) draft(ctx context.Context, draft *spec.Draft) error {
	g := &l.grower
	l.mask(draft.Reach())
	if l.model.chainPass(1, l.model.Forward(1+draft.Unseen())) > g.most {
		return nil
	}
	// What the draft model has not seen it takes in once, whatever it is then asked, and so that does not count for or against asking it again.
	if !l.worthAsking() {
		if l.idle < l.patience {
			return nil
		}
		l.probing = true
	}
	l.missed = l.model.Forward(1+draft.Unseen()) - l.model.Forward(1)
	_, without := g.size(g.best, g.drafting)
	if err := l.waves(ctx, draft); err != nil {
		return err
	}
	_, value := g.size(g.best, g.drafting)
	l.added = value + g.rate*l.missed - without
	return nil
}

// worthAsking reports whether the draft model is likely to add value: as it did of late, or as can be expected of how often it is right. With experts, what
// a row costs leaves so little that the former alone counts once it was asked a few times in a text.
func (l *Lever) worthAsking() bool {
	const few = 4
	if l.asked.value > 0 || l.sparse() && l.asked.count >= few {
		return l.asked.value > 0
	}
	return l.pays(l.model.Forward(1), l.hits)
}

// sparse reports whether passes read experts.
func (l *Lever) sparse() bool { return l.model.cold.row(0, false) > 0 }

// waves asks the draft model for candidates, wave after wave as long as they pay, first for those of the root.
func (l *Lever) waves(ctx context.Context, draft *spec.Draft) error {
	g := &l.grower
	wave, reach := l.root[:], 1
	if len(l.masks) > 0 {
		reach = g.reach(l.hits[:], l.masks)
	}
	for len(wave) > 0 {
		if err := g.expand(ctx, draft, wave, l.candidates, reach); err != nil {
			return err
		}
		if !l.model.DraftKnown() { // the time of this wave is to be measured first
			return nil
		}
		wave, reach = g.wave(draft, l.hits[:]), 1
	}
	return nil
}

// mask prepares for a draft model that reaches so many tokens ahead.
func (l *Lever) mask(reach int) {
	for i := len(l.masks); i < reach-1; i++ {
		l.masks = append(l.masks, max(0.2, 0.55-0.05*float64(i))) // until it is known
	}
	l.masks = l.masks[:reach-1]
}

// pays reports whether drafting can be expected to pay: whether any number of waves makes a better pass than what there is
// without a draft, if the draft's candidates are right as often as hits says. The first wave takes the given seconds.
func (l *Lever) pays(first float64, hits [outlookRanks]float64) bool {
	g := &l.grower
	_, plain := g.size(g.best, 0)
	others := 0.0
	for _, hit := range hits[1:] {
		others += hit
	}
	if l.widePays(first, hits[0], plain) {
		return true
	}
	next := l.model.Forward(1)
	limit := min(g.limit, g.tree.MaxDepth())
	path, chain, bush := 1.0, 1.0, 1.0 // chances of the deepest node, gain of a chain of first candidates, and with its siblings
	cold := l.model.cold.row(0, false)
	chainCold, bushCold := cold, cold // experts to read
	for depth := 1; depth <= limit && path > 0.01; depth++ {
		bush += path * others
		path *= hits[0]
		chain += path
		bush += path
		drafting := first + float64(depth-1)*next
		chainCold += l.model.cold.row(depth, false)
		if v, allowed := g.value(1+depth, drafting, chain, chainCold, 0); allowed && v > plain {
			return true
		}
		before := 1 + (depth-1)*len(hits)
		bushCold += l.model.cold.row(before, false)
		for i := 1; i < len(hits); i++ {
			bushCold += l.model.cold.row(before+i, true)
		}
		if rows := 1 + depth*len(hits); rows <= 1+g.limit {
			if v, allowed := g.value(rows, drafting, bush, bushCold, 0); allowed && v > plain {
				return true
			}
		}
	}
	return false
}

// widePays reports the same of a single forward with masks.
func (l *Lever) widePays(first, hit, plain float64) bool {
	if len(l.masks) == 0 {
		return false
	}
	g := &l.grower
	drafting := max(first, l.model.Forward(1+len(l.masks)))
	chance, gain, cold := 1.0, 1.0, l.model.cold.row(0, false)
	for i := range min(1+len(l.masks), g.limit, g.tree.MaxDepth()) {
		if i > 0 {
			hit = l.masks[i-1]
		}
		chance *= hit
		gain += chance
		cold += l.model.cold.row(1+i, false)
		if v, allowed := g.value(2+i, drafting, gain, cold, 0); allowed && v > plain {
			return true
		}
	}
	return false
}

// Observe learns from a pass.
func (l *Lever) Observe(o spec.Observation) {
	l.model.Observe(o)
	l.account(&o)
	l.learned.Learn(&o)
	for i, node := range o.Path {
		if _, forced := o.Tree.Set(node, spec.FromConstraint); forced {
			continue
		}
		if set, drafted := o.Tree.Set(node, spec.FromDraft); drafted {
			l.countHit(&set, o.Token(i))
		}
		if set, masked := o.Tree.Set(node, spec.FromMasks); masked && set.Ahead <= len(l.masks) {
			const window = 40
			hit := 0.0
			if set.Tokens[0] == o.Token(i) {
				hit = 1
			}
			l.masks[set.Ahead-1] += (hit - l.masks[set.Ahead-1]) / window
		}
	}
	l.measured(o.Tree.Len())
	set, drafted := o.Tree.Set(0, spec.FromDraft)
	switch {
	case !drafted:
		l.idle++
		return
	case !l.probing:
		l.idle, l.patience = 0, minPatience
		return
	}
	// A probe that adds value is soon followed by others, and so is one that hits where that was rare, if a draft that is right more often would pay.
	l.idle = 0
	better := l.hits
	better[0] = min(0.95, better[0]+0.5)
	hit := (l.hits[0] < 0.5 || !l.sparse()) && slices.Contains(set.Tokens[:min(outlookRanks, len(set.Tokens))], o.Token(0))
	if l.added > 0 || hit && l.pays(l.model.Forward(1), better) {
		l.patience = max(1, l.patience/4)
	} else {
		l.patience = min(2*l.patience, maxPatience)
	}
}

// account books the time of a pass.
func (l *Lever) account(o *spec.Observation) {
	if o.Lead > 0 { // its time is not the tree's alone
		return
	}
	const keep = 0.98
	seconds, tokens := o.DraftSeconds+o.VerifySeconds, float64(len(o.Path))
	l.tokens, l.seconds = keep*l.tokens+tokens, keep*l.seconds+seconds
	l.expected += (1-keep)*(priorTokens-l.expected) + l.gain - 1
	l.accepted += (1-keep)*(priorTokens-l.accepted) + tokens - 1
	l.credit += creditRate
	if _, drafted := o.Tree.Set(0, spec.FromDraft); drafted || o.Tree.Len() > 1 {
		// A stall of the machine is not the tree's fault.
		usual := l.model.PrunedPass(o.Tree.Len(), o.Cuts, o.DraftSeconds, tokens) + l.model.prunedWait(o.Tree, o.Cuts)
		seconds = min(seconds, 2*usual)
		if o.Tree.Len() > 1 {
			const window = 24
			off := seconds - l.forecast.seconds
			l.off.add(off*off, window)
		}
		plain := l.model.plain(o)
		passes := seconds / plain // plain ones in the same time
		l.credit += tokens - passes
		if drafted {
			const window = 8
			added := l.added
			if !l.sparse() { // what came of it
				added = tokens - 1 - l.grower.rate/l.model.others.drafting()*max(0, seconds-l.missed-plain)
			}
			l.asked.add(added, window)
		}
		l.doubtful = tokens < 1.5*passes && l.credit < startCredit+1.5 // and passes before it gained little
	}
	l.credit = min(max(l.credit, minCredit), maxCredit)
}

// measured decides what to measure next. Each now and then a pass is plain, as all is compared with that; without a profile,
// the first passes double their rows as long as that is cheap.
func (l *Lever) measured(rows int) {
	const enough, seldom, soon = 32, 256, 16
	if l.drafted++; rows == 1 {
		l.drafted, l.compared = 0, true
	}
	switch {
	case l.measure > 0 && rows < l.measure: // there were no more candidates
	case l.measure > 0 && l.sizes:
		if l.measure = 2 * rows; l.measure > enough || l.model.chainPass(l.measure, 0) > 1.5*l.model.chainPass(1, 0) {
			l.measure, l.sizes = 0, false
		}
	case l.drafted >= seldom || !l.compared && (l.doubtful || l.drafted >= soon):
		l.measure = 1
	default:
		l.measure = 0
	}
}

// countHit updates the chances of the draft's first candidates. Probes are few, so each counts for more.
func (l *Lever) countHit(set *spec.CandidateSet, token int32) {
	window := hitsWindow
	if l.probing {
		window = 8
	}
	l.hitsSeen = min(l.hitsSeen+1, window)
	for rank := range min(len(set.Tokens), outlookRanks) {
		hit := 0.0
		if set.Tokens[rank] == token {
			hit = 1
		}
		l.hits[rank] += (hit - l.hits[rank]) / (4 + l.hitsSeen)
	}
}

// Worth returns the value of the pass whose tree was grown last, if that is pruned: see [Pricer].
func (l *Lever) Worth(cuts []spec.Cut, gain float64) float64 {
	g := &l.grower
	return gain - g.rate*(l.model.PrunedPass(g.tree.Len(), cuts, g.drafting, gain)+l.model.prunedWait(g.tree, cuts))
}

// Forecast returns what is expected of the pass whose tree was grown last.
func (l *Lever) Forecast() (accepted, seconds float64) {
	return l.forecast.accepted, l.forecast.seconds
}
