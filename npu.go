package lever

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/spec/gaincost"
	"github.com/lever-go/lever/tensor"
	"github.com/lever-go/lever/weights"
)

// Placement says which stage of a generation runs on the CPU and which on the device. The zero value leaves it to what products cost.
type Placement struct {
	Draft, Verify offload.Place // projections of the draft model, and of the target's blocks
	Head          HeadMode
}

// HeadMode says where the target's logits are computed, and whether for a whole tree or along the accepted path alone.
type HeadMode uint8

// Ways to compute logits.
const (
	HeadAuto        HeadMode = iota // along the accepted path, or for the whole tree where the head is streamed; where it is faster
	HeadEagerNPU                    // of the whole tree, on the device
	HeadOnDemandNPU                 // row by row along the accepted path, on the device
	HeadOnDemandCPU                 // row by row along the accepted path, on the CPU
)

var (
	placeNames = []string{offload.Auto.String(), offload.CPU.String(), offload.NPU.String()}
	headNames  = []string{HeadAuto: "auto", HeadEagerNPU: "eager-npu", HeadOnDemandNPU: "ondemand-npu", HeadOnDemandCPU: "ondemand-cpu"}
)

// ParsePlacement reads a list such as "draft=cpu,verify=npu,head=ondemand-cpu"; what it does not name is auto.
func ParsePlacement(text string) (p Placement, err error) {
	choose := func(stage, value string, names []string) (int, error) {
		i := slices.Index(names, value)
		if i < 0 {
			return 0, fmt.Errorf("lever: placement: %s=%q: choose from %s", stage, value, strings.Join(names, ", "))
		}
		return i, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		stage, value, _ := strings.Cut(part, "=")
		i := 0
		switch stage {
		case "draft":
			i, err = choose(stage, value, placeNames)
			p.Draft = offload.Place(i)
		case "verify":
			i, err = choose(stage, value, placeNames)
			p.Verify = offload.Place(i)
		case "head":
			i, err = choose(stage, value, headNames)
			p.Head = HeadMode(i)
		default:
			err = fmt.Errorf("lever: placement: no stage %q: choose from draft, verify, head", stage)
		}
		if err != nil {
			return Placement{}, err
		}
	}
	return p, nil
}

// String is the inverse of [ParsePlacement].
func (p Placement) String() string {
	return fmt.Sprintf("draft=%v,verify=%v,head=%s", p.Draft, p.Verify, headNames[p.Head])
}

// eager reports whether the logits of a whole tree are computed at once whatever that costs.
func (p Placement) eager() bool { return p.Head == HeadEagerNPU }

// onDemand reports whether they are not.
func (p Placement) onDemand() bool { return p.Head == HeadOnDemandNPU || p.Head == HeadOnDemandCPU }

// place returns where the target's head is computed.
func (h HeadMode) place() offload.Place {
	switch h {
	case HeadEagerNPU, HeadOnDemandNPU:
		return offload.NPU
	case HeadOnDemandCPU:
		return offload.CPU
	}
	return offload.Auto
}

// NPUStats is what a device did in a generation.
type NPUStats struct {
	Device    string `json:"npu"`
	Placement string `json:"placement"`
	offload.Stats
}

// offloading is what an engine has a device do.
type offloading struct {
	scheduler          *offload.Scheduler // of the device; nil without one
	placement          Placement
	cpuCosts, npuCosts npu.Costs // as far as they are known
}

// target and draft say how the models use the device.
func (o *offloading) target() offload.QueueOptions {
	return offload.QueueOptions{Blocks: o.placement.Verify, Head: o.placement.Head.place()}
}

func (o *offloading) draft() offload.QueueOptions {
	return offload.QueueOptions{Blocks: o.placement.Draft, Head: o.placement.Draft, Loose: true}
}

// queues returns what makes a model's queue on the device; nil without one.
func (o *offloading) queues(options offload.QueueOptions, pool *kernels.Pool) func() *offload.Queue {
	if o.scheduler == nil {
		return nil
	}
	options.Kernels = pool.Set()
	return func() *offload.Queue { return o.scheduler.NewQueue(options) }
}

// memory returns what gives the weights of a model memory that the device sees; nil where there is no device that needs it.
func (o *offloading) memory(options offload.QueueOptions) func(d tensor.DType, bytes int) (weights.Memory, error) {
	if o.scheduler == nil || options.Blocks == offload.CPU && options.Head == offload.CPU {
		return nil
	}
	device := o.scheduler.WeightAllocator()
	if device == nil {
		return nil
	}
	return func(d tensor.DType, bytes int) (weights.Memory, error) { return device.AllocWeights(d, bytes) }
}

