package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"two\tcolumns\nand a line", "two\tcolumns\nand a line"},
		{"Grüße, 世界 🙂", "Grüße, 世界 🙂"},
		{"\x1b]0;title\x07\x1b[2J", `\u001b]0;title\u0007\u001b[2J`},
		{"a\rb\x7f", `a\u000db\u007f`},
		{"\u009b31m", `\u009b31m`},
		{"\x9b31m", `\x9b31m`},
		{"user\u202egpj.exe\u202c", `user\u202egpj.exe\u202c`},
		{"\u2067א\u2069 \u200fב", `\u2067א\u2069 ` + "\u200fב"},
		{"\uFFFD", "\uFFFD"},
	} {
		if got := Text(test.in); got != test.want {
			t.Errorf("%q is shown as %q, want %q", test.in, got, test.want)
		}
	}
}

func TestTextProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := string(rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\x1b\x9b\xc2\xe2\x80\xae\n\ta")))).Draw(t, "bytes"))
		text := Text(raw)
		if !utf8.ValidString(text) {
			t.Fatalf("%q is not UTF-8", text)
		}
		for _, r := range text {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) && r != 0x61c && r != 0x200e && r != 0x200f {
				t.Fatalf("%q has %U", text, r)
			}
		}
		if Text(text) != text {
			t.Fatalf("%q is not left as it is", text)
		}
		if stripped := Strip(strings.ToValidUTF8(raw, "")); Text(stripped) != stripped {
			t.Fatalf("%q is left of %q", stripped, raw)
		}
		// JSON stays JSON, and means the same.
		object, err := json.Marshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if json.Unmarshal(object, &before) != nil || json.Unmarshal([]byte(Text(string(object))), &after) != nil || before != after {
			t.Fatalf("%s becomes %s", object, Text(string(object)))
		}
	})
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	w := Writer{&out}
	if n, err := fmt.Fprint(w, "a\x1b"); n != 2 || err != nil || out.String() != `a\u001b` {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
	closed, end := io.Pipe()
	closed.Close()
	if _, err := fmt.Fprint(Writer{end}, "a"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}
