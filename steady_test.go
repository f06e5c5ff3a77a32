package lever_test

import (
	"fmt"
	"testing"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/layers"
)

// TestStreamedPassDoesNotAllocate: passes over a model of which most is read from flash allocate nothing once they are in their stride.
func TestStreamedPassDoesNotAllocate(t *testing.T) {
	for name, cfg := range map[string]lever.Config{
		"dense":   {Model: demoPair(t).Draft, DRAM: 1 << 20},
		"experts": {CacheDir: t.TempDir(), Model: randomFolder(t, fmt.Sprintf(sparseConfig, 3)), DRAM: 2 << 20},
	} {
		t.Run(name, func(t *testing.T) { checkSteady(t, open(t, cfg)) })
	}
}

func checkSteady(t *testing.T, e *lever.Engine) {
	if plan, ok := e.Plan(); !ok || !plan.ReadsFlash() {
		t.Fatal("nothing is read from flash")
	}
	d, ctx := e.Target(), t.Context()
	other, err := d.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	text, all := make([]int32, 256), make([]int, 256)
	for i := range all {
		all[i] = i
	}
	// Texts of a page, and a row more: what follows fits into the next.
	for _, s := range []*layers.Sequence{d.Sequence, other} {
		for range 2 {
			if _, err := s.Forward(ctx, layers.Batch{Tokens: text}); err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(all[:129]); err != nil {
				t.Fatal(err)
			}
		}
	}
	tokens, parents, path, rows := []int32{7, 8, 9, 10}, []int32{-1, 0, 0, 1}, []int{0}, []int{0, 3}
	logits, next := make([]float32, 2*d.Vocab()), int32(0)
	parts := []layers.Part{{Sequence: d.Sequence}, {Sequence: other}}
	pass := func() {
		for i := range tokens {
			next = (next + 37) % int32(d.Vocab())
			tokens[i] = next
		}
		for i := range parts {
			parts[i].Batch = layers.Batch{Tokens: tokens, Parents: parents}
		}
		if err := d.ForwardAll(ctx, parts); err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if err := p.Sequence.Project(ctx, logits, rows); err != nil {
				t.Fatal(err)
			}
			if err := p.Sequence.Commit(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 12 {
		pass()
	}
	if n := testing.AllocsPerRun(12, pass); n != 0 {
		t.Errorf("%v allocations in a pass", n)
	}
}
