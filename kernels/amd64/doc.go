// Package amd64 holds the kernel sets in amd64 assembly. See "Writing a kernel set" in package kernels.
package amd64
