package fileerr

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// What comes from a file does not reach the terminal as it is, and leaves an error short enough to be read.
func TestTextOfFiles(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"\x1b[31mred\x1b[0m": `\x1b[31mred\x1b[0m`,
		"a\nb":               `a\nb`,
		"\xff":               `\xff`,
		"größe":              "größe",
	} {
		if got := Name(in); got != want {
			t.Errorf("Name(%q) = %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("ä", 100_000)
	for _, got := range []string{Name(long), Quote(long), Text(long), (&Error{Format: "gguf", Tensor: long, Reason: long, Err: ErrCorrupt}).Error()} {
		if len(got) > 700 || !utf8.ValidString(got) || !strings.Contains(got, "… (200000 bytes)") {
			t.Errorf("%d bytes: %.80q", len(got), got)
		}
	}
	if got := Quote("\x1b"); got != `"\x1b"` {
		t.Errorf("got %s", got)
	}
}

func TestForeign(t *testing.T) {
	for head, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\n": "Git LFS", "\n <!DOCTYPE HTML>": "web page", "<html lang": "web page", "GGUF": "", "": "", `{"a": 1}`: "",
	} {
		if got := Foreign([]byte(head)); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("Foreign(%q) = %q, want %q", head, got, want)
		}
	}
}

func TestErrorWraps(t *testing.T) {
	err := &Error{Format: "gguf", File: "x.gguf", Tensor: "a", Reason: "is wrong", Err: ErrTruncated}
	if want := "gguf: x.gguf: tensor a: is wrong: file is truncated"; err.Error() != want || !errors.Is(err, ErrTruncated) {
		t.Errorf("got %q, want %q", err, want)
	}
}
