package host

import (
	"errors"
	"io/fs"
	"runtime"
	"testing"
	"testing/fstest"
)

func TestAvailableMemory(t *testing.T) {
	const meminfo = "MemTotal:       1000000 kB\nMemAvailable:    500000 kB\n"
	const (
		mountV2   = "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
		mountV1   = "29 20 0:25 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n30 20 0:26 / /sys/fs/cgroup/memory rw shared:4 - cgroup cgroup rw,memory\n"
		containV2 = "30 20 0:26 /pod/box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	)
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no groups", nil, 512000000},
		{"version 2", map[string]string{
			"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/app/run\n",
			"sys/fs/cgroup/app/run/memory.max": "300000000\n", "sys/fs/cgroup/app/run/memory.current": "250000000\n",
			"sys/fs/cgroup/app/run/memory.stat": "anon 1\ninactive_file 50000000\n",
		}, 100000000},
		{"version 2, limited above", map[string]string{
			"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/app/run\n",
			"sys/fs/cgroup/app/run/memory.max": "max\n", "sys/fs/cgroup/app/run/memory.current": "1\n",
			"sys/fs/cgroup/app/memory.max": "200000000\n", "sys/fs/cgroup/app/memory.current": "30000000\n",
		}, 170000000},
		{"version 2, in a container", map[string]string{
			"proc/self/mountinfo": containV2, "proc/self/cgroup": "0::/pod/box\n",
			"sys/fs/cgroup/memory.max": "200000000\n", "sys/fs/cgroup/memory.current": "300000000\n",
		}, 0},
		{"version 2, outside the namespace", map[string]string{
			"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/../../other\n",
			"sys/fs/cgroup/memory.max": "200000000\n", "sys/fs/cgroup/memory.current": "50000000\n",
		}, 150000000},
		{"version 2, throttled before it is limited", map[string]string{
			"proc/self/mountinfo": mountV2, "proc/self/cgroup": "0::/apps/uid_1/pid_7\n",
			"sys/fs/cgroup/apps/uid_1/pid_7/memory.max": "max\n", "sys/fs/cgroup/apps/uid_1/pid_7/memory.current": "50000000\n",
			"sys/fs/cgroup/apps/uid_1/pid_7/memory.high": "300000000\n",
		}, 250000000},
		{"version 1, soft limit", map[string]string{
			"proc/self/mountinfo": mountV1, "proc/self/cgroup": "4:memory:/app\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes": "400000000\n", "sys/fs/cgroup/memory/app/memory.usage_in_bytes": "100000000\n",
			"sys/fs/cgroup/memory/app/memory.soft_limit_in_bytes": "300000000\n",
		}, 200000000},
		{"version 1", map[string]string{
			"proc/self/mountinfo": mountV1, "proc/self/cgroup": "4:memory:/app\n1:cpu:/\n0::/\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes": "400000000\n", "sys/fs/cgroup/memory/app/memory.usage_in_bytes": "100000000\n",
			"sys/fs/cgroup/memory/app/memory.stat":       "cache 9\ntotal_inactive_file 60000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
		}, 360000000},
		{"no limit", map[string]string{
			"proc/self/mountinfo": mountV1, "proc/self/cgroup": "4:memory:/app\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/memory/app/memory.usage_in_bytes": "5\n",
		}, 512000000},
		{"nonsense", map[string]string{
			"proc/self/mountinfo": "x - y\n" + mountV2, "proc/self/cgroup": "::\nx\n", "sys/fs/cgroup/memory.max": "much\n",
		}, 512000000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{"proc/meminfo": {Data: []byte(meminfo)}}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got, err := availableMemory(root); got != tt.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, tt.want)
			}
		})
	}
	if _, err := availableMemory(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := availableMemory(fstest.MapFS{"proc/meminfo": {Data: []byte("MemFree: 1 kB\n")}}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	n, err := AvailableMemory()
	if runtime.GOOS == "linux" && (n <= 0 || err != nil) {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestTotalMemory(t *testing.T) {
	meminfo := fstest.MapFS{"proc/meminfo": &fstest.MapFile{Data: []byte("MemTotal:       1000000 kB\n")}}
	if got := totalMemory(meminfo); got != 1024000000 {
		t.Errorf("%d bytes", got)
	}
	if got := totalMemory(fstest.MapFS{}); got != 0 {
		t.Errorf("%d bytes where nothing is told", got)
	}
}
