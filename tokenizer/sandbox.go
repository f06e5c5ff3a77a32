package tokenizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	controlstructures "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// Bounds of a template and of its run. Templates of models have up to 30 KiB and a hundred tokens in a tag.
const (
	maxTemplate   = 256 << 10
	maxTagTokens  = 512
	maxNesting    = 32 // of blocks, and of brackets within a tag
	maxRenderTime = 5 * time.Second
	baseSize      = 64 << 10 // a value and the output may be this long, plus sizeFactor times the input; steps as many
	sizeFactor    = 8
)

// sandbox runs one template once. What came with a model may be hostile, so the template gets only what conversations need:
// for, if and set; no macros (recursion) and nothing that reads another template; no repetition of strings, and no value or
// output out of proportion to the input.
type sandbox struct {
	ctx      context.Context
	limit    int // bytes of the output and of each value, and number of steps
	steps    int
	deadline time.Time
	now      time.Time
	out      strings.Builder
	refusal  string // the argument of raise_exception
	refused  bool
}

func newSandbox(ctx context.Context, inputSize int, now time.Time) *sandbox {
	return &sandbox{ctx: ctx, limit: baseSize + sizeFactor*inputSize, now: now, deadline: time.Now().Add(maxRenderTime)}
}

// render runs the template with the options that Hugging Face sets: blocks take the line end after them and the space before
// them along.
func (s *sandbox) render(source string, vars map[string]any) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			text, err = "", fmt.Errorf("panic: %.300v", r)
		}
		switch {
		case s.refused:
			text, err = "", fmt.Errorf("%w: %s", ErrRefused, shorten(s.refusal))
		case s.ctx.Err() != nil:
			text, err = "", s.ctx.Err()
		case err != nil:
			err = errors.New(shorten(err.Error()))
		}
	}()
	if len(source) > maxTemplate {
		return "", fmt.Errorf("%d bytes long, more than %d", len(source), maxTemplate)
	}
	if found := endlessNumber.FindString(source); found != "" {
		return "", fmt.Errorf("cannot read %q", found)
	}
	source = lstripBlocks(source)
	cfg := config.New()
	cfg.TrimBlocks = true
	if err := vet(tokens.LexAll(source, cfg)); err != nil {
		return "", err
	}
	template, err := exec.NewTemplate("chat_template", cfg, onlyTemplate(source), s.environment())
	if err != nil {
		return "", cmp.Or(errors.Unwrap(err), err) // without the whole source
	}
	if err := template.Execute(s, exec.NewContext(vars)); err != nil {
		return "", err
	}
	return s.out.String(), nil
}

// onlyTemplate is a loader that knows one template, whatever it is asked for.
type onlyTemplate string

func (t onlyTemplate) Read(string) (io.Reader, error)         { return strings.NewReader(string(t)), nil }
func (t onlyTemplate) Resolve(path string) (string, error)    { return path, nil }
func (t onlyTemplate) Inherit(string) (loaders.Loader, error) { return t, nil }

// Write collects the output.
func (s *sandbox) Write(p []byte) (int, error) { return s.WriteString(string(p)) }

// WriteString collects the output.
func (s *sandbox) WriteString(p string) (int, error) {
	if err := s.step(); err != nil {
		return 0, err
	}
	if s.out.Len()+len(p) > s.limit {
		return 0, fmt.Errorf("more output than %d bytes", s.limit)
	}
	return s.out.WriteString(p)
}

// step counts what the template does.
func (s *sandbox) step() error {
	s.steps++
	if s.steps > s.limit || time.Now().After(s.deadline) {
		return errors.New("runs too long")
	}
	return s.ctx.Err()
}

// structures returns the control structures: for, if, set and loop controls, each counted and checked.
func (s *sandbox) structures() *exec.ControlStructureSet {
	set := make(map[string]parser.ControlStructureParser)
	for _, name := range []string{"for", "if", "set", "break", "continue"} {
		parse, _ := builtins.ControlStructures.Get(name)
		set[name] = func(p, args *parser.Parser) (nodes.ControlStructure, error) {
			first, attribute := args.Current(), args.Peek() != nil && args.Peek().Type == tokens.Dot
			parsed, err := parse(p, args)
			if err != nil {
				return nil, err
			}
			inner, ok := parsed.(exec.ControlStructure)
			if !ok {
				return nil, fmt.Errorf("%s cannot be run", name)
			}
			g := guarded{ControlStructure: inner, s: s}
			switch c := inner.(type) {
			case *controlstructures.ForControlStructure:
				if c.Recursive {
					return nil, errors.New("recursive loops are not supported")
				}
				return guardedFor{g, c.ObjectEvaluator}, nil
			case *controlstructures.SetControlStructure:
				return guardedSet{g, first.Val, attribute}, nil
			}
			return g, nil
		}
	}
	return exec.NewControlStructureSet(set)
}

// guarded counts the runs of a control structure.
type guarded struct {
	exec.ControlStructure
	s *sandbox
}

func (g guarded) Execute(r *exec.Renderer, tag *nodes.ControlStructureBlock) error {
	if err := g.s.step(); err != nil {
		return err
	}
	return g.ControlStructure.Execute(r, tag)
}

// guardedFor also checks what is iterated over.
type guardedFor struct {
	guarded
	over nodes.Expression
}

func (g guardedFor) Execute(r *exec.Renderer, tag *nodes.ControlStructureBlock) error {
	if err := g.s.checkShallow(r.Eval(g.over)); err != nil {
		return err
	}
	return g.guarded.Execute(r, tag)
}

// guardedSet also checks the value that the variable gets. An attribute is set on a namespace alone, as in Jinja: every other
// value is immutable, so that none can come to contain itself.
type guardedSet struct {
	guarded
	target    string
	attribute bool
}

func (g guardedSet) Execute(r *exec.Renderer, tag *nodes.ControlStructureBlock) error {
	if g.attribute {
		target, _ := r.Environment.Context.Get(g.target)
		if _, ok := target.(map[string]any); !ok {
			return fmt.Errorf("cannot set an attribute of %s, which is no namespace", g.target)
		}
	}
	if err := g.guarded.Execute(r, tag); err != nil {
		return err
	}
	value, _ := r.Environment.Context.Get(g.target)
	if namespace, ok := value.(map[string]any); ok {
		for _, member := range namespace {
			if err := g.s.checkDeep(member); err != nil {
				return err
			}
		}
		return nil
	}
	return g.s.checkDeep(value)
}
