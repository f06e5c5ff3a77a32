package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode"

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
	limit    int // bytes of the output and of each value, and number of steps
	steps    int
	deadline time.Time
	now      time.Time
	out      strings.Builder
	refusal  string // the argument of raise_exception
	refused  bool
}

func newSandbox(inputSize int, now time.Time) *sandbox {
	return &sandbox{limit: baseSize + sizeFactor*inputSize, now: now, deadline: time.Now().Add(maxRenderTime)}
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
			err = fmt.Errorf("%w: %s", ErrRefused, shorten(s.refusal))
		case err != nil:
			err = errors.New(shorten(err.Error()))
		}
	}()
	if len(source) > maxTemplate {
		return "", fmt.Errorf("%d bytes long, more than %d", len(source), maxTemplate)
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

// vet refuses templates that the interpreter would misread, or on which it could not be held within bounds.
func vet(stream *tokens.Stream) error {
	blocks := 0
	for !stream.EOF() {
		t := stream.Next()
		if t.Type == tokens.Error {
			return fmt.Errorf("line %d: %s", t.Line, t.Val)
		}
		if t.Type != tokens.BlockBegin && t.Type != tokens.VariableBegin {
			continue
		}
		tag, err := readTag(stream)
		if err != nil {
			return fmt.Errorf("line %d: %w", t.Line, err)
		}
		if t.Type == tokens.VariableBegin || len(tag) == 0 {
			continue
		}
		switch name := tag[0].Val; {
		case name == "for" || name == "if":
			if blocks++; blocks > maxNesting {
				return fmt.Errorf("line %d: blocks nested deeper than %d", t.Line, maxNesting)
			}
		case name == "endfor" || name == "endif":
			blocks--
		case name == "set" && !plainTarget(tag[1:]):
			return fmt.Errorf("line %d: only {%% set name = … %%} and {%% set name.attribute = … %%} are supported", t.Line)
		}
	}
	if stream.IsError() {
		return errors.New(stream.Current().Val)
	}
	return nil
}

// readTag reads the tokens of a tag up to its end and checks each.
func readTag(stream *tokens.Stream) ([]*tokens.Token, error) {
	var tag []*tokens.Token
	depth := 0
	for !stream.End() {
		t := stream.Next()
		switch t.Type {
		case tokens.BlockEnd, tokens.VariableEnd:
			return tag, nil
		case tokens.Multiply, tokens.Power:
			return nil, fmt.Errorf("operator %s is not supported", t.Val)
		case tokens.LeftParenthesis, tokens.LeftBracket, tokens.LeftBrace:
			depth++
		case tokens.RightParenthesis, tokens.RightBracket, tokens.RightBrace:
			depth--
		}
		tag = append(tag, t)
		switch {
		case depth > maxNesting:
			return nil, fmt.Errorf("brackets nested deeper than %d", maxNesting)
		case len(tag) > maxTagTokens:
			return nil, fmt.Errorf("a tag of more than %d words and signs", maxTagTokens)
		case t.Type != tokens.String && strings.ContainsFunc(t.Val, strayCharacter):
			return nil, fmt.Errorf("cannot read %.40q", t.Val)
		}
	}
	if stream.IsError() {
		return nil, errors.New(stream.Current().Val)
	}
	return nil, errors.New("a tag without an end")
}

// strayCharacter reports whether the lexer has swallowed r, which belongs to no token, into one.
func strayCharacter(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("@#$^&`?\\;", r)
}

// plainTarget reports whether the tokens after "set" are a name, or a name and an attribute, and an assignment.
func plainTarget(tag []*tokens.Token) bool {
	is := func(i int, t tokens.Type) bool { return i < len(tag) && tag[i].Type == t }
	return is(0, tokens.Name) && (is(1, tokens.Assign) || is(1, tokens.Dot) && is(2, tokens.Name) && is(3, tokens.Assign))
}

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
	return nil
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

// checkShallow refuses a string or a list that is too long.
func (s *sandbox) checkShallow(v *exec.Value) error {
	const perItem = 16
	size := 0
	switch {
	case v.IsString():
		size = v.Val.Len()
	case v.IsList():
		size = perItem * v.Len()
	}
	if size > s.limit {
		return fmt.Errorf("a value of more than %d bytes", s.limit)
	}
	return s.step()
}

// checkDeep refuses a value that is too large with all that it contains, each as often as it occurs, or too deep.
func (s *sandbox) checkDeep(value any) error {
	left := s.limit
	return weigh(reflect.ValueOf(value), &left, 0)
}

var (
	valueType     = reflect.TypeFor[exec.Value]()
	dictType      = reflect.TypeFor[exec.Dict]()
	pairType      = reflect.TypeFor[exec.Pair]()
	namespaceType = reflect.TypeFor[map[string]any]()
)

// weigh subtracts the size of v from left.
func weigh(v reflect.Value, left *int, depth int) error {
	const perValue = 16
	*left -= perValue
	if *left < 0 || depth > 4*maxDepth {
		return errors.New("a value too large or too deep")
	}
	switch v.Kind() {
	case reflect.String:
		*left -= v.Len()
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() && (v.Kind() == reflect.Interface || isValueType(v.Type().Elem())) {
			return weigh(v.Elem(), left, depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := weigh(v.Index(i), left, depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		if v.Type() == namespaceType {
			return errors.New("a namespace within another value")
		}
	case reflect.Struct:
		switch v.Type() {
		case valueType:
			return weigh(v.Interface().(exec.Value).Val, left, depth+1)
		case dictType:
			return weigh(v.FieldByName("Pairs"), left, depth+1)
		case pairType:
			if err := weigh(v.FieldByName("Key"), left, depth+1); err != nil {
				return err
			}
			return weigh(v.FieldByName("Value"), left, depth+1)
		}
	}
	if *left < 0 {
		return errors.New("a value too large")
	}
	return nil
}

func isValueType(t reflect.Type) bool { return t == valueType || t == dictType || t == pairType }
