// Package arm64 holds the kernel sets in arm64 assembly. See "Writing a kernel set" in package kernels.
package arm64
