package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/profile"
)

// A report names nothing of the user's, and serves as a profile of the flash, cold and hot, and of the NPU.
func TestDoctor(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mine.json")
	got := clitest.MustSucceed(t, "doctor", "--duration", "60ms", "--decode", "100ms", "--npu", "host", "--out", out)
	for _, word := range []string{"kernel sets", "memory", "absent", "tokens/s", "flash: "} {
		if !strings.Contains(got.Stdout, word) {
			t.Errorf("standard output lacks %q: %s", word, got.Stdout)
		}
	}
	p, err := profile.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if p.Target.Name != "target" || p.Draft.Name != "draft" || p.Date.Hour() != 0 {
		t.Errorf("it names %s and %s of %v", p.Target.Name, p.Draft.Name, p.Date)
	}
	if p.Device == nil || p.Device.Decoding.Tokens == 0 || len(p.Device.Hot.Reads) == 0 {
		t.Errorf("%+v", p.Device)
	}
	for _, name := range []string{out, out + ":hot"} {
		if r := runJSON(t, "--max-tokens", "4", "--dram", "2MiB", "--flash-profile", name, ducks); r.BytesRead == 0 {
			t.Errorf("nothing was read through %s", name)
		}
	}
	clitest.MustSucceed(t, "run", "--max-tokens", "4", "--npu", "sim:"+out, ducks)

	p.Device, p.NPU = nil, nil
	if err := p.Save(out); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no time":        {[]string{"doctor", "--decode", "0s"}, "--decode"},
		"too much time":  {[]string{"doctor", "--decode", "13h"}, "12h"},
		"no hot flash":   {[]string{"run", "--dram", "2MiB", "--flash-profile", out + ":hot", ducks}, "lever doctor"},
		"no NPU in it":   {[]string{"run", "--npu", "sim:" + out, ducks}, "--npu DRIVER"},
		"no phone is so": {[]string{"run", "--dram", "2MiB", "--flash-profile", "ufs-4.0:hot", ducks}, "lever doctor"},
	} {
		got := clitest.Execute(t, test.args...)
		if !strings.Contains(got.Stderr, test.want) {
			t.Errorf("%s: %s", name, got.Stderr)
		}
	}
}

// Where there is a file of the Hexagon NPU, a session is tried, and the report says why there is none; where there is no such file, nothing is.
// lever profile says it too.
func TestHexagonIsAbsent(t *testing.T) {
	if _, err := os.Stat("/dev/fastrpc-cdsp"); err == nil {
		t.Skip("there may be a Hexagon NPU")
	}
	for name, test := range map[string]struct {
		driver profile.Access
		tried  bool
	}{
		"absent":  {profile.Access{Name: "/dev/fastrpc-cdsp", Absent: true}, false},
		"refused": {profile.Access{Name: "/dev/adsprpc-smd", Refusal: "permission denied"}, true},
		"other":   {profile.Access{Name: "/dev/kgsl-3d0"}, false},
	} {
		d := profile.Device{Drivers: []profile.Access{test.driver}}
		tryNPU(t.Context(), &d)
		last := d.Drivers[len(d.Drivers)-1]
		if tried := len(d.Drivers) > 1; tried != test.tried || tried && !strings.Contains(last.Refusal, "/dev/fastrpc-cdsp") {
			t.Errorf("%s: %+v", name, d.Drivers)
		}
	}
	got := clitest.MustSucceed(t, "profile", "--npu", "hexagon", "--duration", "60ms", "--out", filepath.Join(t.TempDir(), "p.json"))
	for _, says := range []string{"--npu hexagon", "/dev/fastrpc-cdsp", "runs on the CPU"} {
		if !strings.Contains(got.Stderr, says) {
			t.Errorf("standard error lacks %q: %s", says, got.Stderr)
		}
	}
}
