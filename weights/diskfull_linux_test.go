package weights

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lever-go/lever/tensor"
)

// A disk that is really full: conversion says so and leaves it as it was.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("skipped: needs the right to mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	m := newModel(smallShape, false)
	src := m.made(t, tensor.F32)
	err := Write(t.Context(), src, filepath.Join(dir, "x.lever"), WriteOptions{Type: tensor.F16})
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v", err)
	}
	onlyEntries(t, dir)
}
