package spec

import (
	"fmt"
	"math"
)

// CostModel predicts how long a pass takes. It starts from [Costs] and corrects them by what passes took: the computing of
// target and draft by a regression that forgets slowly, the reading by a moving average. What Costs do not say it takes from
// the first passes, guessing by a cautious rule how the time grows with rows until there are passes of several sizes.
//
// It does not allocate once trees have reached their largest size. It is not safe for concurrent use.
type CostModel struct {
	pipe     *pipeline
	project  float64
	quantile float64

	compute, draft workTime
	steps          []step // by rows: what compute does not explain
	read           Latency
	reads          float64 // passes that read stands for

	forwards, forwardTime float64 // of the draft model, since the last observation: their number, and what Costs say of them
	forwardRows           float64

	nodes []quadrature
	table []tableRow // by rows, as far as computed since the last observation
}

// step is a correction for one number of rows, relative to the regression.
type step struct {
	off   float64
	count float64
}

// quadrature is a point of the distribution of the time that a pass reads.
type quadrature struct {
	weight, read float64
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
		return nil, fmt.Errorf("spec: costs: %w", err)
	}
	if !(quantile >= 0 && quantile < 1) {
		return nil, fmt.Errorf("spec: costs: quantile %v is not from 0 up and below 1", quantile)
	}
	m := &CostModel{pipe: newPipeline(&costs), project: costs.Project, quantile: quantile}
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
	return m.draft.predict(1, m.draft.base.At(rows))
}

// Drafted tells the model of a draft forward, one part of what the next observation's DraftSeconds were spent on.
func (m *CostModel) Drafted(rows int) {
	m.forwards++
	m.forwardRows += float64(rows)
	m.forwardTime += m.draft.base.At(rows)
}

// Pass predicts the seconds from the end of one pass to the end of the next, of the given rows and with the given seconds of
// draft work, when accepted tokens are chosen at its end.
func (m *CostModel) Pass(rows int, draft, accepted float64) float64 {
	for rows >= len(m.table) {
		m.table = append(m.table, tableRow{})
	}
	row := &m.table[rows]
	if !row.known {
		for i, node := range m.nodes {
			row.time[i] = m.pipe.pass(node.read, m.computeTime(rows))
		}
		row.known = true
	}
	gap, seconds := draft+accepted*m.project, 0.0
	for i, node := range m.nodes {
		seconds += node.weight * row.time[i].after(gap)
	}
	return seconds
}

// plain returns the seconds that a pass without drafts would have taken, had it read as the observed one did.
func (m *CostModel) plain(o *Observation) float64 {
	read := m.read.Mean
	if m.readBound(o) {
		read = o.IO.IOSeconds
	}
	return m.pipe.pass(read, m.computeTime(1)).after(m.project)
}

// readBound reports whether the pass waited for reads, so that they went as fast as they can.
func (m *CostModel) readBound(o *Observation) bool {
	return o.IO.IOWaitSeconds > 0.02*(o.VerifySeconds+o.DraftSeconds)
}

func (m *CostModel) computeTime(rows int) float64 {
	seconds := m.compute.predict(1, m.compute.base.At(rows))
	if rows < len(m.steps) {
		seconds *= 1 + m.steps[rows].off
	}
	return seconds
}

// Observe corrects the model by a pass.
func (m *CostModel) Observe(o Observation) {
	rows := o.Tree.Len()
	if seconds := o.VerifySeconds - o.IO.IOWaitSeconds - float64(len(o.Path))*m.project; seconds > 0 {
		m.observeCompute(rows, seconds)
	}
	if m.forwards > 0 && o.DraftSeconds > 0 {
		if !m.draft.known() {
			m.draft.guess(1, o.DraftSeconds/(0.8*m.forwards+0.2*m.forwardRows), 0.2)
			m.forwardTime = o.DraftSeconds
		}
		m.draft.observe(m.forwards, m.forwardTime, o.DraftSeconds)
	}
	m.forwards, m.forwardRows, m.forwardTime = 0, 0, 0
	// Reads that wait for computing are slower than need be, so they can only show that reading is faster than was thought.
	if seconds := o.IO.IOSeconds; seconds > 0 && (m.reads == 0 || seconds < m.read.Mean || m.readBound(&o)) {
		m.observeRead(seconds)
	}
	m.refresh()
}

