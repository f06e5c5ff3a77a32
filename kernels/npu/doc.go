// Package npu is how Lever offloads work to an NPU, a GPU or any other engine beside the CPU: a small interface, graphs of a few operations,
// and a registry of drivers. The drivers are packages below it.
//
// # Shape
//
//  1. A [Device] is a session. Its [Capabilities] say which operations, weight types and batch sizes it takes, and how its rounding relates to
//     the CPU's.
//  2. A [Buffer] is memory of the device outside the Go heap. The CPU writes to its Bytes and calls Flush; the device writes, and the CPU
//     calls Invalidate before it reads. All rows, vectors and caches lie in buffers, so that a driver with shared memory copies nothing.
//  3. Weights are inputs, not part of a program, because they are streamed: a Submit binds the packed parts that a stream yields
//     ([tensor.Packed], 1 to 8 MiB each), wherever they lie. They are leased until the event is done.
//  4. A [Graph] is a list of steps on operands: a product ([Projection]) or a whole transformer block ([Block]). Masks, angles and
//     caches are operands, so that one [Program], compiled for one batch size, serves every tree and position.
//  5. Submit pads a batch to the program's size, returns an [Event] at once, and programs run in the order of their submits. Some queues
//     hold one program, others many: [Capabilities].Queue.
//
// # Usage
//
//	d, err := npu.Open(ctx, "host")
//	caps := d.Capabilities()
//	batch := caps.Batch(rows)
//	p, err := d.Compile(npu.Projection(w.Type, w.Rows, w.Cols), batch) // once per shape and batch size
//	x, err := d.Alloc(4 * batch * w.Cols)
//	y, err := d.Alloc(4 * batch * w.Rows)
//	…                                                                  // write the rows to x.Bytes()
//	err = x.Flush(0, 4*rows*w.Cols)
//	e, err := p.Submit(ctx, rows, []npu.Binding{{Parts: []tensor.Packed{w}}, {Buffer: x}, {Buffer: y}})
//	…                                                                  // read the next part meanwhile
//	err = e.Wait(ctx)
//	err = y.Invalidate(0, 4*rows*w.Rows)
//
// Errors wrap [ErrUnsupported], [ErrOutOfMemory] or [ErrLost] where the caller can do the work on the CPU instead. It always can: no
// program changes anything but its outputs.
//
// # Writing a driver
//
//  1. Implement [Device], Buffer, Program and Event; 13 methods in all. Claim only what is fast: what is not claimed runs on the CPU. Call
//     [Graph.Check] first in Compile and [Graph.CheckSubmit] first in Submit; what passes them has the right shapes and sizes. A graph that
//     is well-formed but too large or of another form than the driver knows is ErrUnsupported; a driver may take single products only.
//  2. A queue whose device has no completion of its own (an OpenCL command queue, a Hexagon op queue over FastRPC) maps as follows. Compile
//     picks kernels and allocates temporary operands; a step becomes a kernel launch or an op message. Submit writes them in order and keeps
//     what it borrowed; Event.Wait blocks on the last one's completion, on a goroutine of the driver where ctx must be able to interrupt it.
//     Rows of a batch beyond those submitted may hold anything, NaN too, and must not disturb the others.
//  3. A part of the weights that lies in a buffer of the driver (by its address) can be used where it is; another is copied, or mapped. Where
//     [Binding].Unchanged is set, rows need not be copied or quantised again.
//  4. Say honestly in [Capabilities].Rounding whether results are the CPU's bits, batch-invariant, or neither.
//  5. Open libraries at run time (github.com/ebitengine/purego), never link them. [Register] an Opener in init; where the library or the
//     device is missing it returns an error, and the driver is absent, which stops nobody.
//  6. Run [github.com/lever-go/lever/kernels/npu/nputest.TestDevice], also with -race.
//
// Optional upgrades are found by type assertion on the Device: [Coster] gives costs without measuring them.
//
// # Limits
//
// A device is not shared by processes. Graphs have one batch dimension, rotary angles pair the halves of heads, and caches are F16.
//
// # Errors
//
//   - [ErrUnsupported]: the device can't do this at all, or there is no such driver.
//   - [ErrOutOfMemory]: it has no room now; the same may succeed later.
//   - [ErrLost]: the session is gone. Close it and open another.
package npu
