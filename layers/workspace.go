package layers

import "github.com/lever-go/lever/kernels"

// Workspace is what the layers of one model share: the source of weights, the workers, and scratch memory, which is
// allocated when layers are built and reused by each of them in turn. Layers of one Workspace run one after the other; they
// and the Workspace are not safe for concurrent use.
type Workspace struct {
	weights Weights
	pool    *kernels.Pool
	maxRows int
	wiring  wiring
	linears []*Linear // in the order in which they were built

	input     kernels.Input
	offloader Offloader                  // which may be nil
	leaser    Leaser                     // the source of weights, or nil if its parts can't be kept
	observer  Observer                   // which may be nil
	observed  bool                       // the observer has seen input
	attention []kernels.AttentionScratch // one per worker

	// Rows of the layer at work, each [maxRows][the largest width asked for].
	norm, out   []float32 // Block: normalised rows, what a sub-layer adds
	q, k, v     []float32 // Attention: projections
	mixed       []float32 // Attention, ShortConv: rows before the output projection
	projected   []float32 // ShortConv: input projection
	gate, inner []float32 // MLP
	routed      []float32 // Experts: scores of the router
	gathered    []float32 // Experts: rows that have chosen the expert at work
	expert      []float32 // Experts: what they make of them
	stripe      []float32 // Linear: products on their way to rows that do not lie side by side

	cold    [][4]int // by the number of a pending row: see Sequence.Cold
	quarter int      // of the layers, which is at work
	experts int      // of a pass: uses of experts by rows, and experts that have to be read
}

// NewWorkspace returns a Workspace for passes of at most maxRows rows. A nil pool computes on the calling goroutine. The pool
// stays the caller's.
func NewWorkspace(w Weights, pool *kernels.Pool, maxRows int) *Workspace {
	return &Workspace{weights: w, pool: pool, maxRows: max(maxRows, 0), attention: make([]kernels.AttentionScratch, pool.Workers())}
}

// Weights returns the source of weights.
func (ws *Workspace) Weights() Weights { return ws.weights }

// Pool returns the workers; nil stands for the calling goroutine, as it does for every function of package kernels that takes a pool.
func (ws *Workspace) Pool() *kernels.Pool { return ws.pool }

// MaxRows returns the largest number of rows of one pass.
func (ws *Workspace) MaxRows() int { return ws.maxRows }

// Kernels returns the kernel set of the pool, with which every layer computes.
func (ws *Workspace) Kernels() *kernels.Set { return ws.pool.Set() }

// Input returns x, n rows of k elements, as the input of one or more [Linear] layers, which share its quantised form. It
// borrows x and is valid until the next call.
func (ws *Workspace) Input(x []float32, n, k int) *kernels.Input {
	ws.input.Reset(x, n, k)
	ws.observed = false
	return &ws.input
}

// countCold counts an expert that has to be read for a pending row.
func (ws *Workspace) countCold(row int) {
	for len(ws.cold) <= row {
		ws.cold = append(ws.cold, [4]int{})
	}
	ws.cold[row][ws.quarter]++
	ws.experts++
}

// Observer sees x [rows][cols], the rows that a matrix is about to be multiplied with, which it must not change or keep. again says that they are those
// that it saw last: matrices share their input, and which ones do is the same in each pass.
type Observer func(matrix string, x []float32, rows, cols int, again bool)

// Observe has o called before each product with a whole matrix.
func (ws *Workspace) Observe(o Observer) { ws.observer = o }

// observe calls the observer, if there is one.
func (ws *Workspace) observe(matrix string, in *kernels.Input) {
	if ws.observer != nil {
		x, n, k := in.Rows()
		ws.observer(matrix, x, n, k, in == &ws.input && ws.observed)
		ws.observed = in == &ws.input
	}
}

// reserve makes a scratch buffer hold maxRows rows of the given width.
func (ws *Workspace) reserve(buffer *[]float32, width int) {
	if n := ws.maxRows * width; len(*buffer) < n {
		*buffer = make([]float32, n)
	}
}
