package layers

import (
	"context"

	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/tensor"
)

// Offloader computes products beside the CPU, for one [Decoder]; *offload.Queue of package kernels/npu/offload is one.
type Offloader interface {
	// Takes reports whether a group of products of n rows is to be computed here, whose weights are of one type and so many bytes; head says
	// that they are those of the output head.
	Takes(head bool, d tensor.DType, bytes, n int) bool
	// Multiply starts the product of the rows of in with a part of a matrix, of at most 8 MiB unless one tile is larger; the arguments are those of
	// [kernels.MatMul]. The products between two calls of Finish have the same in, which is borrowed until then. release, if not nil, is called when the
	// part is no longer used; without it the caller keeps the part until Finish. If Multiply does not take the product, it returns false and has called
	// release.
	Multiply(dst []float32, ldd int, p tensor.Packed, in *kernels.Input, release func()) bool
	// Finish returns when all products are computed.
	Finish()
}

// Offload makes the layers compute products with o where it takes them. It stays the caller's, and serves no other Workspace.
func (ws *Workspace) Offload(o Offloader) {
	ws.offloader = o
	ws.leaser, _ = ws.weights.(Leaser)
}

// finish waits for the products that are computed beside the CPU.
func (ws *Workspace) finish() {
	if ws.offloader != nil {
		ws.offloader.Finish()
	}
}

// group is projections of the same rows, which are computed in one place.
type group []*Linear

func newGroup(g ...*Linear) group {
	rows := 0
	for _, l := range g {
		rows += l.stored
	}
	for _, l := range g {
		l.groupRows = rows
		l.first = g[0]
	}
	return g
}

// ProductGroup names matrices that multiply the same rows, and so are computed in one place.
type ProductGroup struct {
	Tensors []string
	Head    bool // they are the output head
	// Experts, if it is not 0, says that they are of the first of so many alike, of which each row takes Chosen.
	Experts, Chosen int
}

// Products returns what a pass multiplies, in the order in which its parts were built. Whole matrices are named.
func (d *Decoder) Products() []ProductGroup { return d.ws.Products() }

// Products returns what the layers that were built on ws multiply.
func (ws *Workspace) Products() []ProductGroup {
	var all []ProductGroup
	at := map[*Linear]int{}
	for _, l := range ws.linears {
		if l.alike {
			continue
		}
		i, ok := at[l.first]
		if !ok {
			i = len(all)
			at[l.first] = i
			all = append(all, ProductGroup{Head: l.head, Experts: l.experts, Chosen: l.chosen})
		}
		all[i].Tensors = append(all[i].Tensors, l.Name())
	}
	return all
}

// forward writes the projection of each row of in by each matrix to an element of dst; see [Linear.Forward]. An
// [Offloader] gets all that is to do before anybody waits for it.
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

// offloadBytes is the most of a matrix that an [Offloader] gets at once, as much as a part of a stream has: devices bound rows, and take memory for the results
// of each product.
const offloadBytes = 8 << 20

// together returns how many rows of a part are computed together: all, unless an offloader is to compute this product. On the first part that is chosen.
func (l *Linear) together(p tensor.Packed) int {
	if o := l.ws.offloader; o != nil && p.Row == 0 {
		_, n, _ := l.in.Rows()
		l.sending = o.Takes(l.head, p.Type, tensor.PackedBytes(p.Type, l.groupRows, p.Cols), n)
	}
	if !l.sending {
		return p.Rows
	}
	return max(1, offloadBytes/tensor.PackedBytes(p.Type, tensor.TileRows, p.Cols)) * tensor.TileRows
}

// send hands a piece of a part to the offloader, if that is to compute this product and can.
func (l *Linear) send(p tensor.Packed) bool {
	o := l.ws.offloader
	if !l.sending {
		return false
	}
	if l.ws.leaser != nil {
		return o.Multiply(l.dst, l.out, p, l.in, l.ws.leaser.Lease())
	}
	defer o.Finish() // before the part is gone
	return o.Multiply(l.dst, l.out, p, l.in, nil)
}
