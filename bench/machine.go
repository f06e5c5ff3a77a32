package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/lever-go/lever/internal/host"
	"github.com/lever-go/lever/kernels"
)

// Machine is where and with what an experiment ran.
type Machine struct {
	Time       time.Time `json:"time"`
	System     string    `json:"system"` // GOOS/GOARCH
	Processor  string    `json:"processor,omitempty"`
	Processors int       `json:"processors"`
	Kernels    string    `json:"kernels"`
	Go         string    `json:"go"`
	// Commit is that of the source, with "+" where the work tree had changes; empty if it is not known.
	Commit string `json:"commit,omitempty"`
	// Load is the system's load average over a minute when the experiment began: what else the processors had to do.
	Load string `json:"load,omitempty"`
}

// ThisMachine describes the machine now.
func ThisMachine() Machine {
	return Machine{
		Time:       time.Now().UTC().Truncate(time.Second),
		System:     runtime.GOOS + "/" + runtime.GOARCH,
		Processor:  host.Processor(),
		Processors: runtime.NumCPU(),
		Kernels:    kernels.Default().Name(),
		Go:         runtime.Version(),
		Commit:     commit(),
		Load:       host.Load(),
	}
}

func (m Machine) String() string {
	name := m.Processor
	if name == "" {
		name = "processor"
	}
	text := fmt.Sprintf("%s, %d × %s, kernels %s, %s", m.System, m.Processors, name, m.Kernels, m.Go)
	if m.Commit != "" {
		text += ", commit " + m.Commit
	}
	return text
}

// commit returns the commit that the program was built from or, where the build does not know, that of the work tree it runs in.
func commit() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		revision, modified := "", ""
		for _, s := range build.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = "+"
			}
		}
		if revision != "" {
			return revision[:min(12, len(revision))] + modified
		}
	}
	revision, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	modified := ""
	if changes, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(changes) > 0 {
		modified = "+"
	}
	return string(bytes.TrimSpace(revision)) + modified
}
