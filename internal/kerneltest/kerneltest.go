// Package kerneltest runs a test once for every kernel set that the processor has.
//
//	kerneltest.Each(t, "RMSNorm", func(t *testing.T, set *kernels.Set) {
//		set.RMSNorm(dst, x, gain, eps)
//	})
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

// Each runs f as a subtest op/impl=SET for every kernel set. It fails t if a set that LEVER_EXPECT_KERNELS names is absent.
func Each(t *testing.T, op string, f func(t *testing.T, set *kernels.Set)) {
	t.Helper()
	for _, name := range missing(os.Getenv(ExpectVar)) {
		t.Errorf("kernel set %q is expected (%s) and absent; there are %s", name, ExpectVar, strings.Join(kernels.Sets(), ", "))
	}
	for _, name := range kernels.Sets() {
		t.Run(op+"/impl="+name, func(t *testing.T) { f(t, Named(t, name)) })
	}
}

// Named returns a kernel set that is there.
func Named(t testing.TB, name string) *kernels.Set {
	t.Helper()
	set, err := kernels.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Pool returns a pool that uses a set until the test or benchmark ends.
func Pool(t testing.TB, set *kernels.Set, threads int) *kernels.Pool {
	pool := kernels.NewPool(threads)
	t.Cleanup(pool.Close)
	pool.Use(set)
	return pool
}

// missing returns the names in a comma-separated list that are no kernel set here.
func missing(expected string) []string {
	names := strings.FieldsFunc(expected, func(r rune) bool { return r == ',' || r == ' ' })
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(kernels.Sets(), name) })
}
