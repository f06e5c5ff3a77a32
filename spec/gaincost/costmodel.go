package gaincost

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/lever-go/lever/spec"
)

// CostModel predicts how long a pass takes. It starts from [Costs] and corrects them by what passes took: the computing of
// target and draft by a regression that forgets slowly, the reading by a moving average. What Costs do not say it takes from
// the first passes, guessing by a cautious rule how the time grows with rows until there are passes of several sizes.
//
// It does not allocate once trees have reached their largest size. It is not safe for concurrent use.
type CostModel struct {
	pipe      *pipeline
	project   float64
	quantile  float64
	passBytes int64

	compute, draft workTime
	steps          []step // by rows: what compute does not explain
	read           Latency
	reads          float64 // passes that read stands for
	readSeen       bool    // one of them was observed

	forwards, forwardTime float64 // of the draft model, since the last observation: their number, and what Costs say of them
	forwardRows           float64

	nodes []quadrature
	table []tableRow // by rows, as far as computed since the last observation

	pruned expectedCuts
	cold   coldExperts
	others others
}

// expectedCuts are what pruning left of the time of passes of late. Times are averaged and not rows: where batches are padded, the time of
// the average rows is not the average time. Of sizes that were not pruned yet nothing is expected, lest trees be grown for what may not come.
type expectedCuts struct {
	done   []float64    // where it was
	shares [8][]float64 // of the time that whole trees take, from each place on, by the binary logarithm of the rows; if nil, all of it
}

// observe takes in what was pruned in a pass of the given rows, on a machine where batches take what time says.
func (e *expectedCuts) observe(rows int, cuts []spec.Cut, time func(rows int) float64) {
	const keep = 0.9
	whole := time(rows)
	if rows == 1 || whole == 0 {
		return
	}
	same := len(cuts) == 0 || len(cuts) == len(e.done) // none: it was not worth a look
	for i := 0; same && i < len(cuts); i++ {
		same = cuts[i].Done == e.done[i]
	}
	if !same {
		*e = expectedCuts{}
		for _, cut := range cuts {
			e.done = append(e.done, cut.Done)
		}
	}
	shares := &e.shares[e.size(rows)]
	for i := range e.done {
		share := 1.0
		if len(cuts) > 0 {
			share = time(cuts[i].Rows) / whole
		}
		if len(*shares) == i {
			*shares = append(*shares, 1)
		}
		(*shares)[i] = keep*(*shares)[i] + (1-keep)*share
	}
}

// size returns the index in shares of trees of so many rows, such that those padded to a power of two are together.
func (e *expectedCuts) size(rows int) int { return min(bits.Len(uint(rows-1)), len(e.shares)-1) }

// of returns the shares that are expected of a pass.
func (e *expectedCuts) of(rows int) []float64 { return e.shares[e.size(rows)] }

// step is a correction for one number of rows, relative to the regression.
type step struct {
	off   float64
	count float64
}

// quadrature is a point of the distribution of the time that a pass reads. What is above the median is a stall: it comes in one
// place, where the few layers that are read ahead hide little of it, and not spread over the pass.
type quadrature struct {
	weight, read, stall float64
}

// spread are the points at which a function of a standard normal deviate is averaged (Gauss and Hermite's rule).
var spread = [...]struct{ z, weight float64 }{
	{-2.8569700138728056, 0.01125741132772069},
	{-1.355626179974266, 0.22207592200561263},
	{0, 0.5333333333333333},
	{1.355626179974266, 0.22207592200561263},
	{2.8569700138728056, 0.01125741132772069},
}

type tableRow struct {
	known bool
	time  [len(spread)]passTime
}

// NewCostModel checks costs and returns a model that starts from them. With a quantile above 0, all times are those that a
// pass does not exceed with this probability, as far as reading is to blame; with 0 they are averages over the distribution of
// the time to read, which is not the time at its average where a pass ends later than its reads only now and then.
func NewCostModel(costs Costs, quantile float64) (*CostModel, error) {
	if err := costs.check(); err != nil {
		return nil, fmt.Errorf("gaincost: costs: %w", err)
	}
	if !(quantile >= 0 && quantile < 1) {
		return nil, fmt.Errorf("gaincost: costs: quantile %v is not from 0 up and below 1", quantile)
	}
	m := &CostModel{pipe: newPipeline(&costs), project: costs.Project, quantile: quantile, passBytes: costs.PassBytes, others: alone}
	for _, l := range costs.Layers {
		m.read = m.read.Plus(l.Read)
	}
	if m.read.Mean > 0 {
		m.reads = 4
	}
	m.compute.start(costs.Compute, 0.1)
	m.draft.start(costs.Draft, 0.1)
	m.refresh()
	return m, nil
}

