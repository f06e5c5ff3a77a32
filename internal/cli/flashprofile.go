package cli

import (
	"fmt"
	"io"

	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/profile"
)

// LoadFlash returns a built-in flash profile, or that in a file, which may be one that lever profile wrote.
func LoadFlash(nameOrFile string) (*flashsim.Profile, error) {
	flash, err := flashsim.Load(nameOrFile)
	if measured, loadErr := profile.Load(nameOrFile); err != nil && loadErr == nil {
		flash, err = measured.Flash.Emulate(nameOrFile)
	}
	return flash, err
}

// NewThrottle returns the flash device of a profile.
func NewThrottle(nameOrFile string) (*flashsim.Throttle, error) {
	flash, err := LoadFlash(nameOrFile)
	if err != nil {
		return nil, err
	}
	return flashsim.NewThrottle(flash, flashsim.Options{})
}

// maxOverrun is the part of the time of reading that may be lost to this machine's own storage before it is worth a word.
const maxOverrun = 0.05

// PrintOverrun says so where this machine was too slow for the flash device that it was to stand for.
func PrintOverrun(out io.Writer, s flashsim.Stats) {
	if part := s.Overrun.Seconds() / s.ReadTime.Seconds(); part > maxOverrun {
		fmt.Fprintf(out, "lever: this machine is slower than the flash profile: %.0f %% of the time to read is its own\n", 100*part)
	}
}
