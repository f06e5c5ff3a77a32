package bench

import (
	"context"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/spec"
)

// ErrNotParallel is [spec.ErrNotParallel] of a draft's configuration.
var ErrNotParallel = fmt.Errorf("%w: its config.json has no pard_token or ptd_token_id", spec.ErrNotParallel)

// CheckParallel reports whether the draft model at path predicts several tokens at once, as its configuration says. The error wraps
// [ErrNotParallel] if it doesn't.
func CheckParallel(ctx context.Context, path string) error {
	store, err := lever.OpenStore(ctx, path, lever.Config{})
	if err != nil {
		return fmt.Errorf("draft: %w", err)
	}
	m, err := arch.Parse(store.Config())
	if err == nil && m.MaskToken == nil {
		err = ErrNotParallel
	}
	if err != nil {
		return fmt.Errorf("draft %s: %w", path, err)
	}
	return nil
}