func (m *CostModel) observeCompute(rows int, seconds float64) {
	if !m.compute.known() {
		m.compute.guess(rows, seconds, 0.3)
	}
	m.compute.observe(1, m.compute.base.At(rows), seconds)
	for rows >= len(m.steps) {
		m.steps = append(m.steps, step{})
	}
	s := &m.steps[rows]
	off := seconds/m.compute.predict(1, m.compute.base.At(rows)) - 1
	// One pass is believed half, the more that follow the better; what is left out is the regression's.
	s.off += (min(max(off, -0.5), 0.5) - s.off) / (s.count + 2)
	s.count = min(s.count+1, 8)
}

// observeRead moves mean and deviation of the time that a pass reads. The skewness stays the profile's; without one, it is
// that of an exponential distribution, which has a long tail.
func (m *CostModel) observeRead(seconds float64) {
	if m.reads == 0 {
		m.read = Latency{Mean: seconds, Skewness: 2}
	}
	m.reads = min(m.reads+1, 30)
	off := seconds - m.read.Mean
	m.read.Mean += off / m.reads
	variance := m.read.Deviation * m.read.Deviation
	m.read.Deviation = math.Sqrt(variance + (off*off-variance)/m.reads)
}

// refresh takes the distribution of the time to read at the points where it counts, and forgets the table.
func (m *CostModel) refresh() {
	clear(m.table)
	m.nodes = m.nodes[:0]
	switch {
	case m.quantile > 0:
		m.nodes = append(m.nodes, quadrature{1, m.read.Quantile(m.quantile)})
	case m.read.Deviation < 0.03*m.read.Mean:
		m.nodes = append(m.nodes, quadrature{1, m.read.Mean})
	default:
		for _, s := range spread {
			m.nodes = append(m.nodes, quadrature{s.weight, m.read.at(s.z)})
		}
	}
}

// workTime predicts the time of work as a·u + b·v, where u is the number of batches and v what base says of them: a corrects
// it by a constant, b by a factor. Both are fitted to the observations, weighing relative errors and forgetting old ones, and
// drawn towards 0 and 1 as long as there are few.
type workTime struct {
	base   Curve
	ridge  [2]float64 // weight of a = 0 and b = 1, in observations that fit as well as they usually do
	count  float64
	uu, uv float64
	vv     float64
	u, v   float64
	a, b   float64
}

// workNoise is the relative error of a usual observation.
const workNoise = 0.1

// start sets the curve to correct; doubt is the relative error that it may have. Work that takes no time is not known.
func (w *workTime) start(base Curve, doubt float64) {
	*w = workTime{b: 1}
	if one := base.At(1); one > 0 {
		constant, factor := workNoise/(doubt*one), workNoise/(2*doubt)
		w.base, w.ridge = base, [2]float64{constant * constant, factor * factor}
	}
}

// guess sets a curve on which a batch of rows takes the given seconds, and each row after the first adds the part growth of
// what the first takes.
func (w *workTime) guess(rows int, seconds, growth float64) {
	one := seconds / (1 - growth + growth*float64(rows))
	w.start(Curve{Points: []Point{{1, one}, {11, one * (1 + 10*growth)}}}, 0.5)
}

func (w *workTime) known() bool { return len(w.base.Points) > 0 }

func (w *workTime) predict(u, v float64) float64 { return w.a*u + w.b*v }

func (w *workTime) observe(u, v, y float64) {
	if w.count >= 5 { // a stall of the machine must not count as more than a bad pass
		expected := w.predict(u, v)
		y = min(max(y, expected/3), expected*3)
	}
	const keep = 0.97
	w.count = keep*w.count + 1
	w.uu = keep*w.uu + u*u/(y*y)
	w.uv = keep*w.uv + u*v/(y*y)
	w.vv = keep*w.vv + v*v/(y*y)
	w.u = keep*w.u + u/y
	w.v = keep*w.v + v/y

	uu, vv, v1 := w.uu+w.ridge[0], w.vv+w.ridge[1], w.v+w.ridge[1]
	det := uu*vv - w.uv*w.uv
	w.a, w.b = (w.u*vv-v1*w.uv)/det, (uu*v1-w.uv*w.u)/det
	switch { // neither batches nor rows give time back
	case w.a < 0 || !(det > 0):
		w.a, w.b = 0, v1/vv
	case w.b < 0:
		w.a, w.b = w.u/uu, 0
	}
}
