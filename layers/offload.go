package layers

import (
	"context"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Device computes products beside the CPU, for one [Decoder]; *offload.Queue of package kernels/npu/offload is one.
type Device interface {
	// SetInput makes x, n rows of k columns, the rows of the products to come. It is borrowed until Finish.
	SetInput(x []float32, n, k int)
	// Takes reports whether the device is to compute a group of products of n rows with weights of one type and so many bytes; head says
	// that they are those of the output head.
	Takes(head bool, d tensor.DType, bytes, n int) bool
	// Multiply starts the product of the rows with a part of a matrix; dst and ldd are those of [kernels.MatMul]. release, if not nil, is
	// called when the part is no longer used; without it the caller keeps the part until Finish. Where the device does not take the product,
	// Multiply returns false and has called release.
	Multiply(dst []float32, ldd int, p tensor.Packed, release func()) bool
	// Finish returns when all products are computed.
	Finish()
}

// away is what a Workspace needs to compute products on a device.
type away struct {
	device  Device // nil if there is none
	leaser  Leaser // the source of weights; nil if its parts can't be kept
	changed bool   // the input is not yet the device's
}

// UseDevice makes the layers compute products on a device where it takes them. It stays the caller's, and serves no other Workspace.
func (ws *Workspace) UseDevice(d Device) {
	ws.away.device = d
	ws.away.leaser, _ = ws.weights.(Leaser)
}

// finish waits for the products that a device computes.
func (ws *Workspace) finish() {
	if ws.away.device != nil {
		ws.away.device.Finish()
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

// forward writes the projection of each row of in by each matrix to an element of dst; see [Linear.Forward]. A device gets all that is to
// do before anybody waits for it.
func (g group) forward(ctx context.Context, in *kernels.Input, dst ...[]float32) error {
	if err := g.product(ctx, in, dst); err != nil {
		return err
	}
	for i, l := range g {
		l.finishRows(dst[i], in)
	}
	return nil
}

func (g group) product(ctx context.Context, in *kernels.Input, dst [][]float32) error {
	defer g[0].ws.finish() // also when a worker panics
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
	if a.device == nil {
		return false
	}
	_, n, _ := l.in.Rows()
	if p.Row == 0 {
		l.sending = a.device.Takes(l.head, p.Type, tensor.PackedBytes(p.Type, l.groupRows, p.Cols), n)
	}
	if !l.sending {
		return false
	}
	if a.changed {
		a.device.SetInput(l.in.Rows())
		a.changed = false
	}
	if a.leaser != nil {
		return a.device.Multiply(l.dst, l.out, p, a.leaser.Lease())
	}
	defer a.device.Finish() // before the part is gone
	return a.device.Multiply(l.dst, l.out, p, nil)
}
