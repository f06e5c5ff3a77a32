package jinja

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// hostile are templates that try to take time, memory or the stack, each with what stops it.
var hostile = []struct{ name, template, reason string }{
	{"endless recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper"},
	{"mutual recursion", "{% macro f(g) %}{{ g(g) }}{% endmacro %}{{ f(f) }}", "nested deeper"},
	{"recursive call blocks", "{% macro f() %}{% call f() %}x{% endcall %}{% endmacro %}{{ f() }}", "nested deeper"},
	{"branching recursion", "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}", "steps"},
	{"repetition", "{{ 'x' * 1000000000 }}", "bytes"},
	{"repetition out of range", "{{ 'xx' * 9223372036854775807 }}", "a string of"},
	{"repetition of a list", "{{ [1, 2] * 9223372036854775807 }}", "a list of"},
	{"repetition of nothing", "{% for i in range(1) %}{{ '' * 9223372036854775807 }}{{ [] * 9223372036854775807 }}{% endfor %}{{ 1 / 0 }}", "division"},
	{"least number", "{{ (-9223372036854775807 - 1) // -1 }}", "out of range"},
	{"rest of the least number", "{{ (-9223372036854775807 - 1) % -1 }}{{ 1 / 0 }}", "division"},
	{"range", "{% for i in range(1000000000) %}{% endfor %}", "range of more"},
	{"range at the end of numbers", "{{ range(9223372036854775806, 9223372036854775807, 5) | list }}{{ 1 / 0 }}", "division"},
	{"range of step 0", "{% for i in range(0, 9, 0) %}{% endfor %}", "step 0"},
	{"nested loops", "{% set r = range(9999) %}{% for i in r %}{% for j in r %}{% endfor %}{% endfor %}", "steps"},
	{"doubling", strings.Repeat("{% set x = (x or 'xxxxxxxxxxxxxxxx') ~ (x or 'x') %}", 60), "bytes"},
	{"doubling in a loop", "{% set ns = namespace(x='xx') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", "bytes"},
	{"doubling of a list", strings.Repeat("{% set x = (x or [1]) + (x or [1]) %}", 60), "bytes"},
	{"printing what was doubled", strings.Repeat("{% set x = [x, x] %}", 60) + "{{ x }}", "limit"},
	{"JSON of what was doubled", strings.Repeat("{% set x = [x or 1, x or 1] %}", 60) + "{{ x | tojson }}", "limit"},
	{"comparing what was doubled", strings.Repeat("{% set x = [x, x] %}{% set y = [y, y] %}", 60) + "{{ x == y }}", "steps"},
	{"ordering what was doubled", strings.Repeat("{% set x = [x, x] %}{% set y = [y, y] %}", 60) + "{{ x < y }}", "steps"},
	{"nesting", "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "nested deeper"},
	{"nested JSON", "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}", "nested deeper"},
	{"a namespace in itself", "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x == ns.x }}{{ ns.x }}{{ 1 / 0 }}", "division"},
	{"replace", "{{ 'xxxxxxxxxxxxxxxx'" + strings.Repeat("|replace('x', 'xxxxxxxxxxxxxxxx')", 9) + " }}", "bytes"},
	{"replace of nothing", "{{ ('x' * 100000) | replace('', 'x' * 100000) }}", "bytes"},
	{"join", "{% set s = range(3000)|join(',') %}{{ range(9999)|join(s) }}", "bytes"},
	{"width of a format", "{{ '%999999999d' % 1 }}", "width"},
	{"width in a value", "{{ '%*d' % (999999999, 1) }}", "not known"},
	{"many widths", "{% for i in range(9999) %}{% set x = '%99999d' % 1 %}{% endfor %}", "bytes"},
	{"indent", "{{ [1]|tojson(indent=1000000000) }}", "indent"},
	{"indent of a text", "{{ 'a\nb'|indent(1000000000) }}", "bytes"},
	{"a long indent", "{{ [1]|tojson(indent='x' * 1000000) }}", "indent"},
	{"output", "{% for i in range(9999) %}" + strings.Repeat("x", 1000) + "{% endfor %}", "output"},
	{"parentheses", "{{ " + strings.Repeat("(", 100_000), "a tag without an end"},
	{"closed parentheses", "{{ " + strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000) + " }}", "nested deeper"},
	{"brackets", "{{ " + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + " }}", "nested deeper"},
	{"subscripts", "{{ a" + strings.Repeat("[a", 50_000) + strings.Repeat("]", 50_000) + " }}", "nested deeper"},
	{"not", "{{ " + strings.Repeat("not ", 50_000) + "1 }}", "nested deeper"},
	{"minus", "{{ " + strings.Repeat("-", 50_000) + "1 }}", "nested deeper"},
	{"inline if", "{{ " + strings.Repeat("1 if 0 else ", 30_000) + "1 }}", "nested deeper"},
	{"blocks", strings.Repeat("{% if true %}", 10_000) + strings.Repeat("{% endif %}", 10_000), "nested deeper"},
	{"targets", "{% for " + strings.Repeat("(", 10_000) + "a" + strings.Repeat(")", 10_000) + " in b %}{% endfor %}", "nested deeper"},
	{"a long sum", "{{ 1" + strings.Repeat(" + 1", 50_000) + " }}", "nested deeper"},
	{"a long chain of attributes", "{{ a" + strings.Repeat(".a", 50_000) + " }}", "nested deeper"},
	{"a long chain of filters", "{{ a" + strings.Repeat("|e", 50_000) + " }}", "nested deeper"},
	{"a long template", strings.Repeat("x", maxSource+1), "bytes long"},
	{"a large number", "{{ 99999999999999999999 }}", "out of range"},
	{"a sum out of range", "{{ 9223372036854775807 + 1 }}", "out of range"},
	{"a name of Python", "{{ ''.__class__.__mro__ }}", "no attribute"},
	{"another template", "{% include 'x' %}", "not known"},
}

