//go:build !purego && !linux

package amd64

// permitTiles reports that tile registers may not be used: how other systems permit them is not known here.
func permitTiles() bool { return false }
