package host

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// AvailableMemory returns how many bytes of memory the system can give to this process without taking them from others: on Linux and
// Android what the kernel estimates (MemAvailable), or what the control groups of the process, of version 1 or 2, leave to their
// limits, if that is less: memory.max, and memory.high, which Android's memory limiter sets for each app. Memory of a group that merely
// caches files counts as available. Other systems do not tell.
func AvailableMemory() (int64, error) {
	if runtime.GOOS != "linux" && runtime.GOOS != "android" {
		return 0, fmt.Errorf("available memory: %s does not tell how much there is: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return availableMemory(os.DirFS("/"))
}

// TotalMemory returns how many bytes of memory the machine has, or 0 where the system does not tell as Linux and Android do.
func TotalMemory() int64 { return totalMemory(os.DirFS("/")) }

func totalMemory(root fs.FS) int64 {
	info, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	kilobytes, _ := entry(info, "MemTotal:")
	return kilobytes << 10
}

// availableMemory reads what the files below root say.
func availableMemory(root fs.FS) (int64, error) {
	info, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("available memory: %w", err)
	}
	kilobytes, ok := entry(info, "MemAvailable:")
	if !ok {
		return 0, fmt.Errorf("available memory: the kernel does not tell MemAvailable: %w", errors.ErrUnsupported)
	}
	available := kilobytes << 10
	for _, g := range controlGroups(root) {
		// A group is bound by the limits of all above it.
		for dir := g.dir; ; dir = path.Dir(dir) {
			if left, ok := g.left(root, dir); ok {
				available = min(available, left)
			}
			if dir == g.mount {
				break
			}
		}
	}
	return max(available, 0), nil
}

// controlGroup is a group of the process that may limit its memory.
type controlGroup struct {
	mount, dir                      string // the folder of its hierarchy and its own, relative to the root of the file system
	limit, high, usage, reclaimable string // files with the limits and with what is used, and the entry of memory.stat for what could be given back
}

// controlGroups finds the groups of the process.
func controlGroups(root fs.FS) []controlGroup {
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var groups []controlGroup
	for line := range bytes.Lines(mounts) {
		// … root, mount point, options … - type, source, options of the file system
		place, kind, found := strings.Cut(string(line), " - ")
		a, b := strings.Fields(place), strings.Fields(kind)
		if !found || len(a) < 5 || len(b) < 3 {
			continue
		}
		g := controlGroup{mount: strings.TrimPrefix(a[4], "/")}
		controller := ""
		switch {
		case b[0] == "cgroup2":
			g.limit, g.high, g.usage, g.reclaimable = "memory.max", "memory.high", "memory.current", "inactive_file"
		case b[0] == "cgroup" && strings.Contains(","+b[2]+",", ",memory,"):
			controller = "memory"
			g.limit, g.high, g.usage, g.reclaimable = "memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		default:
			continue
		}
		// Inside a container the path of the group may lie outside of what is mounted: then the mount is the group's own.
		g.dir = g.mount
		if below, ok := strings.CutPrefix(groupPath(root, controller), strings.TrimSuffix(a[3], "/")); ok {
			if dir := path.Join(g.mount, below); strings.HasPrefix(dir, g.mount+"/") {
				g.dir = dir
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// groupPath returns the path of the process's group in the hierarchy of a controller; that of version 2 has none.
func groupPath(root fs.FS, controller string) string {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) == 3 && strings.Contains(","+parts[1]+",", ","+controller+",") {
			return parts[2]
		}
	}
	return ""
}

// left returns what the limits of the group in dir leaves; ok is false where it has none.
func (g controlGroup) left(root fs.FS, dir string) (left int64, ok bool) {
	limit := int64(math.MaxInt64)
	for _, file := range []string{g.limit, g.high} { // what exceeds the second is taken away, or slowed down
		if n, err := number(root, path.Join(dir, file)); err == nil {
			limit = min(limit, n)
		}
	}
	if limit >= math.MaxInt64/2 {
		return 0, false
	}
	usage, err := number(root, path.Join(dir, g.usage))
	if err != nil {
		return 0, false
	}
	stat, err := fs.ReadFile(root, path.Join(dir, "memory.stat"))
	if err == nil {
		if cached, ok := entry(stat, g.reclaimable); ok {
			usage -= min(cached, usage)
		}
	}
	return limit - usage, true
}

// number reads a file that holds a number.
func number(root fs.FS, name string) (int64, error) {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, nil
	}
	return n, err
}

// entry returns the number that follows key at the start of a line.
func entry(text []byte, key string) (int64, bool) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) >= 2 && f[0] == key {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
