//go:build purego || !amd64

package crc32c

const canFold = false

func fold([]byte, *[2]uint64) uint32 { panic("crc32c: fold: not on this processor") }
