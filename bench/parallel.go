package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/lever-go/lever"
)

// ErrNotParallel means that a draft model predicts one token at a time, where several are wanted.
var ErrNotParallel = errors.New("it predicts one token at a time: no mask token is named in its config.json, as pard_token or ptd_token_id")

// OpenParallel opens models of which the draft predicts several tokens at once. With another draft the error wraps [ErrNotParallel].
func OpenParallel(ctx context.Context, cfg lever.Config) (*lever.Engine, error) {
	engine, err := lever.Open(ctx, cfg)
	if err == nil && engine.SpecOptions().Parallel.Reach < 2 {
		return nil, errors.Join(fmt.Errorf("draft %s: %w", cfg.Draft, ErrNotParallel), engine.Close())
	}
	return engine, err
}
