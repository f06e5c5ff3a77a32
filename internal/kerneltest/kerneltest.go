// Package kerneltest runs a test once for every kernel set that the processor has.
//
//	kerneltest.Each(t, "RMSNorm", func(t *testing.T, set string) {
//		kernels.RMSNorm(dst, x, gain, eps) // runs with the set
//	})
//
// Such tests must not run in parallel: the set in use is one for the process.
package kerneltest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lever-go/lever/kernels"
)

// ExpectVar is the environment variable that lists, separated by commas, the kernel sets that must be present.
const ExpectVar = "LEVER_EXPECT_KERNELS"

// Each runs f as a subtest op/impl=SET for every kernel set, with that set in use, and puts the one used before back
// afterwards, also when f fails or panics. It fails t if a set that LEVER_EXPECT_KERNELS names is absent.
func Each(t *testing.T, op string, f func(t *testing.T, set string)) {
	t.Helper()
	for _, name := range missing(os.Getenv(ExpectVar)) {
		t.Errorf("kernel set %q is expected (%s) and absent; there are %s", name, ExpectVar, strings.Join(kernels.Sets(), ", "))
	}
	for _, set := range kernels.Sets() {
		t.Run(op+"/impl="+set, func(t *testing.T) {
			Use(t, set)
			f(t, set)
		})
	}
}

// Use puts a kernel set in use until the test or benchmark ends.
func Use(t testing.TB, set string) {
	t.Helper()
	before := kernels.Features()
	if err := kernels.Select(set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kernels.Select(before); err != nil {
			t.Error(err)
		}
	})
}

// missing returns the names in a comma-separated list that are no kernel set here.
func missing(expected string) []string {
	names := strings.FieldsFunc(expected, func(r rune) bool { return r == ',' || r == ' ' })
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(kernels.Sets(), name) })
}
