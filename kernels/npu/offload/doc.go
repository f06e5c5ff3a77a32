// Package offload decides which products run on a device and which on the CPU, and runs those of the device: it keeps programs and buffers,
// several submits under way, and falls back to the CPU whenever the device can't.
//
// # Placement
//
// The unit of a decision is a group of projections of the same rows: q, k and v; gate and up; one alone. The CPU and the device have
// [npu.Costs], which are known or are measured in [Scheduler.Prepare]. The group goes where
//
//	CPU:  bytes / rate(rows)
//	NPU:  submit + Σ bytes / rate(batch), over the batches that the rows are padded to
//
// is less. So small draft waves stay on the CPU and large ones are batched on the device where it pays, and nothing is hard-wired. A
// [Place] other than Auto forces one or the other.
//
// # Running
//
// A [Queue] belongs to one consumer. While the device computes a part, the consumer already gets the next one from its stream; the part stays
// leased until the device has done with it. A second goroutine waits for the device, copies results out and gives leases back, in order.
//
// # Falling back
//
// What the device refuses or fails at, the CPU computes at once, and [Stats] counts it. After ErrLost everything runs on the CPU; after
// ErrOutOfMemory everything does for a while, which gets longer each time.
//
// # Exactness
//
// On a device with [npu.RoundingExact] it makes no difference where a row is computed, and CPU and device may be mixed at will. On any
// other, rows of the target's text must not be: there Auto is decided once for all, whatever the number of rows, so that speculation does
// not change what the same device writes without it. What falls back then is rounded as the CPU rounds: a generation during which a device
// with a rounding of its own fails is a right one, but need not be the one that it would have been.
//
// Limits: the operations beside products stay on the CPU.
//
// # Errors
//
// A [Queue] has none: the CPU does what the device can't. [Scheduler.Prepare], [MeasureCPU] and [MeasureDevice] return those of the device,
// such as [npu.ErrUnsupported] for one that multiplies none of the types, and the error of the context.
package offload
