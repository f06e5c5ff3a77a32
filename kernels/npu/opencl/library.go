package opencl

// A function is one of those of OpenCL that the driver calls. All are of version 1.2 or older.
type function int

const (
	getPlatformIDs function = iota
	getPlatformInfo
	getDeviceIDs
	getDeviceInfo
	createContext
	releaseContext
	createCommandQueue
	releaseCommandQueue
	createProgramWithSource
	buildProgram
	getProgramBuildInfo
	releaseProgram
	createKernel
	releaseKernel
	setKernelArg
	createBuffer
	releaseMemObject
	enqueueNDRangeKernel
	enqueueReadBuffer
	enqueueWriteBuffer
	enqueueMarker
	flush
	finish
	waitForEvents
	getEventInfo
	releaseEvent
	functions
)

var functionNames = [functions]string{
	getPlatformIDs:          "clGetPlatformIDs",
	getPlatformInfo:         "clGetPlatformInfo",
	getDeviceIDs:            "clGetDeviceIDs",
	getDeviceInfo:           "clGetDeviceInfo",
	createContext:           "clCreateContext",
	releaseContext:          "clReleaseContext",
	createCommandQueue:      "clCreateCommandQueue",
	releaseCommandQueue:     "clReleaseCommandQueue",
	createProgramWithSource: "clCreateProgramWithSource",
	buildProgram:            "clBuildProgram",
	getProgramBuildInfo:     "clGetProgramBuildInfo",
	releaseProgram:          "clReleaseProgram",
	createKernel:            "clCreateKernel",
	releaseKernel:           "clReleaseKernel",
	setKernelArg:            "clSetKernelArg",
	createBuffer:            "clCreateBuffer",
	releaseMemObject:        "clReleaseMemObject",
	enqueueNDRangeKernel:    "clEnqueueNDRangeKernel",
	enqueueReadBuffer:       "clEnqueueReadBuffer",
	enqueueWriteBuffer:      "clEnqueueWriteBuffer",
	enqueueMarker:           "clEnqueueMarkerWithWaitList",
	flush:                   "clFlush",
	finish:                  "clFinish",
	waitForEvents:           "clWaitForEvents",
	getEventInfo:            "clGetEventInfo",
	releaseEvent:            "clReleaseEvent",
}

// library is the system's OpenCL, opened once and never closed.
type library struct {
	address [functions]uintptr
}

// handle is an object of OpenCL; 0 is none.
type handle uintptr

// Constants of CL/cl.h that the driver uses.
const (
	platformName = 0x0902

	deviceTypeAll         = 0xffffffff
	deviceTypeCPU         = 1 << 1
	deviceTypeGPU         = 1 << 2
	deviceTypeAccelerator = 1 << 3

	deviceType            = 0x1000
	deviceMaxAllocSize    = 0x1010
	deviceMemBaseAddrBits = 0x1019
	deviceName            = 0x102b
	deviceExtensions      = 0x1030

	programBuildLog = 0x1183

	eventStatus = 0x11d3

	memReadWrite  = 1 << 0
	memReadOnly   = 1 << 2
	memUseHostPtr = 1 << 3
	memCopyHost   = 1 << 5
)