// Known reports whether there is a profile, or was a pass, to predict the target's time from.
func (m *CostModel) Known() bool { return m.compute.known() }

// DraftKnown reports the same of the draft model.
func (m *CostModel) DraftKnown() bool { return m.draft.known() }

// Forward predicts the seconds of a draft forward.
func (m *CostModel) Forward(rows int) float64 {
	return m.draft.time(rows)
}

// Drafted tells the model of a draft forward, one part of what the next observation's DraftSeconds were spent on.
func (m *CostModel) Drafted(rows int) {
	m.forwards++
	m.forwardRows += float64(rows)
	m.forwardTime += m.draft.base.At(rows)
}

// Pass predicts the seconds from the end of one pass to the end of the next, of the given rows and with the given seconds of
// draft work, when accepted tokens are chosen at its end. Texts that share passes are expected to add as many
// rows as of late. Waiting for experts is not counted: see ExpertWait.
func (m *CostModel) Pass(rows int, draft, accepted float64) float64 {
	for rows >= len(m.table) {
		m.table = append(m.table, tableRow{})
	}
	row := &m.table[rows]
	if !row.known {
		m.fillExpected(rows)
		for i := range m.nodes {
			row.time[i] = m.time(i)
		}
		row.known = true
	}
	gap, seconds := draft+accepted*m.project, 0.0
	for i, node := range m.nodes {
		seconds += node.weight * row.time[i].after(gap)
	}
	return seconds
}

// ExpertWait predicts the seconds that a pass over a tree waits for experts that are not in memory.
func (m *CostModel) ExpertWait(t *spec.Tree) float64 { return m.prunedWait(t, nil) }

// chainWait predicts the same for a path of rows.
func (m *CostModel) chainWait(rows int) float64 { return m.cold.chain(rows) * m.cold.each(rows) }

// chainPass predicts the seconds of a pass over a path of rows, of which one is accepted.
func (m *CostModel) chainPass(rows int, drafting float64) float64 {
	return m.Pass(rows, drafting, 1) + m.chainWait(rows)
}

// prunedWait predicts the same for a tree of which only the rows that cuts tell of go on.
func (m *CostModel) prunedWait(t *spec.Tree, cuts []spec.Cut) float64 {
	each := m.cold.each(t.Len())
	if each == 0 {
		return 0
	}
	return m.cold.pruned(t, cuts) * each
}

// fairPass is Pass as far as a text that shares passes has to answer for it: for its share of drafting, and for each row at the price of late. What
// other texts will add to the pass is not known; at a common price, each text gets the rows that are worth more to it than they are to others. Batches that are
// padded have no such price, as it matters which row is the first of the next step.
func (m *CostModel) fairPass(rows int, draft, accepted float64) float64 {
	draft /= m.others.drafting()
	if m.others.texts == 1 || m.compute.base.Padded {
		return m.Pass(rows, draft, accepted)
	}
	return m.Pass(1, draft, accepted) + float64(rows-1)*m.others.price
}

// priceOf predicts the seconds that each of some more rows adds to a pass of so many rows in all: none while reading takes longer than computing.
func (m *CostModel) priceOf(rows int) float64 {
	some := max(1, rows/3)
	return (m.computing(rows+some) - m.computing(rows-some)) / float64(2*some)
}

// computing predicts the seconds of a pass of so many rows in all.
func (m *CostModel) computing(rows int) float64 {
	m.fill(rows, nil, 0)
	return m.mean(0)
}

// PrunedPass predicts what Pass does, of a pass of which only the rows that cuts tell of go on.
func (m *CostModel) PrunedPass(rows int, cuts []spec.Cut, draft, accepted float64) float64 {
	m.fill(rows, cuts, m.others.expectedRows())
	return m.mean(draft + accepted*m.project)
}

// mean returns the mean time of a pass with the computing that was filled in, so long after the one before.
func (m *CostModel) mean(gap float64) (seconds float64) {
	for i, node := range m.nodes {
		seconds += node.weight * m.time(i).after(gap)
	}
	return seconds
}

