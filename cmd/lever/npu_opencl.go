//go:build linux && opencl

package main

import _ "github.com/lever-go/lever/kernels/npu/opencl"
