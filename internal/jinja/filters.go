package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filterFunc applies a filter to v with its arguments in the order of its parameters.
type filterFunc struct {
	params params
	apply  func(r *run, v Value, a []Value) (Value, error)
}

var filters map[string]filterFunc

// The filters that apply another one, or a test, to each item, and format, take any arguments.
var openFilters map[string]func(r *run, v Value, a Args) (Value, error)

func (r *run) filter(name string, v Value, a Args) (Value, error) {
	if f, ok := openFilters[name]; ok {
		return f(r, v, a)
	}
	f, ok := filters[name]
	if !ok {
		return nil, fmt.Errorf("no filter named %q", shorten(name))
	}
	values, err := f.params.bind(name, a)
	if err != nil {
		return nil, err
	}
	v, err = f.apply(r, v, values)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", name, err)
	}
	return v, nil
}

func init() { // which the functions refer to
	filters = map[string]filterFunc{
		"abs":        {nil, absolute},
		"capitalize": {nil, textFilter(capitalize)},
		"count":      {nil, lengthFilter},
		"d":          {named("default_value? boolean?"), defaultFilter},
		"default":    {named("default_value? boolean?"), defaultFilter},
		"dictsort":   {named("case_sensitive? by? reverse?"), dictSort},
		"e":          {nil, escapeFilter},
		"escape":     {nil, escapeFilter},
		"first":      {nil, first},
		"float":      {named("default?"), floatFilter},
		"indent":     {named("width? first? blank?"), indent},
		"int":        {named("default?"), intFilter},
		"items":      {nil, items},
		"join":       {named("d? attribute?"), join},
		"last":       {nil, last},
		"length":     {nil, lengthFilter},
		"list":       {nil, listFilter},
		"lower":      {nil, textFilter(strings.ToLower)},
		"max":        {named("case_sensitive? attribute?"), extreme(1)},
		"min":        {named("case_sensitive? attribute?"), extreme(-1)},
		"replace":    {named("old new count?"), replaceFilter},
		"reverse":    {nil, reverse},
		"round":      {named("precision? method?"), round},
		"safe":       {nil, safe},
		"sort":       {named("reverse? case_sensitive? attribute?"), sortFilter},
		"string":     {nil, stringFilter},
		"sum":        {named("attribute? start?"), sum},
		"title":      {nil, textFilter(titleWords)},
		"tojson":     {named("ensure_ascii? indent? separators? sort_keys?"), toJSON},
		"trim":       {named("chars?"), trim},
		"unique":     {named("case_sensitive? attribute?"), unique},
		"upper":      {nil, textFilter(strings.ToUpper)},
	}
	openFilters = map[string]func(r *run, v Value, a Args) (Value, error){
		"format":     formatFilter,
		"map":        mapFilter,
		"reject":     selecting(false, false),
		"rejectattr": selecting(true, false),
		"select":     selecting(false, true),
		"selectattr": selecting(true, true),
	}
}

// textFilter makes a filter of a function of strings.
func textFilter(f func(string) string) func(*run, Value, []Value) (Value, error) {
	return func(r *run, v Value, _ []Value) (Value, error) {
		s, err := r.text(v)
		if err != nil {
			return nil, err
		}
		_, safe := v.(markup)
		s = f(s)
		return remarked(s, safe), r.alloc(len(s))
	}
}

// capitalize is str.capitalize.
func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return strings.Map(unicode.ToTitle, s[:n]) + strings.ToLower(s[n:])
}

// titleWords begins every word with a capital letter, as Jinja's filter does.
func titleWords(s string) string {
	var b strings.Builder
	begin := true
	for _, c := range s {
		switch {
		case strings.ContainsRune("-({[<", c) || isSpace(c):
			begin = true
			b.WriteRune(c)
		case begin:
			b.WriteString(strings.ToUpper(string(c)))
			begin = false
		default:
			b.WriteString(strings.ToLower(string(c)))
		}
	}
	return b.String()
}