// fillExpected sets the pipeline's computing to what is expected of a pass, of which something may be pruned.
func (m *CostModel) fillExpected(rows int) {
	from, whole := 0.0, m.computeTime(rows+m.others.expectedRows())
	seconds := whole
	for i, share := range m.pruned.of(rows) {
		m.pipe.fill(from, m.pruned.done[i], seconds)
		from, seconds = m.pruned.done[i], share*whole
	}
	m.pipe.fill(from, 1, seconds)
}

// fill sets the pipeline's computing to that of a pass, which has so many rows of other texts.
func (m *CostModel) fill(rows int, cuts []spec.Cut, others int) {
	from := 0.0
	for _, cut := range cuts {
		m.pipe.fill(from, cut.Done, m.computeTime(rows+others))
		from, rows = cut.Done, cut.Rows
	}
	m.pipe.fill(from, 1, m.computeTime(rows+others))
}

// curve returns what the curve of Costs says of a pass, which has so many rows of other texts.
func (m *CostModel) curve(rows int, cuts []spec.Cut, others int) (seconds float64) {
	from := 0.0
	for _, cut := range cuts {
		seconds += m.pipe.share(from, cut.Done) * m.compute.base.At(rows+others)
		from, rows = cut.Done, cut.Rows
	}
	return seconds + m.pipe.share(from, 1)*m.compute.base.At(rows+others)
}

// time returns that of a pass with the computing that was filled in, at a point of the distribution of the time to read.
func (m *CostModel) time(node int) passTime {
	t := m.pipe.settled(m.nodes[node].read)
	t.least += m.nodes[node].stall
	t.full += m.nodes[node].stall
	return t
}

// plain returns the seconds that a pass without drafts would have taken, had it read as the observed one did.
func (m *CostModel) plain(o *spec.Observation) float64 {
	read := m.read.Mean
	if m.readBound(o) {
		read = denseRead(&o.IO)
	}
	wait := m.chainWait(1)
	if len(o.Cold) > 0 && o.Lead == 0 {
		wait = 0
		for _, n := range o.Cold[0] {
			wait += float64(n)
		}
		wait *= m.cold.each(1)
	}
	return m.pipe.pass(read, m.computeTime(1+othersIn(o, o.Lead+o.Tree.Len()))).after(m.project) + wait
}

// denseRead returns the seconds of reading what is no expert.
func denseRead(io *spec.IOStats) float64 {
	if io.ExpertBytes == 0 {
		return io.IOSeconds
	}
	return io.IOSeconds * float64(io.BytesRead-io.ExpertBytes) / float64(io.BytesRead)
}

// readBound reports whether the pass waited for reads, so that they went as fast as they can.
func (m *CostModel) readBound(o *spec.Observation) bool {
	return o.IO.IOWaitSeconds-o.IO.ExpertWaitSeconds > 0.02*(o.VerifySeconds+o.DraftSeconds)
}

func (m *CostModel) computeTime(rows int) float64 {
	seconds := m.compute.time(rows)
	if rows < len(m.steps) {
		seconds *= 1 + m.steps[rows].off
	}
	return seconds
}

// Start takes from the first prefill what batches of its size take, and reading. How the time grows with rows is then guessed, or the profile's, until there is
// a pass of another size. It reports whether the prefill tells what passes take: a few rows do not, nor do many where there are experts, as
// these use all of them.
func (m *CostModel) Start(p spec.Prefill) bool {
	const few = 8 // rows
	if p.Target.Rows < few {
		return false
	}
	read := denseRead(&p.IO) / float64(p.Target.Batches)
	if m.passBytes > 0 && p.IO.BytesRead > 0 { // others were read once and stay in memory
		read = p.IO.IOSeconds * float64(m.passBytes) / float64(p.IO.BytesRead)
	}
	if m.reads == 0 && read > 0 {
		m.observeRead(read)
	}
	if seconds := p.Target.Seconds - p.IO.IOWaitSeconds; seconds > 0 && p.IO.Experts == 0 {
		m.compute.take(p.Target, seconds, 0.35)
	}
	if p.Draft.Rows >= few && p.Draft.Seconds > 0 {
		m.draft.take(p.Draft, p.Draft.Seconds, 0.2)
	}
	m.refresh()
	return p.IO.Experts == 0
}

