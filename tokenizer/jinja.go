package tokenizer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/exec"
)

// maxRange is the most numbers that range returns.
const maxRange = 10_000

// environment returns what a template can call. Functions of the interpreter that take no more memory than their arguments
// are used as they are; those that could, or that differ from Python's, are ours.
func (s *sandbox) environment() *exec.Environment {
	return &exec.Environment{
		Context:           exec.NewContext(s.functions()),
		Filters:           exec.NewFilterSet(s.filters()),
		Tests:             templateTests(),
		ControlStructures: s.structures(),
		Methods: exec.Methods{
			Bool:  exec.NewMethodSet(map[string]exec.Method[bool]{}),
			Int:   exec.NewMethodSet(map[string]exec.Method[int]{}),
			Float: exec.NewMethodSet(map[string]exec.Method[float64]{}),
			Str:   exec.NewMethodSet(s.stringMethods()),
			Dict:  exec.NewMethodSet(dictMethods()),
			List:  exec.NewMethodSet(map[string]exec.Method[[]any]{}),
		},
	}
}

// functions returns the global functions.
func (s *sandbox) functions() map[string]any {
	namespace, _ := builtins.GlobalFunctions.Get("namespace")
	return map[string]any{
		"namespace": namespace,
		"range":     numbers,
		"raise_exception": func(_ *exec.Evaluator, args *exec.VarArgs) (*exec.Value, error) {
			s.refused, s.refusal = true, args.First().String()
			return nil, ErrRefused
		},
		"strftime_now": func(_ *exec.Evaluator, args *exec.VarArgs) *exec.Value {
			return exec.AsValue(strftime(s.now, args.First().String()))
		},
	}
}

// numbers is Python's range.
func numbers(_ *exec.Evaluator, args *exec.VarArgs) ([]int, error) {
	bounds := []int{0, 0, 1} // start, stop, step
	n := len(args.Args)
	if n == 0 || n > len(bounds) || len(args.KwArgs) > 0 {
		return nil, errors.New("range takes one to three numbers")
	}
	for i, arg := range args.Args {
		if !arg.IsInteger() {
			return nil, errors.New("range takes whole numbers")
		}
		if n == 1 {
			i = 1
		}
		bounds[i] = arg.Integer()
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, errors.New("range with step 0")
	}
	out := []int{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(out) == maxRange {
			return nil, fmt.Errorf("range of more than %d numbers", maxRange)
		}
		out = append(out, i)
	}
	return out, nil
}

// filters returns the filters, each with its arguments and its result checked.
func (s *sandbox) filters() map[string]exec.FilterFunction {
	set := map[string]exec.FilterFunction{
		"items":   filterItems,
		"join":    s.filterJoin,
		"replace": s.filterReplace,
		"reverse": filterReverse,
		"tojson":  filterToJSON,
	}
	for _, name := range []string{"abs", "capitalize", "count", "d", "default", "first", "float", "int", "last", "length", "list",
		"lower", "map", "max", "min", "reject", "rejectattr", "round", "safe", "select", "selectattr", "string", "sum", "title",
		"trim", "upper"} {
		set[name], _ = builtins.Filters.Get(name)
	}
	for name, filter := range set {
		set[name] = func(e *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
			for _, v := range append(slices.Clone(args.Args), in) {
				if err := s.checkShallow(v); err != nil {
					return exec.AsValue(err)
				}
			}
			out := filter(e, in, args)
			if items, ok := out.Interface().([]any); ok {
				return exec.AsValue(list(items))
			}
			return out
		}
	}
	return set
}

// filterItems returns the keys and values of a dictionary in its order.
func filterItems(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if !in.IsDict() {
		return exec.AsValue(errors.New("items: not a dictionary"))
	}
	return exec.AsValue(dictItems(in))
}

func dictItems(dict *exec.Value) list {
	items := list{}
	dict.Iterate(func(_, _ int, key, value *exec.Value) bool {
		items = append(items, list{key, value})
		return true
	}, func() {})
	return items
}

// filterJoin joins the texts of a list.
func (s *sandbox) filterJoin(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	if len(args.Args) > 1 || len(args.KwArgs) > 0 {
		return exec.AsValue(errors.New("join takes a separator"))
	}
	text, err := s.join(in, args.First().String())
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsValue(text)
}

