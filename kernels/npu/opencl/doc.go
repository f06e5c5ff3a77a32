// Package opencl is a driver for GPUs and other devices that have OpenCL 1.2 or newer. The system's library is opened at run time, without
// cgo; where it is missing the driver is absent. Importing the package registers it under the name "opencl"; what follows a colon, as
// in "opencl:adreno", chooses the first device whose name or platform contains it.
//
// # What it computes
//
// Products with matrices of every packed type, on the layout of [tensor.Packed] as it is, with kernels of its own (products.cl) that are
// built once for a device. Activations are quantised on the device, once for all products that are submitted with XUnchanged.
//
// # Rounding
//
// A row's result depends on nothing but the row: each sum has one order, whatever the batch. Every float operation is that of the
// scalar reference of package kernels, in its order and with its rounding; divisions, which OpenCL rounds loosely, are corrected with fused
// multiply-adds. With PoCL the results are the reference's bit for bit, special values included. A GPU that flushes subnormal numbers to
// zero differs where they occur.
//
// # Memory
//
// A buffer is memory of the CPU, outside the Go heap, that a device with shared memory uses where it is. Parts of weights are used where
// they are if they lie in such a buffer or begin at a multiple of the device's base alignment, and are copied otherwise; the device has
// hold of them only until the event is done.
//
// # Where it has run
//
// On PoCL, an implementation of OpenCL on the CPU, and nowhere else. On a CPU a work-item computes 16 rows of weights in the lanes of vectors;
// the form for GPUs, one row each with reads that neighbours share, is tested on PoCL as well, but how fast it is on a GPU is not known.
// It reads plain buffers: no images. Work-items of a product have nothing to tell each other, so that there is no use for sub-groups
// there. The products of four bytes of cl_khr_integer_dot_product, which newer Adreno and Mali drivers have, are used where they exist,
// which PoCL 3 does not: that variant has never run, nor has the driver on a phone.
//
// # Limits
//
// Linux and Android on amd64 and arm64; on Android the program must be built with cgo, which package purego needs there:
// docs/opencl-and-hexagon.md says why. A Linux program
// that imports this package is linked dynamically, to libc and libdl.
//
// # Errors
//
// [Open] says in words which library or device is missing. The others are those of package npu, with OpenCL's name for what went wrong:
// [npu.ErrUnsupported], [npu.ErrOutOfMemory], and [npu.ErrLost] after a command was broken off; and [io/fs.ErrClosed] after Close.
package opencl
