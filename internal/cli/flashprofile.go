package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/lever-go/lever/flashsim"
	"github.com/lever-go/lever/profile"
)

// hotSuffix after the name of a file with the profile of a machine means its flash after a minute of work.
const hotSuffix = ":hot"

// LoadFlash returns a built-in flash profile, or that in a file, which may be one that lever profile or lever doctor wrote.
func LoadFlash(nameOrFile string) (*flashsim.Profile, error) {
	file, hot := strings.CutSuffix(nameOrFile, hotSuffix)
	flash, err := flashsim.Load(file)
	measured, loadErr := profile.Load(file)
	switch {
	case loadErr == nil && !hot:
		return measured.Flash.Emulate(file)
	case loadErr == nil && measured.Device != nil && measured.Device.Hot != nil:
		return measured.Device.Hot.Emulate(nameOrFile)
	case hot && (loadErr == nil || err == nil):
		return nil, fmt.Errorf("%s says nothing of hot flash; lever doctor measures it", file)
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
