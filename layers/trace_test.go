package layers_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lever-go/lever/arch"
	"github.com/lever-go/lever/tensor"
)

// A trace names the parts of a pass in order, with the rows that each computed; a batch larger than the workspace is several passes.
func TestTrace(t *testing.T) {
	type part struct {
		name string
		rows int
	}
	var parts []part
	started := time.Now()
	trace := func(name string, rows int, began time.Time) {
		if began.Before(started) || began.After(time.Now()) {
			t.Errorf("%s began at %v", name, began)
		}
		parts = append(parts, part{name, rows})
	}
	cfg := small(llama)
	d := newDecoder(t, cfg, randomWeights(t, cfg, tensor.Q8_0), arch.Options{MaxBatch: 2, Trace: trace})
	forward(t, d, []int32{1, 2, 3}, nil)
	logits(t, d, 2)
	var want []part
	for _, rows := range []int{2, 1} {
		want = append(want, part{"embedding", rows}, part{"block.0", rows}, part{"block.1", rows}, part{"block.2", rows})
	}
	if want = append(want, part{"head", 1}); !slices.Equal(parts, want) {
		t.Errorf("traced %v, want %v", parts, want)
	}
}
