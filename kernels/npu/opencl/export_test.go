package opencl

// OpenLanes opens a device whose work-items compute so many rows of weights.
func OpenLanes(config string, lanes int) (*Device, error) { return open(config, lanes) }