// Observe corrects the model by a pass. It drops what a profile says if the first pass takes less than half or more than
// twice as long.
func (m *CostModel) Observe(o spec.Observation) {
	rows := o.Lead + o.Tree.Len()
	if seconds := o.VerifySeconds - o.IO.IOWaitSeconds - float64(len(o.Path))*m.project; seconds > 0 {
		m.observeCompute(&o, rows, seconds)
	}
	m.pruned.observe(rows, o.Cuts, m.compute.time)
	m.others.observe(&o, rows)
	m.cold.observe(&o)
	if m.forwards > 0 && o.DraftSeconds > 0 {
		m.observeDraft(o.DraftSeconds)
	}
	m.forwards, m.forwardRows, m.forwardTime = 0, 0, 0
	// Reads that wait for computing are slower than need be, so they can only show that reading is faster than was thought.
	if seconds := denseRead(&o.IO); m.reads == 0 && seconds > 0 || m.reads > 0 && (seconds < m.read.Mean || m.readBound(&o)) {
		m.observeRead(seconds)
	}
	m.refresh()
	if o.Target.Texts > 1 {
		m.others.observePrice(m.priceOf(o.Target.Rows))
	}
}

func (m *CostModel) observeCompute(o *spec.Observation, rows int, seconds float64) {
	others := othersIn(o, rows)
	all := rows + others
	if !m.compute.known() || m.compute.foreign(1, m.curve(rows, o.Cuts, others), seconds) {
		if o.IO.Experts > 0 {
			m.compute.guessExperts(all, seconds)
		} else {
			m.compute.guess(1, float64(all), seconds, 0.3)
		}
	}
	m.compute.observe(all, 1, m.curve(rows, o.Cuts, others), seconds)
	if len(o.Cuts) > 0 {
		return // which of several numbers of rows was slow does not show
	}
	for all >= len(m.steps) {
		m.steps = append(m.steps, step{})
	}
	s := &m.steps[all]
	off := seconds/m.compute.time(all) - 1
	// One pass is believed half, the more that follow the better; what is left out is the regression's.
	s.off += (min(max(off, -0.5), 0.5) - s.off) / (s.count + 2)
	s.count = min(s.count+1, 8)
}

func (m *CostModel) observeDraft(seconds float64) {
	if !m.draft.known() || m.draft.foreign(m.forwards, m.forwardTime, seconds) {
		m.draft.guess(m.forwards, m.forwardRows, seconds, 0.2)
		m.forwardTime = seconds
	}
	m.draft.observe(int(m.forwardRows), m.forwards, m.forwardTime, seconds)
}

// observeRead moves mean and deviation of the time that a pass reads. The skewness stays the profile's; without one, it is
// that of an exponential distribution, which has a long tail.
func (m *CostModel) observeRead(seconds float64) {
	if m.reads == 0 || !m.readSeen && (seconds > 2*m.read.Mean || seconds < m.read.Mean/2) {
		m.read, m.reads = Latency{Mean: seconds, Skewness: 2}, 0
	}
	m.reads, m.readSeen = min(m.reads+1, 30), true
	off := seconds - m.read.Mean
	m.read.Mean += off / m.reads
	variance := m.read.Deviation * m.read.Deviation
	m.read.Deviation = math.Sqrt(variance + (off*off-variance)/m.reads)
}

// refresh takes the distribution of the time to read at the points where it counts, and forgets the table.
func (m *CostModel) refresh() {
	clear(m.table)
	m.nodes = m.nodes[:0]
	median := m.read.at(0)
	add := func(weight, read float64) {
		m.nodes = append(m.nodes, quadrature{weight, min(read, median), max(0, read-median)})
	}
	switch {
	case m.quantile > 0:
		add(1, m.read.Quantile(m.quantile))
	case m.read.Deviation < 0.03*m.read.Mean:
		add(1, median)
	default:
		for _, s := range spread {
			add(s.weight, m.read.at(s.z))
		}
	}
}

// workTime predicts the time of work as a·u + b·v, where u is the number of batches and v what a curve says of them: a corrects
// it by a constant, b by a factor. Both are fitted to the observations, weighing relative errors, and drawn towards 0 and 1 as
// long as there are few. Observations of one size fade as new ones of that size come: a size that was not seen for long is not
// forgotten.
type workTime struct {
	base  Curve
	prior [2]float64 // of a and b
	ridge [2]float64 // weights of these, in observations that fit as well as they usually do
	seen  int        // observations
	sizes [8]moments // by the binary logarithm of the rows
	a, b  float64
}

// moments are sums over observations of u², uv, v², uy and vy, each divided by the square of the time that was expected.
type moments struct{ uu, uv, vv, u, v float64 }

// workNoise is the relative error of a usual observation.
const workNoise = 0.1

// start sets the curve to correct; doubt is the relative error that it may have. Work that takes no time is not known.
func (w *workTime) start(base Curve, doubt float64) {
	*w = workTime{b: 1}
	if one := base.At(1); one > 0 {
		w.base = base
		w.believe(0, 1, doubt*one, 2*doubt)
	}
}

