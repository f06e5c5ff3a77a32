package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/spec"
)

// OpenParallel opens models of which the draft predicts several tokens at once. With another draft the error wraps [spec.ErrNotParallel].
func OpenParallel(ctx context.Context, cfg lever.Config) (*lever.Engine, error) {
	engine, err := lever.Open(ctx, cfg)
	if err == nil && engine.SpecOptions().Parallel.Reach < 2 {
		return nil, errors.Join(fmt.Errorf("draft %s: %w", cfg.Draft, spec.ErrNotParallel), engine.Close())
	}
	return engine, err
}
