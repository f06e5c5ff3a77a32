// Package host looks at the machine that the process runs on: how many cores are worth giving work to and which, how much memory there is to
// have and was had, what the processor is called. It also ties threads to cores, and has Go's scheduler make room for threads that wait.
//
//	threads := host.PerformanceCores()
//
// What a system does not tell is zero, empty or an error that wraps [errors.ErrUnsupported]. What a processor can compute is asked where that is
// used, in package kernels.
package host
