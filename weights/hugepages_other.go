//go:build unix && !linux

package weights

// adviseHugePages does nothing: the system chooses its pages by itself.
func adviseHugePages([]byte) {}
