package main

import (
	"github.com/lever-go/lever/bench/profile"
	"github.com/lever-go/lever/weights"
)

// throttled returns what opens files so that they are read at the speed of a flash device: that of a built-in profile, or of a file, which may
// be one that lever profile wrote. Without a name it returns nil.
func throttled(nameOrFile string) (func(path string) (weights.File, error), error) {
	if nameOrFile == "" {
		return nil, nil
	}
	flash, err := weights.LoadFlashProfile(nameOrFile)
	if measured, loadErr := profile.Load(nameOrFile); err != nil && loadErr == nil {
		flash, err = measured.Flash.Emulate(nameOrFile)
	}
	if err != nil {
		return nil, err
	}
	throttle, err := weights.NewThrottle(flash, weights.ThrottleOptions{})
	if err != nil {
		return nil, err
	}
	return throttle.Opener(nil), nil
}
