//go:build unix && !linux

package offheap

// adviseHugePages does nothing: the system chooses its pages by itself.
func adviseHugePages([]byte) {}
