package tokenizer

import "strings"

// lstripBlocks does to a template what the option lstrip_blocks of Jinja means: the space between the beginning of a line and
// a block or a comment goes. The interpreter's own option also takes space that follows another tag. Line ends within tags,
// which the interpreter's lexer trips over, become spaces.
func lstripBlocks(source string) string {
	var out strings.Builder
	for {
		open := nextTag(source)
		if open < 0 {
			out.WriteString(source)
			return out.String()
		}
		data := source[:open]
		if kept := strings.TrimRight(data, " \t"); source[open+1] != '{' && lineStart(out.String(), kept) && !strings.HasPrefix(source[open+2:], "+") {
			data = kept
		}
		out.WriteString(data)
		size := tagLen(source[open:])
		tag := source[open : open+size]
		if source[open+1] != '#' {
			tag = joinLines(tag)
		}
		out.WriteString(tag)
		source = source[open+size:]
	}
}

// nextTag returns the index of the first "{{", "{%" or "{#" in s, or −1.
func nextTag(s string) int {
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '{')
		if i < 0 || from+i+1 == len(s) {
			return -1
		}
		from += i
		if strings.IndexByte("{%#", s[from+1]) >= 0 {
			return from
		}
		from++
	}
}

// lineStart reports whether what comes after the two parts of a text begins a line.
func lineStart(before, kept string) bool {
	if kept == "" {
		return before == "" || strings.HasSuffix(before, "\n")
	}
	return strings.HasSuffix(kept, "\n")
}

// tagLen returns the length of the tag with which s begins, up to the end of s if it does not end.
func tagLen(s string) int {
	if s[1] == '#' {
		if end := strings.Index(s, "#}"); end >= 0 {
			return end + len("#}")
		}
		return len(s)
	}
	end := "}}"
	if s[1] == '%' {
		end = "%}"
	}
	braces := 0
	for i := len(end); i < len(s); i++ {
		switch {
		case braces == 0 && strings.HasPrefix(s[i:], end):
			return i + len(end)
		case s[i] == '{':
			braces++
		case s[i] == '}':
			braces--
		case s[i] == '"' || s[i] == '\'':
			i += quotedLen(s[i:]) - 1
		}
	}
	return len(s)
}

// quotedLen returns the length of the string literal with which s begins.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

// joinLines replaces line ends outside of string literals by spaces.
func joinLines(tag string) string {
	if !strings.ContainsAny(tag, "\r\n") {
		return tag
	}
	joined := []byte(tag)
	for i := 0; i < len(joined); i++ {
		switch joined[i] {
		case '\r', '\n':
			joined[i] = ' '
		case '"', '\'':
			i += quotedLen(tag[i:]) - 1
		}
	}
	return string(joined)
}
