// Package fastrpctest stands for the kernel and the DSP in tests of what makes calls by FastRPC. It reads the arguments of requests at the
// places where the headers of the kernel's drivers have them, asks the host for the module as the DSP does, and counts what is left open. What
// computes is a [Processor].
//
// # Errors
//
// [Kernel].Fault chooses what calls fail with: an errno, a [fastrpc.Code], or [ErrDead] and [ErrHang], which stand for what happens to the DSP.
package fastrpctest
