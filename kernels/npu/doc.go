// Package npu is how Lever offloads products of weights with activations to an NPU, a GPU or any other processor beside the CPU: a
// small interface and a registry of drivers. The drivers are packages below it.
//
// # Shape
//
//  1. A [Device] is a session. Its [Capabilities] say which weight types and batch sizes it takes, and how its rounding relates to the CPU's.
//  2. A [Buffer] is memory of the device outside the Go heap. The CPU writes to its Bytes and calls Flush; the device writes, and the CPU
//     calls Invalidate before it reads. Activations and results lie in buffers, so that a driver with shared memory copies nothing.
//  3. Compile makes a [Program] of a [Product] for one batch size. Weights are operands, not part of the program, because they are streamed: a
//     Submit gets a packed part as a stream yields it ([tensor.Packed], 1 to 8 MiB), wherever it lies. It is leased until the event is done.
//  4. Submit pads a batch to the program's size and returns an [Event] at once. Programs run in the order of their submits.
//
// # Usage
//
//	d, err := npu.Open(ctx, "host")
//	caps := d.Capabilities()
//	batch := caps.Batch(rows)
//	p, err := d.Compile(npu.Product{Type: w.Type, Rows: w.Rows, Cols: w.Cols}, batch) // once per shape and batch size
//	x, err := d.Alloc(4 * batch * w.Cols)
//	y, err := d.Alloc(4 * batch * w.Rows)
//	…                                                                                 // write the rows to x.Bytes()
//	err = x.Flush(0, 4*rows*w.Cols)
//	e, err := p.Submit(ctx, rows, npu.Operands{W: w, X: x, Y: y})
//	…                                                                                 // read the next part meanwhile
//	err = e.Wait(ctx)
//	err = y.Invalidate(0, 4*rows*w.Rows)
//
// Errors wrap [ErrUnsupported], [ErrOutOfMemory] or [ErrLost] where the caller can do the work on the CPU instead. It always can: no
// program changes anything but its outputs.
//
// # Writing a driver
//
//  1. Implement [Device], Buffer, Program and Event; 11 methods in all. Claim only what is fast: what is not claimed runs on the CPU. Call
//     [Product.Check] first in Compile and [Product.CheckSubmit] first in Submit; what passes them has the right shapes and sizes. A product that
//     is well-formed but larger than the driver can compute is ErrUnsupported.
//  2. A queue whose device has no completion of its own (an OpenCL command queue, a Hexagon op queue over FastRPC) maps as follows. Submit
//     writes a kernel launch or an op message and keeps what it borrowed; Event.Wait blocks on its completion, on a goroutine of the driver
//     where ctx must be able to interrupt it; [Await] waits for that. Rows of a batch beyond those submitted may hold anything, NaN too, and must not disturb the others.
//  3. Weights that lie in a buffer of the driver (by their address) can be used where they are; others are copied, or mapped. Where
//     [Operands].XUnchanged is set, rows need not be copied or quantised again.
//  4. Say honestly in [Capabilities].Rounding whether results are the CPU's bits, batch-invariant, or neither.
//  5. Open libraries at run time (github.com/ebitengine/purego), never link them. [Register] an Opener in init; where the library or the
//     device is missing it returns an error: the driver is absent then, and Lever goes on without it.
//  6. Run [github.com/lever-go/lever/kernels/npu/nputest.TestDevice], also with -race.
//
// Optional upgrades are found by type assertion on the Device: [Coster] gives costs without measuring them, [WeightAllocator] memory for weights
// that stay.
//
// # Limits
//
// A device is not shared by processes. Norms, attention and activation functions run on the CPU.
//
// # Errors
//
//   - [ErrUnsupported]: the device can't do this at all, or there is no such driver.
//   - [ErrOutOfMemory]: it has no room now; the same may succeed later.
//   - [ErrLost]: the session is gone. Close it and open another.
package npu
