// Package jinja evaluates the part of the template language Jinja that chat templates of language models are written in, as Jinja2 does
// with the settings of Hugging Face's transformers: a tag takes the line end after it and the blanks before it along (trim_blocks,
// lstrip_blocks), values are immutable except for namespaces, undefined names are empty, nothing is escaped.
//
// There are the statements for (with else, break and continue), if, set, macro, call, filter, with, raw and generation, all expressions but
// powers, and those filters, tests and methods that chat templates use; others are errors. Nothing reads files or other templates.
// Templates come with models and may be hostile: a run has bounds on its steps, on the bytes that it makes, on its output and on its depth,
// and ends with its context.
package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lever-go/lever/internal/giveway"
)

// ErrLimit is wrapped by errors of templates that are too large, or whose run exceeds one of its [Limits].
var ErrLimit = errors.New("limit exceeded")

// Bounds of every template and of every run.
const (
	maxSource  = 512 << 10 // bytes; templates of models have up to 30 KiB
	maxNesting = 150       // of blocks and brackets in a template
	maxDepth   = 2000      // of expressions and scopes under evaluation, those of called macros included
	maxNested  = 100       // of values within values, where they are printed or compared
)

// Error is an error of a template with the line that it happened in.
type Error struct {
	Line int // from 1
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// atLine adds the line to an error that has none.
func atLine(line int, err error) error {
	var located *Error
	if err == nil || errors.As(err, &located) || errors.Is(err, errBreak) || errors.Is(err, errContinue) {
		return err
	}
	return &Error{line, err}
}

// Template is a parsed template. It is immutable and safe for concurrent use.
type Template struct{ body body }

// Limits bound a run.
type Limits struct {
	Steps  int64 // about the number of expressions evaluated and values looked at
	Bytes  int64 // of all values that the run makes, as if none was ever given back
	Output int64 // bytes
}

// Parse reads a template. Errors name the line.
func Parse(source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%w: %d bytes long, more than %d", ErrLimit, len(source), maxSource)
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, err := p.body()
	if err != nil {
		return nil, atLine(p.line(), err)
	}
	return &Template{body}, nil
}

// Render runs the template with these variables, whose values may be nil, bool, int64, float64, string, [*Seq], [*Dict] and [Func].
func (t *Template) Render(ctx context.Context, vars map[string]Value, limits Limits) (string, error) {
	var out strings.Builder
	r := &run{ctx: ctx, limits: limits, steps: limits.Steps, bytes: limits.Bytes, output: &out, out: &out, scope: &scope{vars: vars}}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	r.scope = r.scope.in() // what the template sets is not seen by the caller
	if err := t.body.exec(r); err != nil {
		return "", err
	}
	return out.String(), nil
}

// run is the state of a template that is rendered.
type run struct {
	ctx       context.Context
	limits    Limits
	steps     int64 // left
	bytes     int64 // left
	unchecked int64 // steps since ctx was looked at
	depth     int
	output    *strings.Builder // of the template
	out       *strings.Builder // output, or what a macro or a block collects
	scope     *scope
	piped     Value // what the filters of a block get
}

// step counts n steps. It lets others go first now and then: a run may keep one core busy, but nobody waiting.
func (r *run) step(n int64) error {
	const checkEvery = 1024
	r.steps -= n
	if r.steps < 0 {
		return fmt.Errorf("%w: more than %d steps", ErrLimit, r.limits.Steps)
	}
	if r.unchecked += n; r.unchecked >= checkEvery {
		r.unchecked = 0
		giveway.Now(r.ctx)
		return r.ctx.Err()
	}
	return nil
}

// read counts that n bytes are looked at.
func (r *run) read(n int) error {
	const perStep = 16
	return r.step(1 + int64(n)/perStep)
}

// perValue is about what a value in a list takes, in bytes.
const perValue = 16

// alloc counts n bytes that are about to be made.
func (r *run) alloc(n int) error {
	const perStep = 64
	r.bytes -= int64(n)
	if r.bytes < 0 {
		return fmt.Errorf("%w: values of more than %d bytes", ErrLimit, r.limits.Bytes)
	}
	return r.step(1 + int64(n)/perStep)
}

// str returns s, a text that was just made, after it was counted.
func (r *run) str(s string) (Value, error) { return s, r.alloc(len(s)) }

// list returns items, which were just made, as a list.
func (r *run) list(kind seqKind, items []Value) (Value, error) {
	return &Seq{Items: items, kind: kind}, r.alloc(perValue * len(items))
}

// write adds s to what is being written.
func (r *run) write(s string) error {
	if r.out == r.output && int64(r.out.Len()+len(s)) > r.limits.Output {
		return fmt.Errorf("%w: more than %d bytes of output", ErrLimit, r.limits.Output)
	}
	if err := r.alloc(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

// captured returns what f writes.
func (r *run) captured(f func() error) (string, error) {
	out := r.out
	var b strings.Builder
	r.out = &b
	err := f()
	r.out = out
	return b.String(), err
}

// within runs f in a scope.
func (r *run) within(s *scope, f func() error) error {
	const perScope = 8 // steps
	if err := r.step(perScope); err != nil {
		return err
	}
	if err := r.deeper(); err != nil {
		return err
	}
	outer := r.scope
	r.scope = s
	err := f()
	r.scope = outer
	r.depth--
	return err
}

// eval evaluates an expression.
func (r *run) eval(x expr) (Value, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	if err := r.deeper(); err != nil {
		return nil, err
	}
	v, err := x.eval(r)
	r.depth--
	return v, err
}

// deeper counts a level of evaluation; the caller takes it back.
func (r *run) deeper() error {
	if r.depth++; r.depth > maxDepth {
		return fmt.Errorf("%w: nested deeper than %d", ErrLimit, maxDepth)
	}
	return nil
}

// scope has the variables of a block. Those of the blocks around it are seen, not changed.
type scope struct {
	parent *scope
	few    []variableValue
	vars   map[string]Value // instead of few where there are more
}

type variableValue struct {
	name  string
	value Value
}

// in returns a scope within s.
func (s *scope) in() *scope { return &scope{parent: s} }

func (s *scope) get(name string) (Value, bool) {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
		for i := range s.few {
			if s.few[i].name == name {
				return s.few[i].value, true
			}
		}
	}
	return nil, false
}

func (s *scope) set(name string, v Value) {
	const few = 4
	if s.vars != nil {
		s.vars[name] = v
		return
	}
	for i := range s.few {
		if s.few[i].name == name {
			s.few[i].value = v
			return
		}
	}
	switch {
	case s.few == nil:
		s.few = make([]variableValue, 0, few)
	case len(s.few) == few:
		s.vars = make(map[string]Value, 2*few)
		for _, x := range s.few {
			s.vars[x.name] = x.value
		}
		s.few = nil
		s.vars[name] = v
		return
	}
	s.few = append(s.few, variableValue{name, v})
}