// prepareNPU finds out what the products of the models cost. A device that turns out to be of no use is left alone.
func (e *Engine) prepareNPU(ctx context.Context) error {
	if e.npu.scheduler == nil {
		return nil
	}
	var types []tensor.DType
	for _, m := range e.models() {
		if err := m.findProducts(); err != nil {
			return err
		}
		for _, p := range append(m.blocks, m.head) {
			if !slices.Contains(types, p.dtype) {
				types = append(types, p.dtype)
			}
		}
	}
	err := e.npu.scheduler.Prepare(ctx, e.pool, types, e.npu.cpuCosts, e.npu.npuCosts)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, of := range []error{npu.ErrUnsupported, npu.ErrOutOfMemory, npu.ErrLost} {
		if errors.Is(err, of) {
			return nil
		}
	}
	return err
}

// group is projections of the same rows in every block, or the head.
type group struct {
	dtype tensor.DType
	bytes int
	count int // of equal ones

	experts, chosen int // see [layers.ProductGroup]
}

// findProducts lists the model's groups of projections.
func (m *model) findProducts() error {
	info, err := weights.Inspect(m.store.Dir())
	if err != nil {
		return err
	}
	tensors := map[string]weights.TensorInfo{}
	for _, t := range info.Tensors {
		tensors[t.Name] = t
	}
	var groups []group
	for _, p := range m.decoder.Products() {
		g := group{count: 1, experts: p.Experts, chosen: p.Chosen}
		for _, name := range p.Tensors {
			t := tensors[name]
			if g.dtype, err = tensor.ParseDType(t.Type); err != nil {
				return fmt.Errorf("type of %s: %w", name, err)
			}
			g.bytes += int(t.Bytes)
		}
		if p.Head {
			m.head = g
		} else {
			groups = append(groups, g)
		}
	}
	m.blocks = m.blocks[:0]
	for _, g := range groups {
		same := func(other group) bool {
			other.count = g.count
			return other == g
		}
		if i := slices.IndexFunc(m.blocks, same); i >= 0 {
			m.blocks[i].count++
		} else {
			m.blocks = append(m.blocks, g)
		}
	}
	return nil
}

// OffloadCosts returns costs with the times of the target and the draft as they are with the engine's device; without one, it returns
// costs. Times are those of products alone, for every number of rows, so that a policy sees the steps of padded batches.
func (e *Engine) OffloadCosts(costs gaincost.Costs) gaincost.Costs {
	if e.npu.scheduler == nil {
		return costs
	}
	c, placement := e.npu.scheduler.Costs(), e.npu.placement
	target := e.target.curve(c, placement.Verify, e.target.blocks)
	if target.Points == nil {
		return costs
	}
	costs.Compute = target
	head := e.target.curve(c, placement.Head.place(), []group{e.target.head})
	if e.projectTree() {
		costs.Compute = sum(costs.Compute, head)
		costs.Project = 0
	} else {
		costs.Project = head.At(1)
	}
	if e.draft != nil {
		costs.Draft = e.draft.curve(c, placement.Draft, append(slices.Clone(e.draft.blocks), e.draft.head))
	}
	return costs
}

// curve returns the time of groups of products by rows; empty where it is not known.
func (m *model) curve(c *offload.Costs, place offload.Place, groups []group) (curve gaincost.Curve) {
	for rows := 1; rows <= MaxBudget+1; rows++ {
		seconds := 0.0
		for _, g := range groups {
			if !c.Known(g.dtype) {
				return gaincost.Curve{}
			}
			computed, of := g.share(rows)
			seconds += float64(g.count) * computed * c.Times(g.dtype, g.bytes, of).Of(place)
		}
		curve.Points = append(curve.Points, gaincost.Point{Rows: rows, Seconds: seconds})
	}
	return curve
}

// share returns how often the group is computed in a pass of so many rows, and of how many rows: of experts, as often as some are chosen if all are
// as likely.
func (g *group) share(rows int) (computed float64, of int) {
	if g.experts == 0 {
		return 1, rows
	}
	all, chosen := float64(g.experts), float64(g.chosen)
	computed = all * (1 - math.Pow(1-chosen/all, float64(rows)))
	return computed, int(math.Ceil(float64(rows)*chosen/computed - 1e-9))
}

// sum adds two curves with the same points.
func sum(a, b gaincost.Curve) gaincost.Curve {
	for i := range a.Points {
		a.Points[i].Seconds += b.At(a.Points[i].Rows)
	}
	return a
}

// projectTree reports whether the logits of all nodes are computed at once.
func (e *Engine) projectTree() bool {
	// A streamed head is read from flash at every projection, so all nodes share one.
	return e.npu.placement.eager() || e.target.headStreamed() && !e.npu.placement.onDemand()
}

// npuStats returns what the device did since some statistics; nil without a device.
func (e *Engine) npuStats(start offload.Stats) *NPUStats {
	if e.npu.scheduler == nil {
		return nil
	}
	caps := e.npu.scheduler.Capabilities()
	return &NPUStats{caps.Device, e.npu.placement.String(), e.npu.scheduler.Stats().Since(start)}
}