func TestHostileTemplates(t *testing.T) {
	for _, test := range hostile {
		text, err := referenceCase{test.template, json.RawMessage(`{"a": {}}`)}.render(t)
		located, ok := errors.AsType[*Error](err)
		switch {
		case err == nil || !strings.Contains(err.Error(), test.reason):
			t.Errorf("%s: got %.100q, %v, want an error with %q", test.name, text, err, test.reason)
		case (!ok || located.Line != 1) && test.name != "a long template":
			t.Errorf("%s: error %v without a line", test.name, err)
		case len(err.Error()) > 500:
			t.Errorf("%s: an error of %d bytes", test.name, len(err.Error()))
		}
	}
}

// What Jinja2 has and this package has not is an error that names it, never another text.
func TestWhatIsNotSupportedFails(t *testing.T) {
	for template, want := range map[string]string{
		"{{ 2 ** 3 }}": `"**"`,
		"{% for x in [1] recursive %}{% endfor %}":            `"recursive"`,
		"{% for x in [1] %}{{ loop.cycle(1) }}{% endfor %}":   `"cycle"`,
		"{% for x in [1] %}{{ loop.changed(1) }}{% endfor %}": `"changed"`,
		"{% for x in [1] %}{{ loop([1]) }}{% endfor %}":       "a loop cannot be called",
		"{{ 'a b' | wordcount }}":                             `"wordcount"`,
		"{{ dict | attr('b') }}":                              `"attr"`,
		"{{ '1f' | int(base=16) }}":                           `"base"`,
		"{{ '1f' | int(0, 16) }}":                             "at most 1",
		"{{ messages | sort(attribute='role,content') }}":     "several attributes",
		"{{ 1 is sameas 1 }}":                                 `"sameas"`,
		"{{ 'a' is lower }}":                                  `"lower"`,
		"{{ 'a b'.rsplit(' ', 1) }}":                          "rsplit",
		"{{ 'ab'.isalpha() }}":                                "isalpha",
		"{{ [1].index(1) }}":                                  "index",
		"{{ dict.copy() }}":                                   "copy",
		"{{ '%x' % 255 }}":                                    "not known",
		"{{ '%g' % 1.5 }}":                                    "not known",
		"{{ '%f' % ('inf' | float) }}":                        "finite",
	} {
		text, err := (referenceCase{template, json.RawMessage(goldenVars)}).render(t)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want an error with %s", template, text, err, want)
		}
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	for template, want := range map[string]string{
		"a\n\n{{ 1 / 0 }}":                                          "line 3: division by zero",
		"{% if true %}\n{{ x.y }}\n{% endif %}":                     `line 2: "x" is undefined`,
		"{% macro f() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ f() }}": "line 2: division by zero",
		"\n{% for %}":            "line 2: ",
		"\n\n{{ 'a":              "line 3: a string without an end",
		"{{ 'a\nb' }}\n{% if %}": "line 3: ",
		"{# \n\n #}\n{% raw %}\n{% endraw %}{{ raise_exception('no') }}": "line 5: raised",
	} {
		if text, err := (referenceCase{template, json.RawMessage(`{}`)}).render(t); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %q", template, text, err, want)
		}
	}
}

func TestRenderEndsWithItsContext(t *testing.T) {
	template, err := Parse("{% set r = range(99999) %}{% for i in r %}{% for j in r %}{{ stop() }}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	stop := Func(func(Args) (Value, error) {
		calls++
		cancel()
		return "", nil
	})
	if _, err := template.Render(ctx, map[string]Value{"stop": stop}, testLimits); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if calls > 1000 {
		t.Errorf("went on for %d calls", calls)
	}
}

// A run makes no more than its limits let it, and steps grow with what is done.
func FuzzRender(f *testing.F) {
	for _, template := range goldenTemplates(f) {
		f.Add(template)
	}
	for _, test := range hostile {
		f.Add(test.template)
	}
	vars, err := FromJSON([]byte(goldenVars), strings.Clone)
	if err != nil {
		f.Fatal(err)
	}
	limits := Limits{Steps: 1 << 16, Bytes: 1 << 20, Output: 1 << 14}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		given := map[string]Value{}
		dict := vars.(*Dict)
		for i, key := range dict.keys {
			given[key.(string)] = dict.values[i]
		}
		before := printed(t, vars)
		text, err := template.Render(t.Context(), given, limits)
		if int64(len(text)) > limits.Output || err != nil && text != "" {
			t.Errorf("%d bytes of output beside %v", len(text), err)
		}
		if printed(t, vars) != before {
			t.Error("the template changed a variable")
		}
	})
}

func printed(t *testing.T, v Value) string {
	t.Helper()
	s, err := (&run{ctx: t.Context(), steps: 1 << 30, bytes: 1 << 30}).text(v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
