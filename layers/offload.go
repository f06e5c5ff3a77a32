package layers

import (
	"context"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/kernels/npu/offload"
	"github.com/lever-go/lever/tensor"
)

// Offload says that a device takes part in the work of a [Decoder]. The zero value leaves everything to the CPU.
type Offload struct {
	Engine *offload.Engine // nil: no device. It stays the caller's
	// Blocks and Head are where projections inside blocks and the output head are computed.
	Blocks, Head offload.Place
	// Loose says that nothing is chosen by the results, as in a draft model, so that they may be rounded in any way.
	Loose bool
}

// away is what a Workspace needs to compute products on a device.
type away struct {
	queue   *offload.Queue // nil: there is no device
	leaser  Leaser         // the source of weights; nil: its parts can't be kept
	blocks  offload.Place
	head    offload.Place
	changed bool // the input is not yet the queue's
}

// Offload makes the layers that are built from now on use a device.
func (ws *Workspace) Offload(o Offload) {
	if o.Engine == nil {
		return
	}
	ws.away.queue, ws.away.blocks, ws.away.head = o.Engine.NewQueue(o.Loose, ws.Kernels()), o.Blocks, o.Head
	ws.away.leaser, _ = ws.weights.(Leaser)
}

// finish waits for the products that a device computes.
func (ws *Workspace) finish() {
	if ws.away.queue != nil {
		ws.away.queue.Finish()
	}
}

// Close gives up what a device holds for the layers. Without a device there is nothing to give up.
func (ws *Workspace) Close() {
	if ws.away.queue != nil {
		ws.away.queue.Close()
	}
}

// group is projections of the same rows, which one engine computes.
type group []*Linear

func newGroup(g ...*Linear) group {
	rows := 0
	for _, l := range g {
		rows += l.stored
	}
	for _, l := range g {
		l.groupRows = rows
	}
	return g
}

// forward writes the product of each row of in with each matrix to an element of dst; see [Linear.Forward]. A device gets all that is to
// do before anybody waits for it.
func (g group) forward(ctx context.Context, in *kernels.Input, dst ...[]float32) error {
	defer g[0].ws.finish()
	for i, l := range g {
		if err := l.start(ctx, dst[i], in); err != nil {
			return err
		}
	}
	return nil
}

// send hands a part to the device, if it is to compute this product and can. On the first part the engine is chosen.
func (l *Linear) send(p tensor.Packed) bool {
	a := &l.ws.away
	if a.queue == nil {
		return false
	}
	_, n, _ := l.in.Rows()
	if p.Row == 0 {
		l.sending = a.queue.Takes(l.place, p.Type, tensor.PackedBytes(p.Type, l.groupRows, p.Cols), n)
	}
	if !l.sending {
		return false
	}
	if a.changed {
		a.queue.SetInput(l.in.Rows())
		a.changed = false
	}
	if a.leaser != nil {
		return a.queue.Multiply(l.dst, l.out, p, a.leaser.Lease())
	}
	defer a.queue.Finish() // before the part is gone
	return a.queue.Multiply(l.dst, l.out, p, nil)
}