// believe sets the prior of a and b, and by how much they may well differ from it.
func (w *workTime) believe(a, b, doubtA, doubtB float64) {
	w.a, w.b, w.prior = a, b, [2]float64{a, b}
	constant, factor := workNoise/doubtA, workNoise/doubtB
	w.ridge = [2]float64{constant * constant, factor * factor}
}

// guess sets a curve on which the given batches of so many rows in total take the given seconds, and each row of a batch after
// the first adds the part growth of what the first takes.
func (w *workTime) guess(batches, rows, seconds, growth float64) {
	const doubt = 0.5
	one := seconds / ((1-growth)*batches + growth*rows)
	w.start(Curve{Points: []Point{{1, one}, {2, 2 * one}}}, doubt)
	w.believe((1-growth)*one, growth, doubt*one, doubt)
}

// guessExperts sets a curve on which a batch of so many rows takes the given seconds, most of them with experts. Rows share experts the more, the more of
// them there are.
func (w *workTime) guessExperts(rows int, seconds float64) {
	const (
		shared = 0.75 // rows use as many experts as one does, times their number to this power
		growth = 0.6  // part of the time of one row that grows so
		doubt  = 0.5
		most   = 64
	)
	experts := func(rows int) float64 { return math.Pow(float64(rows), shared) }
	one := seconds / (1 - growth + growth*experts(rows))
	var c Curve
	for n := 1; n <= most; n *= 2 {
		c.Points = append(c.Points, Point{n, one * experts(n)})
	}
	w.start(c, doubt)
	w.believe((1-growth)*one, growth, doubt*one, doubt)
}

// take sets such a curve, of forwards that are observed, if none is known. A profile is checked by passes: at their size it must be right.
func (w *workTime) take(f spec.Forwards, seconds, growth float64) {
	if w.known() {
		return
	}
	batches, rows := float64(f.Batches), f.Rows/f.Batches
	w.guess(batches, float64(f.Rows), seconds, growth)
	w.observe(rows, batches, batches*w.base.At(rows), seconds)
}

func (w *workTime) known() bool { return len(w.base.Points) > 0 }

// foreign reports whether a first observation shows that the curve is of another machine or model.
func (w *workTime) foreign(u, v, y float64) bool {
	expected := w.predict(u, v)
	return w.seen == 0 && (y > 2*expected || y < expected/2)
}

func (w *workTime) predict(u, v float64) float64 { return w.a*u + w.b*v }

// time predicts that of a batch.
func (w *workTime) time(rows int) float64 { return w.predict(1, w.base.At(rows)) }

// observe adds work of so many rows that took y.
func (w *workTime) observe(rows int, u, v, y float64) {
	expected := w.predict(u, v)
	if w.seen++; w.seen == 1 {
		expected = y
	} else if w.seen > 5 { // a stall of the machine must not count for more than a bad pass
		y = min(max(y, expected/3), expected*3)
	}
	// What slows down or speeds up one size, heat or other work on the machine, likely does so for all.
	const common = 0.05
	if drift := math.Pow(y/expected, common); w.seen > 5 {
		for i := range w.sizes {
			w.sizes[i].u *= drift
			w.sizes[i].v *= drift
		}
	}
	const keep = 0.9
	scale := 1 / (expected * expected)
	m := &w.sizes[min(bits.Len(uint(rows)), len(w.sizes)-1)]
	*m = moments{
		keep*m.uu + scale*u*u, keep*m.uv + scale*u*v, keep*m.vv + scale*v*v, keep*m.u + scale*u*y, keep*m.v + scale*v*y,
	}
	s := moments{uu: w.ridge[0], vv: w.ridge[1], u: w.ridge[0] * w.prior[0], v: w.ridge[1] * w.prior[1]}
	for _, m := range w.sizes {
		s = moments{s.uu + m.uu, s.uv + m.uv, s.vv + m.vv, s.u + m.u, s.v + m.v}
	}
	det := s.uu*s.vv - s.uv*s.uv
	w.a, w.b = (s.u*s.vv-s.v*s.uv)/det, (s.uu*s.v-s.uv*s.u)/det
	switch { // neither batches nor rows give time back
	case w.a < 0 || !(det > 0):
		w.a, w.b = 0, s.v/s.vv
	case w.b < 0:
		w.a, w.b = s.u/s.uu, 0
	}
}
