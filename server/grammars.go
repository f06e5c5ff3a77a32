package server

import (
	"container/list"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/lever-go/lever/grammar"
	"github.com/minio/sha256-simd"
)

// Grammars are kept for the next request with the same schema, up to a number of bytes and until none was asked for in a while.
const (
	maxGrammarBytes = 64 << 20
	maxGrammarIdle  = 10 * time.Minute
)

// schemaKey is the hash of a schema.
type schemaKey [sha256.Size]byte

func keyOf(schema []byte) schemaKey { return sha256.Sum256(schema) }

// sized is what the memory of can be asked for.
type sized interface{ Size() int }

// grammars makes grammars, once for requests with the same schema at the same time, and keeps those that were used last.
type grammars[G sized] struct {
	compile func(ctx context.Context, schema []byte) (G, error)
	most    int64 // bytes

	mu     sync.Mutex
	kept   map[schemaKey]*list.Element // of *keptGrammar[G]
	used   list.List                   // that used last first
	bytes  int64
	making map[schemaKey]*making[G]
	idle   *time.Timer
}

type keptGrammar[G sized] struct {
	key     schemaKey
	grammar G
	bytes   int64
}

// making is a grammar that is being made.
type making[G sized] struct {
	done   chan struct{} // closed when the next two are set
	result G
	err    error

	waiting int // requests; the last one to leave cancels
	cancel  context.CancelFunc
}

func newGrammars[G sized](most int64, compile func(context.Context, []byte) (G, error)) *grammars[G] {
	g := &grammars[G]{compile: compile, most: most, kept: map[schemaKey]*list.Element{}, making: map[schemaKey]*making[G]{}}
	g.idle = time.AfterFunc(maxGrammarIdle, g.drop)
	return g
}

// get returns the grammar of a schema, or the error of ctx as soon as it is done.
func (g *grammars[G]) get(ctx context.Context, schema []byte) (result G, err error) {
	key := keyOf(schema)
	g.mu.Lock()
	g.idle.Reset(maxGrammarIdle)
	if e := g.kept[key]; e != nil {
		kept := e.Value.(*keptGrammar[G])
		g.used.MoveToFront(e)
		g.weigh(kept)
		g.mu.Unlock()
		return kept.grammar, nil
	}
	m := g.making[key]
	if m == nil {
		m = &making[G]{done: make(chan struct{})}
		var work context.Context
		work, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
		g.making[key] = m
		go g.make(work, key, schema, m)
	}
	m.waiting++
	g.mu.Unlock()

	select {
	case <-m.done:
		return m.result, m.err
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.waiting--; m.waiting == 0 {
		m.cancel()
		g.forget(key, m)
	}
	return result, ctx.Err()
}

func (g *grammars[G]) make(ctx context.Context, key schemaKey, schema []byte, m *making[G]) {
	defer m.cancel()
	defer close(m.done)
	m.result, m.err = g.compile(ctx, schema)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(key, m)
	if _, known := g.kept[key]; m.err == nil && !known {
		kept := &keptGrammar[G]{key: key, grammar: m.result}
		g.kept[key] = g.used.PushFront(kept)
		g.weigh(kept)
	}
}

// forget ends what get waits for, unless another has begun with the same schema.
func (g *grammars[G]) forget(key schemaKey, m *making[G]) {
	if g.making[key] == m {
		delete(g.making, key)
	}
}

// weigh takes in how large a grammar is now, as it grows while it is used, and drops those that were not used for longest where all are too
// large together.
func (g *grammars[G]) weigh(kept *keptGrammar[G]) {
	now := int64(kept.grammar.Size())
	g.bytes += now - kept.bytes
	kept.bytes = now
	for g.bytes > g.most {
		last := g.used.Remove(g.used.Back()).(*keptGrammar[G])
		delete(g.kept, last.key)
		g.bytes -= last.bytes
	}
}

// drop forgets all grammars.
func (g *grammars[G]) drop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.kept)
	g.used.Init()
	g.bytes = 0
}

// grammar returns the grammar of what an answer must look like, nil for any text.
func (s *Server) grammar(ctx context.Context, f *format) (*grammar.Grammar, error) {
	if !f.limits() {
		return nil, nil
	}
	if _, err := s.options.Engine.Vocabulary(); err != nil {
		return nil, err
	}
	g, err := s.grammars.get(ctx, f.values)
	var busy *apiError
	if err != nil && ctx.Err() == nil && !errors.As(err, &busy) {
		return nil, invalid(f.from, "unsupported_value", "%s: %s", f.from, strings.TrimPrefix(err.Error(), "grammar: "))
	}
	return g, err
}

// compile makes the grammar of a schema, or that of any object for none, in the turn of what takes long.
func (s *Server) compile(ctx context.Context, schema []byte) (g *grammar.Grammar, err error) {
	vocabulary, err := s.options.Engine.Vocabulary()
	if err != nil {
		return nil, err
	}
	if schema == nil {
		return vocabulary.JSON(), nil
	}
	if busy := s.inTurn(ctx, len(schema), func(ctx context.Context) { g, err = vocabulary.JSONSchema(ctx, schema) }); busy != nil {
		return nil, busy
	}
	return g, err
}
