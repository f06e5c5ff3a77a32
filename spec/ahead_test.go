package spec_test

import (
	"context"
	"slices"
	"testing"

	"github.com/lever-go/lever/internal/spectest"
	"github.com/lever-go/lever/spec"
)

// callCounter counts the calls of Project.
type callCounter struct {
	*spectest.HashModel
	calls int
}

func (c *callCounter) Project(ctx context.Context, dst []float32, rows []int) error {
	c.calls++
	return c.HashModel.Project(ctx, dst, rows)
}

// Logits of the likeliest nodes that come along with those of another save projections, and change nothing.
func TestProjectAhead(t *testing.T) {
	req := spec.Request{Prompt: []int32{1, 2, 3}, MaxTokens: 200}
	var want []int32
	calls := map[int]int{}
	for _, ahead := range []int{0, 1, 3, 8} {
		target := spectest.NewHashModel(1, 50, 1000)
		target.Levels = 1000
		counter := &callCounter{HashModel: target}
		result := spectest.Generate(t, spec.Options{Target: counter, Draft: spectest.NewDraftOf(target, 40), Policy: mustPolicy(t, "opttree", 16), ProjectAhead: ahead}, req, nil)
		if want == nil {
			want = result.Tokens
		}
		if !slices.Equal(result.Tokens, want) {
			t.Errorf("%d ahead: %v, want %v", ahead, result.Tokens, want)
		}
		calls[ahead] = counter.calls
		if most := max(1, ahead) * counter.calls; target.Projections > most {
			t.Errorf("%d ahead: %d rows in %d projections", ahead, target.Projections, counter.calls)
		}
	}
	if calls[0] != calls[1] || calls[3] > calls[1]*3/4 || calls[8] > calls[3] {
		t.Errorf("projections by rows ahead: %v", calls)
	}
}