func (s *sandbox) join(items *exec.Value, separator string) (string, error) {
	var b strings.Builder
	var err error
	items.Iterate(func(i, _ int, item, _ *exec.Value) bool {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(item.String())
		if b.Len() > s.limit {
			err = fmt.Errorf("join: more than %d bytes", s.limit)
		}
		return err == nil
	}, func() {})
	return b.String(), err
}

// filterReplace replaces every occurrence of a text.
func (s *sandbox) filterReplace(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	text, err := s.replace(in.String(), args)
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsValue(text)
}

func (s *sandbox) replace(text string, args *exec.VarArgs) (string, error) {
	if len(args.Args) != 2 || len(args.KwArgs) > 0 {
		return "", errors.New("replace takes an old and a new text")
	}
	from, to := args.Args[0].String(), args.Args[1].String()
	if len(text)+strings.Count(text, from)*(len(to)-len(from)) > s.limit {
		return "", fmt.Errorf("replace: more than %d bytes", s.limit)
	}
	return strings.ReplaceAll(text, from, to), nil
}

// filterReverse returns a list, or the characters of a text, from the end.
func filterReverse(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if in.IsString() {
		runes := []rune(in.String())
		slices.Reverse(runes)
		return exec.AsValue(string(runes))
	}
	items := list{}
	in.Iterate(func(_, _ int, item, _ *exec.Value) bool {
		items = append(items, item)
		return true
	}, func() {})
	slices.Reverse(items)
	return exec.AsValue(items)
}

// filterToJSON writes JSON as Hugging Face's filter of this name does.
func filterToJSON(_ *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
	const maxIndent = 16
	indent := -1
	for name, arg := range args.KwArgs {
		switch {
		case name == "indent" && arg.IsInteger() && arg.Integer() >= 0 && arg.Integer() <= maxIndent:
			indent = arg.Integer()
		case name == "indent" && arg.IsNil():
		case name == "ensure_ascii" && arg.IsBool() && !arg.Bool():
		default:
			return exec.AsValue(fmt.Errorf("tojson: %s=%s is not supported", name, shorten(arg.String())))
		}
	}
	if len(args.Args) > 0 {
		return exec.AsValue(errors.New("tojson takes no positional arguments"))
	}
	text, err := appendJSON(nil, in, indent, 0)
	if err != nil {
		return exec.AsValue(err)
	}
	return exec.AsSafeValue(string(text))
}

// templateTests returns the interpreter's tests, of which "true" and "false" hold for booleans only, as in Jinja.
func templateTests() *exec.TestSet {
	isBool := func(want bool) exec.TestFunction {
		return func(_ *exec.Context, in *exec.Value, _ *exec.VarArgs) (bool, error) {
			return in.IsBool() && in.Bool() == want, nil
		}
	}
	set := exec.NewTestSet(map[string]exec.TestFunction{}).Update(builtins.Tests)
	return set.Update(exec.NewTestSet(map[string]exec.TestFunction{"true": isBool(true), "false": isBool(false)}))
}

// stringMethods returns Python's methods of str that templates use.
func (s *sandbox) stringMethods() map[string]exec.Method[string] {
	set := map[string]func(text string, args *exec.VarArgs) (any, error){
		"capitalize": func(text string, _ *exec.VarArgs) (any, error) {
			_, n := utf8.DecodeRuneInString(text)
			return strings.ToUpper(text[:n]) + strings.ToLower(text[n:]), nil
		},
		"endswith": func(text string, args *exec.VarArgs) (any, error) { return affix(text, args, strings.HasSuffix) },
		"find":     func(text string, args *exec.VarArgs) (any, error) { return find(text, args.First().String()), nil },
		"join":     func(text string, args *exec.VarArgs) (any, error) { return s.join(args.First(), text) },
		"lower":    func(text string, _ *exec.VarArgs) (any, error) { return strings.ToLower(text), nil },
		"lstrip": func(text string, args *exec.VarArgs) (any, error) {
			return strings.TrimLeftFunc(text, stripped(args)), nil
		},
		"replace": func(text string, args *exec.VarArgs) (any, error) { return s.replace(text, args) },
		"rstrip": func(text string, args *exec.VarArgs) (any, error) {
			return strings.TrimRightFunc(text, stripped(args)), nil
		},
		"split":      split,
		"startswith": func(text string, args *exec.VarArgs) (any, error) { return affix(text, args, strings.HasPrefix) },
		"strip":      func(text string, args *exec.VarArgs) (any, error) { return strings.TrimFunc(text, stripped(args)), nil },
		"upper":      func(text string, _ *exec.VarArgs) (any, error) { return strings.ToUpper(text), nil },
	}
	methods := make(map[string]exec.Method[string], len(set))
	for name, method := range set {
		methods[name] = func(text string, self *exec.Value, args *exec.VarArgs) (any, error) {
			for _, v := range append(slices.Clone(args.Args), self) {
				if err := s.checkShallow(v); err != nil {
					return nil, err
				}
			}
			if len(args.KwArgs) > 0 {
				return nil, fmt.Errorf("%s takes no keyword arguments", name)
			}
			return method(text, args)
		}
	}
	return methods
}

