package host

import (
	"os"
	"runtime"
	"testing"
)

func TestRaise(t *testing.T) {
	if os.Getenv("GOMAXPROCS") != "" {
		t.Skip("skipped: the environment sets GOMAXPROCS")
	}
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	expect := func(when string, want int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Errorf("%s: GOMAXPROCS is %d, want %d", when, got, want)
		}
	}
	cpus := Processors()
	first := Raise(4)
	expect("raised", max(before, cpus+4))
	second := Raise(2)
	expect("raised twice", max(before, cpus+6))
	first()
	first()
	expect("released once", max(before, cpus+2))
	second()
	expect("released", before)

	third := Raise(4)
	runtime.GOMAXPROCS(cpus + 20)
	fourth := Raise(30)
	expect("changed by the program", cpus+20)
	third()
	fourth()
	expect("released after the program has changed it", cpus+20)

	runtime.GOMAXPROCS(before)
	t.Setenv("GOMAXPROCS", "1")
	Raise(4)
	expect("set in the environment", before)
}
