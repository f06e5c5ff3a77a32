package giveway_test

import (
	"context"
	"testing"

	"github.com/lever-go/lever/internal/giveway"
)

// The innermost function is called, also where the work outlives a request.
func TestNow(t *testing.T) {
	var called []string
	giveway.Now(t.Context())
	outer := giveway.With(t.Context(), func() { called = append(called, "outer") })
	inner := giveway.With(outer, func() { called = append(called, "inner") })
	giveway.Now(context.WithoutCancel(inner))
	giveway.Now(outer)
	if len(called) != 2 || called[0] != "inner" || called[1] != "outer" {
		t.Error(called)
	}
}