func absolute(_ *run, v Value, _ []Value) (Value, error) {
	if n, ok := integer(v); ok && n != math.MinInt64 {
		return max(n, -n), nil
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	return nil, fmt.Errorf("a %s", typeName(v))
}

func lengthFilter(r *run, v Value, _ []Value) (Value, error) { return r.length(v) }

func defaultFilter(_ *run, v Value, a []Value) (Value, error) {
	_, none := v.(*undefined)
	if none || truth(or(a[1], false)) && !truth(v) {
		return or(a[0], ""), nil
	}
	return v, nil
}

func escapeFilter(r *run, v Value, _ []Value) (Value, error) {
	if _, ok := v.(markup); ok {
		return v, nil
	}
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	s = escaper.Replace(s)
	return markup(s), r.alloc(len(s))
}

func safe(r *run, v Value, _ []Value) (Value, error) {
	s, err := r.text(v)
	return markup(s), err
}

func stringFilter(r *run, v Value, _ []Value) (Value, error) {
	if _, ok := stringOf(v); ok {
		return v, nil
	}
	return r.text(v)
}

func first(r *run, v Value, _ []Value) (Value, error) {
	items, err := r.items(v)
	switch {
	case err != nil:
		return nil, err
	case len(items) > 0:
		return items[0], nil
	}
	return &undefined{"there is no first item"}, nil
}

func last(r *run, v Value, _ []Value) (Value, error) {
	if s, ok := v.(*Seq); ok && s.kind == generatorKind {
		return nil, errors.New("a generator has no last item")
	}
	items, err := r.items(v)
	switch {
	case err != nil:
		return nil, err
	case len(items) > 0:
		return items[len(items)-1], nil
	}
	return &undefined{"there is no last item"}, nil
}

func listFilter(r *run, v Value, _ []Value) (Value, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	return r.list(listKind, slices.Clone(items))
}

func reverse(r *run, v Value, _ []Value) (Value, error) {
	if s, ok := stringOf(v); ok {
		if err := r.alloc(perValue * len(s)); err != nil {
			return nil, err
		}
		c := characters(s)
		slices.Reverse(c)
		return remarked(strings.Join(c, ""), is[markup](v)), nil
	}
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	return r.list(generatorKind, items)
}

func items(r *run, v Value, _ []Value) (Value, error) {
	if _, ok := v.(*undefined); ok {
		return &Seq{kind: generatorKind}, nil
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("a %s", typeName(v))
	}
	return r.list(generatorKind, d.pairs())
}

func (d *Dict) pairs() []Value {
	pairs := make([]Value, d.Len())
	for i := range pairs {
		pairs[i] = &Seq{Items: []Value{d.keys[i], d.values[i]}, kind: tupleKind}
	}
	return pairs
}

// path returns what attribute, a name with dots or a number, is of v.
func (r *run) path(v, attribute Value) (Value, error) {
	if attribute == nil {
		return v, nil
	}
	name, ok := stringOf(attribute)
	if !ok {
		return r.itemOf(v, attribute)
	}
	for _, part := range strings.Split(name, ".") {
		var err error
		var key Value = part
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && part[0] != '-' && part[0] != '+' {
			key = n
		}
		if v, err = r.itemOf(v, key); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func join(r *run, v Value, a []Value) (Value, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	separator, err := r.text(or(a[0], ""))
	if err != nil {
		return nil, err
	}
	return r.join(items, separator, func(item Value) (string, error) {
		item, err := r.path(item, or(a[1], nil))
		if err != nil {
			return "", err
		}
		return r.text(item)
	})
}

// join puts the texts of items together.
func (r *run) join(items []Value, separator string, text func(Value) (string, error)) (Value, error) {
	var b strings.Builder
	for i, item := range items {
		s, err := text(item)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			s = separator + s
		}
		if err := r.alloc(len(s)); err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// folded returns what v is sorted by: strings without regard to case.
func (r *run) folded(v Value, caseSensitive Value) (Value, error) {
	if s, ok := stringOf(v); ok && !truth(or(caseSensitive, false)) {
		return strings.ToLower(s), r.alloc(len(s))
	}
	return v, nil
}

// keys returns what items are sorted by: an attribute of each, or the item itself.
func (r *run) keys(items []Value, attribute, caseSensitive Value) ([]Value, error) {
	keys := make([]Value, len(items))
	for i, item := range items {
		key, err := r.path(item, or(attribute, nil))
		if err != nil {
			return nil, err
		}
		if keys[i], err = r.folded(key, caseSensitive); err != nil {
			return nil, err
		}
	}
	return keys, r.alloc(perValue * len(keys))
}

// sorted returns items in the order of their keys.
func (r *run) sorted(items, keys []Value, reverse bool) ([]Value, error) {
	at := make([]int, len(items))
	for i := range at {
		at[i] = i
	}
	var fault error
	slices.SortStableFunc(at, func(i, j int) int {
		if fault != nil {
			return 0
		}
		n, err := r.order(keys[i], keys[j], 0)
		fault = err
		if reverse {
			return -n
		}
		return n
	})
	out := make([]Value, len(items))
	for i, j := range at {
		out[i] = items[j]
	}
	return out, cmp.Or(fault, r.alloc(2*perValue*len(items)))
}

func sortFilter(r *run, v Value, a []Value) (Value, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	if name, _ := stringOf(or(a[2], nil)); strings.Contains(name, ",") {
		return nil, errors.New("sorting by several attributes is not supported")
	}
	keys, err := r.keys(items, a[2], a[1])
	if err != nil {
		return nil, err
	}
	out, err := r.sorted(items, keys, truth(or(a[0], false)))
	return &Seq{Items: out}, err
}

func dictSort(r *run, v Value, a []Value) (Value, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("a %s", typeName(v))
	}
	sortBy := d.keys
	switch or(a[1], "key") {
	case "key":
	case "value":
		sortBy = d.values
	default:
		return nil, errors.New(`by is "key" or "value"`)
	}
	keys, err := r.keys(sortBy, nil, a[0])
	if err != nil {
		return nil, err
	}
	out, err := r.sorted(d.pairs(), keys, truth(or(a[2], false)))
	return &Seq{Items: out}, err
}

func unique(r *run, v Value, a []Value) (Value, error) {
	items, err := r.items(v)
	if err != nil {
		return nil, err
	}
	keys, err := r.keys(items, a[1], a[0])
	if err != nil {
		return nil, err
	}
	seen := NewDict()
	var out []Value
	for i, item := range items {
		if _, ok := seen.Get(keys[i]); ok {
			continue
		}
		if err := seen.set(keys[i], nil); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return r.list(generatorKind, out)
}

// extreme makes min, with sign −1, and max.
func extreme(sign int) func(*run, Value, []Value) (Value, error) {
	return func(r *run, v Value, a []Value) (Value, error) {
		items, err := r.items(v)
		if err != nil {
			return nil, err
		}
		keys, err := r.keys(items, a[1], a[0])
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return &undefined{"there is no item"}, nil
		}
		best := 0
		for i := range keys {
			n, err := r.order(keys[i], keys[best], 0)
			if err != nil {
				return nil, err
			}
			if n*sign > 0 {
				best = i
			}
		}
		return items[best], nil
	}
}

func sum(r *run, v Value, a []Value) (Value, error) {
	items, err := r.items(v)
	total := or(a[1], int64(0))
	for _, item := range items {
		if item, err = r.path(item, or(a[0], nil)); err != nil {
			break
		}
		if total, err = r.arithmetic("+", total, item); err != nil {
			break
		}
	}
	return total, err
}

func replaceFilter(r *run, v Value, a []Value) (Value, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	old, err := r.text(a[0])
	if err != nil {
		return nil, err
	}
	with, err := r.text(a[1])
	if err != nil {
		return nil, err
	}
	count := int64(-1)
	if n := or(a[2], nil); n != nil {
		if count, err = wantInteger(n); err != nil {
			return nil, err
		}
	}
	return r.replace(s, old, with, count)
}

// replace replaces the first count occurrences, or all if count is negative.
func (r *run) replace(s, old, with string, count int64) (Value, error) {
	if err := r.read(len(s)); err != nil {
		return nil, err
	}
	found := int64(strings.Count(s, old))
	if count >= 0 {
		found = min(found, count)
	}
	size := int64(len(s)) + found*int64(len(with)-len(old))
	if size > r.bytes {
		return nil, fmt.Errorf("%w: replace makes %d bytes", ErrLimit, size)
	}
	return strings.Replace(s, old, with, int(found)), r.alloc(int(size))
}

func trim(r *run, v Value, a []Value) (Value, error) {
	s, err := r.text(v)
	if err != nil {
		return nil, err
	}
	cut, err := stripped(or(a[0], nil))
	_, safe := v.(markup)
	if err != nil {
		return nil, err
	}
	return remarked(strings.TrimFunc(s, cut), safe), r.read(len(s))
}

// stripped returns whether strip takes a character away: one of its argument, or white space.
func stripped(v Value) (func(rune) bool, error) {
	if v == nil {
		return isSpace, nil
	}
	set, err := wantString(v)
	return func(c rune) bool { return strings.ContainsRune(set, c) }, err
}

func indent(r *run, v Value, a []Value) (Value, error) {
	s, err := wantString(v)
	if err != nil {
		return nil, err
	}
	width := or(a[0], int64(4))
	prefix, ok := stringOf(width)
	if !ok {
		n, err := wantInteger(width)
		if err != nil {
			return nil, err
		}
		spaces, err := r.repeated(" ", n)
		if err != nil {
			return nil, err
		}
		prefix = spaces.(string)
	}
	first, blank := truth(or(a[1], false)), truth(or(a[2], false))
	var b strings.Builder
	lines, err := r.splitLines(s+"\n", false)
	if err != nil {
		return nil, err
	}
	for i, v := range lines {
		line := v.(string)
		if i == 0 && first || i > 0 && (blank || line != "") {
			line = prefix + line
		}
		if i > 0 {
			line = "\n" + line
		}
		if err := r.alloc(len(line)); err != nil {
			return nil, err
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func round(_ *run, v Value, a []Value) (Value, error) {
	precision, err := wantInteger(or(a[0], int64(0)))
	if err != nil {
		return nil, err
	}
	f, ok := number(v)
	_, isInt := integer(v)
	if !ok || precision < -300 || precision > 300 {
		return nil, fmt.Errorf("a %s to %d digits", typeName(v), precision)
	}
	scale := math.Pow(10, float64(precision))
	switch or(a[1], "common") {
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	case "common":
	default:
		return nil, errors.New("a method that is not common, ceil or floor")
	}
	switch {
	case isInt && precision >= 0:
		n, _ := integer(v)
		return n, nil
	case isInt:
		return int64(math.RoundToEven(f*scale) / scale), nil
	case precision < 0:
		return math.RoundToEven(f*scale) / scale, nil
	}
	return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(precision), 64), 64)
}

func intFilter(_ *run, v Value, a []Value) (Value, error) {
	if n, ok := integer(v); ok {
		return n, nil
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.fault()
	}
	f, ok := v.(float64)
	if s, isString := stringOf(v); isString {
		s = strings.TrimFunc(s, isSpace)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		var err error
		f, err = strconv.ParseFloat(s, 64)
		ok = err == nil
	}
	switch {
	case ok && math.Abs(f) < 1<<63:
		return int64(f), nil
	case ok && math.Abs(f) <= math.MaxFloat64:
		return nil, errRange
	}
	return or(a[0], int64(0)), nil
}

func floatFilter(_ *run, v Value, a []Value) (Value, error) {
	if u, ok := v.(*undefined); ok {
		return nil, u.fault()
	}
	f, ok := number(v)
	if s, isString := stringOf(v); isString {
		var err error
		f, err = strconv.ParseFloat(strings.TrimFunc(s, isSpace), 64)
		ok = err == nil || errors.Is(err, strconv.ErrRange)
	}
	if !ok {
		return or(a[0], 0.0), nil
	}
	return f, nil
}

func formatFilter(r *run, v Value, a Args) (Value, error) {
	format, err := r.text(v)
	if err != nil {
		return nil, err
	}
	if len(a.Names) == 0 {
		s, err := r.percent(format, &Seq{Items: a.Values, kind: tupleKind})
		return s, err
	}
	if len(a.Values) > 0 {
		return nil, errors.New("format takes values with names or without, not both")
	}
	d := NewDict()
	for i, name := range a.Names {
		if err := d.set(name, a.Named[i]); err != nil {
			return nil, err
		}
	}
	s, err := r.percent(format, d)
	return s, err
}

// itemsIfAny returns the items of v; none if v is none, false or 0.
func (r *run) itemsIfAny(v Value) ([]Value, error) {
	if !truth(v) {
		return nil, nil
	}
	return r.items(v)
}

func mapFilter(r *run, v Value, a Args) (Value, error) {
	items, err := r.itemsIfAny(v)
	if err != nil {
		return nil, err
	}
	apply := func(item Value) (Value, error) { return nil, errors.New("map needs a filter or an attribute") }
	if len(a.Values) > 0 {
		name, err := wantString(a.Values[0])
		if err != nil {
			return nil, err
		}
		rest := Args{a.Values[1:], a.Names, a.Named}
		apply = func(item Value) (Value, error) { return r.filter(name, item, rest) }
	} else if given, err := named("attribute default?").bind("map", a); err == nil {
		apply = func(item Value) (Value, error) {
			item, err := r.path(item, given[0])
			if _, none := item.(*undefined); none && err == nil {
				return or(given[1], item), nil
			}
			return item, err
		}
	} else if len(a.Names) > 0 {
		return nil, err
	}
	out := make([]Value, len(items))
	for i, item := range items {
		if out[i], err = apply(item); err != nil {
			return nil, err
		}
	}
	return r.list(generatorKind, out)
}

// selecting makes select and reject, of attributes or of items.
func selecting(ofAttribute, wanted bool) func(*run, Value, Args) (Value, error) {
	return func(r *run, v Value, a Args) (Value, error) {
		items, err := r.itemsIfAny(v)
		if err != nil {
			return nil, err
		}
		var attribute Value
		if ofAttribute {
			if len(a.Values) == 0 {
				return nil, errors.New("selectattr and rejectattr need an attribute")
			}
			attribute, a.Values = a.Values[0], a.Values[1:]
		}
		name := ""
		if len(a.Values) > 0 {
			if name, err = wantString(a.Values[0]); err != nil {
				return nil, err
			}
			a.Values = a.Values[1:]
		}
		var out []Value
		for _, item := range items {
			of, err := r.path(item, attribute)
			if err != nil {
				return nil, err
			}
			ok := Value(truth(of))
			if name != "" {
				if ok, err = r.test(name, of, a); err != nil {
					return nil, err
				}
			}
			if ok == wanted {
				out = append(out, item)
			}
		}
		return r.list(generatorKind, out)
	}
}
