package server

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/lever-go/lever/grammar"
)

// compiler makes grammars over a vocabulary of bytes, when it is told to go on.
type compiler struct {
	t      *testing.T
	begun  chan string
	goOn   chan struct{} // if nil, at once
	ended  chan error
	number atomic.Int32
	v      *grammar.Vocabulary
}

func newCompiler(t *testing.T) *compiler {
	v, err := grammar.NewVocabulary(257, func(token int32) string {
		if token == 256 {
			return ""
		}
		return string([]byte{byte(token)})
	}, []int32{256})
	if err != nil {
		t.Fatal(err)
	}
	return &compiler{t: t, begun: make(chan string, 8), ended: make(chan error, 8), v: v}
}

func (c *compiler) compile(ctx context.Context, schema []byte) (*grammar.Grammar, error) {
	c.number.Add(1)
	if c.goOn != nil {
		c.begun <- string(schema)
		select {
		case <-ctx.Done():
			c.ended <- ctx.Err()
			return nil, ctx.Err()
		case <-c.goOn:
		}
	}
	return c.v.JSONSchema(ctx, schema)
}

// Requests with one schema at a time share its grammar, whoever of them leaves; when all have left, the work ends.
func TestEqualSchemasAreCompiledOnce(t *testing.T) {
	c := newCompiler(t)
	c.goOn = make(chan struct{})
	g := newGrammars(1<<30, c.compile)
	const schema = `{"type": "boolean"}`
	leaving, leave := context.WithCancel(t.Context())
	gone, got := make(chan error, 1), make(chan *grammar.Grammar, 5)
	go func() {
		_, err := g.get(leaving, []byte(schema))
		gone <- err
	}()
	<-c.begun
	for range cap(got) {
		go func() {
			one, err := g.get(t.Context(), []byte(schema))
			if err != nil {
				t.Errorf("%v", err)
			}
			got <- one
		}()
	}
	for {
		g.mu.Lock()
		waiting := g.making[keyOf([]byte(schema))].waiting
		g.mu.Unlock()
		if waiting == 1+cap(got) {
			break
		}
	}
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that left: %v", err)
	}
	close(c.goOn)
	first := <-got
	for range cap(got) - 1 {
		if other := <-got; other != first || other == nil {
			t.Error("two grammars were made of one schema")
		}
	}
	if again, err := g.get(t.Context(), []byte(schema)); err != nil || again != first || c.number.Load() != 1 {
		t.Errorf("%v: it was made %d times", err, c.number.Load())
	}

	c.goOn = make(chan struct{})
	leaving, leave = context.WithCancel(t.Context())
	go func() {
		_, err := g.get(leaving, []byte(`{}`))
		gone <- err
	}()
	<-c.begun
	leave()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the only one that waited: %v", err)
	}
	if err := <-c.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the work ended with %v", err)
	}
	if g.mu.Lock(); len(g.making) != 0 || len(g.kept) != 1 {
		t.Errorf("%d are being made, %d kept", len(g.making), len(g.kept))
	}
	g.mu.Unlock()
}

// What is kept stays within its bytes; the grammars that were used last stay, and all go when none is asked for.
func TestKeptGrammarsAreBounded(t *testing.T) {
	c := newCompiler(t)
	schema := func(i int) []byte { return fmt.Appendf(nil, `{"const": "number %03d"}`, i) }
	one, err := c.v.JSONSchema(t.Context(), schema(0))
	if err != nil {
		t.Fatal(err)
	}
	g := newGrammars(int64(5*one.Size()), c.compile)
	get := func(i int) (made bool) {
		t.Helper()
		before := c.number.Load()
		if _, err := g.get(t.Context(), schema(i)); err != nil {
			t.Fatal(err)
		}
		return c.number.Load() > before
	}
	for i := range 100 {
		if get(i); get(0) {
			t.Fatalf("the grammar that is used most is made again after %d others", i)
		}
		if g.bytes > g.most || len(g.kept) != g.used.Len() {
			t.Fatalf("after %d: %d bytes, %d and %d grammars", i, g.bytes, len(g.kept), g.used.Len())
		}
	}
	if get(99) || !get(1) {
		t.Error("the last one is made again, or the first one is not")
	}
	if _, err := g.get(t.Context(), []byte(`{"type": 3}`)); err == nil {
		t.Error("a wrong schema has a grammar")
	}
	g.drop()
	if g.bytes != 0 || len(g.kept) != 0 || !get(0) {
		t.Errorf("%d bytes are kept of nothing", g.bytes)
	}
}
