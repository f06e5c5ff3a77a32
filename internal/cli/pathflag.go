package cli

import (
	"errors"

	"github.com/spf13/pflag"
)

// pathFlag is a flag that names a file or folder. An empty one, as of a shell variable that is not set, is a mistake and not the default.
type pathFlag struct{ path *string }

// PathFlag returns the value of a flag that names a file or folder.
func PathFlag(path *string) pflag.Value { return pathFlag{path} }

func (f pathFlag) String() string {
	if f.path == nil {
		return ""
	}
	return *f.path
}

// Set takes the value of the flag.
func (f pathFlag) Set(value string) error {
	if value == "" {
		return errors.New("it is empty; leave the flag out for the default")
	}
	*f.path = value
	return nil
}

// Type is what help calls the value.
func (pathFlag) Type() string { return "string" }
