// Package fastrpc makes calls to the compute DSP of Qualcomm's systems-on-chip, the NPU of most phones, as FastRPC: with system calls of Linux
// alone, without a vendor's library and without cgo. It opens a process on the DSP, loads a module into it, shares memory with it, and calls
// the module. Package hexagon is the driver that stands on it.
//
// # Protocol
//
//  1. A device file of the kernel is opened. There are two kernel drivers with interfaces of their own: Linux's (/dev/fastrpc-cdsp-secure and
//     /dev/fastrpc-cdsp; include/uapi/misc/fastrpc.h), and that of Qualcomm's older Android kernels (/dev/adsprpc-smd; adsprpc_shared.h).
//  2. A process is created on the DSP from a program that the phone's maker has put on its file system, fastrpc_shell_unsigned_3. Unsigned
//     means that it takes modules that nobody has signed, with fewer rights.
//  3. A call has a handle, which names a module on the DSP, and a word of scalars: the method in bits 24 to 28, and the numbers of buffers that
//     go in (bits 16 to 23) and come out (bits 8 to 15). Modules that are always there have the handles 0 (which loads modules), 3 and 4.
//  4. A goroutine waits in a call of handle 3 for what the DSP asks of the host, and answers with the next such call: the module's file, of
//     which the DSP opens, seeks and reads parts, and memory for its heap. Other files are refused.
//  5. Shared memory is a dma-buf of /dev/dma_heap/system, of /dev/ion on older Android kernels, or of the device where there is neither, mapped
//     here and in the process of the DSP. Its addresses on the DSP have 32 bits: that is all that a session can map at a time.
//
// # Usage
//
//	s, err := fastrpc.Open(ctx, fastrpc.System(), module, fastrpc.CallLimit)
//	m, err := s.Alloc(1 << 20)
//	…                                  // write to m.Bytes()
//	err = m.Flush()
//	err = s.Call(2, words(m.Address()), nil) // m.Address is the DSP's
//	err = m.Invalidate()
//	err = errors.Join(m.Free(), s.Close())
//
// # Errors
//
// [Open] says what it looked for and what to do. Errors wrap [npu.ErrUnsupported], [npu.ErrOutOfMemory] or [npu.ErrLost] where they apply, and the
// cause: a [Code] of the DSP or an errno of the kernel. [ErrNoAddresses] is the [npu.ErrOutOfMemory] of mapping. A call that the DSP does not answer
// in time loses the session, as does every failed call of a module: what the process is in is not known then.
//
// # Limits
//
// Linux and Android on arm64 and amd64. Tests stand for kernel and DSP ([github.com/lever-go/lever/kernels/npu/fastrpc/fastrpctest]): no phone has
// run this package.
package fastrpc
