package tokenizer

import "unicode/utf8"

// The commonest pre-tokenizer patterns, by their text in tokenizer.json, which have scanners of their own.
const (
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
)

// splitter cuts text into pieces, each of which is tokenised on its own.
type splitter interface {
	// next returns the length in bytes of the first piece of s, which is not empty. A splitter takes from work the number of
	// characters that it looks at, if the time for a whole text could otherwise be more than linear in its length.
	next(s string, work *int) int
}

// scanner is a splitter written by hand, which looks at no byte often enough to make splitting a whole text more than linear.
type scanner func(s string) int

func (f scanner) next(s string, _ *int) int { return f(s) }

// splitterFor returns what does what a pattern says.
func splitterFor(source string) (splitter, error) {
	switch source {
	case patternLlama3:
		return scanner(splitLlama3), nil
	case patternQwen:
		return scanner(splitQwen), nil
	case patternGPT2:
		return scanner(splitGPT2), nil
	}
	return parsePattern(source)
}

// splitDigits cuts every number character off, or with together runs of them.
func splitDigits(together bool) splitter {
	return scanner(func(s string) int {
		c, n := classAt(s)
		if c == number {
			if together {
				return run(s, number)
			}
			return n
		}
		for n < len(s) {
			c, size := classAt(s[n:])
			if c == number {
				break
			}
			n += size
		}
		return n
	})
}

func splitLlama3(s string) int { return splitModern(s, 3) }

func splitQwen(s string) int { return splitModern(s, 1) }

// splitModern runs patternLlama3, with at most digits numbers in a piece.
func splitModern(s string, digits int) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	c, n := classAt(s)
	switch {
	case c == letter:
		return n + run(s[n:], letter)
	case c == number:
		for digits--; digits > 0; digits-- {
			next, size := classAt(s[n:])
			if next != number {
				break
			}
			n += size
		}
		return n
	case c != newline:
		if letters := run(s[n:], letter); letters > 0 {
			return n + letters
		}
	}
	if n := punctuation(s); n > 0 {
		return n + run(s[n:], newline)
	}
	return whitespace(s, true)
}

// splitGPT2 runs patternGPT2.
func splitGPT2(s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	lead := leadingSpace(s)
	if c, _ := classAt(s[lead:]); c == letter || c == number {
		return lead + run(s[lead:], c)
	}
	if n := punctuation(s); n > 0 {
		return n
	}
	return whitespace(s, false)
}

// class says which of a pattern's sets a character belongs to.
type class uint8

const (
	other class = iota
	letter
	number
	space   // white space but for newline
	newline // carriage return, line feed
)

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for r := range table {
		switch {
		case r == '\r' || r == '\n':
			table[r] = newline
		case 'a' <= r|0x20 && r|0x20 <= 'z':
			table[r] = letter
		case '0' <= r && r <= '9':
			table[r] = number
		case r == ' ' || '\t' <= r && r <= '\r':
			table[r] = space
		}
	}
	return table
}()

func classOf(r rune) class {
	c := categoryOf(r)
	switch {
	case r == '\r' || r == '\n':
		return newline
	case letters.has(c):
		return letter
	case numbers.has(c):
		return number
	case spaces.has(c):
		return space
	}
	return other
}

// classAt returns the class and the length of the first character of s: (other, 0) at the end, (other, 1) for a byte that
// is not UTF-8.
func classAt(s string) (class, int) {
	if s == "" {
		return other, 0
	}
	if s[0] < utf8.RuneSelf {
		return asciiClass[s[0]], 1
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError {
		return other, n
	}
	return classOf(r), n
}

// run returns the length of the characters of class c with which s begins.
func run(s string, c class) int {
	i := 0
	for i < len(s) {
		found, n := classAt(s[i:])
		if found != c {
			break
		}
		i += n
	}
	return i
}

// contraction matches 's|'t|'re|'ve|'m|'ll|'d at the beginning of s, in any case where fold is set (then the long s counts
// as an s). It returns 0 where there is none.
func contraction(s string, fold bool) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	lower := func(b byte) byte {
		if fold && 'A' <= b && b <= 'Z' {
			return b + 'a' - 'A'
		}
		return b
	}
	switch lower(s[1]) {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v':
		if len(s) > 2 && lower(s[2]) == 'e' {
			return 3
		}
	case 'l':
		if len(s) > 2 && lower(s[2]) == 'l' {
			return 3
		}
	}
	if r, n := utf8.DecodeRuneInString(s[1:]); fold && r == 'ſ' {
		return 1 + n
	}
	return 0
}

// leadingSpace returns 1 if s begins with U+0020.
func leadingSpace(s string) int {
	if s != "" && s[0] == ' ' {
		return 1
	}
	return 0
}

// punctuation matches ` ?[^\s\p{L}\p{N}]+`.
func punctuation(s string) int {
	lead := leadingSpace(s)
	if n := run(s[lead:], other); n > 0 {
		return lead + n
	}
	return 0
}

// whitespace matches `\s*[\r\n]+|\s+(?!\S)|\s+`, without the first alternative unless lines is set, at white space: to the
// last line end; else all but the last character, which goes with what follows, if there is anything before or after it.
func whitespace(s string, lines bool) int {
	end, last, line := 0, 0, 0
	for end < len(s) {
		c, n := classAt(s[end:])
		if c != space && c != newline {
			break
		}
		last = end
		end += n
		if c == newline {
			line = end
		}
	}
	switch {
	case lines && line > 0:
		return line
	case end == len(s) || last == 0:
		return end
	}
	return last
}
