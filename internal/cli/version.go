package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/lever-go/lever/kernels"
)

// VersionText describes the program from what the Go command noted when it was built.
func VersionText() string {
	version, commit, changed := "(unknown version)", "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = cmp.Or(info.Main.Version, version)
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = " commit " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = ", changed since"
			}
		}
	}
	return fmt.Sprintf("%s%s%s, %s, %s/%s, kernels %s", version, commit, changed, runtime.Version(), runtime.GOOS, runtime.GOARCH, kernels.Default().Name())
}