// affix tests text with one prefix or suffix, or with each of several.
func affix(text string, args *exec.VarArgs, has func(text, affix string) bool) (any, error) {
	if len(args.Args) != 1 {
		return nil, errors.New("startswith and endswith take one argument")
	}
	found := false
	if arg := args.First(); arg.IsList() {
		arg.Iterate(func(_, _ int, item, _ *exec.Value) bool {
			found = found || has(text, item.String())
			return !found
		}, func() {})
	} else {
		found = has(text, arg.String())
	}
	return found, nil
}

// find returns the index of part in text, counted in characters, or −1.
func find(text, part string) int {
	before, _, ok := strings.Cut(text, part)
	if !ok {
		return -1
	}
	return utf8.RuneCountInString(before)
}

// stripped returns whether the strip methods take a character away: one of their argument, or white space.
func stripped(args *exec.VarArgs) func(rune) bool {
	if len(args.Args) == 0 || args.First().IsNil() {
		return unicode.IsSpace
	}
	set := args.First().String()
	return func(r rune) bool { return strings.ContainsRune(set, r) }
}

// split is str.split(separator, maxsplit).
func split(text string, args *exec.VarArgs) (any, error) {
	var parts []string
	switch {
	case len(args.Args) == 0 || len(args.Args) == 1 && args.First().IsNil():
		parts = strings.Fields(text)
	case args.First().String() == "":
		return nil, errors.New("split: empty separator")
	case len(args.Args) == 1 || len(args.Args) == 2 && args.Args[1].IsInteger() && args.Args[1].Integer() < 0:
		parts = strings.Split(text, args.First().String())
	case len(args.Args) == 2 && args.Args[1].IsInteger():
		limit := min(args.Args[1].Integer(), len(text))
		parts = strings.SplitN(text, args.First().String(), limit+1)
	default:
		return nil, errors.New("split takes a separator and a number")
	}
	out := make(list, len(parts))
	for i, part := range parts {
		out[i] = part
	}
	return out, nil
}

// dictMethods returns Python's methods of dict that templates use.
func dictMethods() map[string]exec.Method[map[string]any] {
	column := func(i int) exec.Method[map[string]any] {
		return func(_ map[string]any, self *exec.Value, _ *exec.VarArgs) (any, error) {
			items := dictItems(self)
			for row, item := range items {
				items[row] = item.(list)[i]
			}
			return items, nil
		}
	}
	return map[string]exec.Method[map[string]any]{
		"get": func(_ map[string]any, self *exec.Value, args *exec.VarArgs) (any, error) {
			if len(args.Args) == 0 || len(args.Args) > 2 || len(args.KwArgs) > 0 {
				return nil, errors.New("get takes a key and a default")
			}
			if value, ok := self.GetItem(args.First().String()); ok {
				return value.Interface(), nil
			}
			if len(args.Args) == 2 {
				return args.Args[1].Interface(), nil
			}
			return nil, nil
		},
		"items": func(_ map[string]any, self *exec.Value, _ *exec.VarArgs) (any, error) {
			return dictItems(self), nil
		},
		"keys":   column(0),
		"values": column(1),
	}
}
