package main

import (
	"regexp"
	"strings"
)

// chatMarkdown shows Markdown as a terminal can: headings and strong text bold, code in another colour, points as such. It works on a stream: text waits
// only while it may begin a mark.
type chatMarkdown struct {
	held  string // text that waits
	begun bool   // the line
	fence string // that ends the block of code; empty outside
}

// Styles of Markdown, as ECMA-48 has them, and the ends of each.
const (
	boldOn, boldOff = "\x1b[1m", "\x1b[22m"
	codeOn, codeOff = "\x1b[36m", "\x1b[39m"
)

var (
	// lineMark is what a line can begin with.
	lineMark = regexp.MustCompile("^(?:( {0,3})(```+|~~~+)[^\n]*\n|(#{1,6}) |( *)[-*+] )")
	// mayMark is a beginning of a line that may become a mark.
	mayMark = regexp.MustCompile("^(?: {0,8}| {0,3}(?:`{1,2}|~{1,2}|(?:```+|~~~+)[^\n]*)|#{1,6}| *[-*+])$")
)

// longestHeld bounds the text that waits within a line.
const longestHeld = 400

// next returns what can be shown once a text has come.
func (m *chatMarkdown) next(text string) string {
	m.held += text
	var out strings.Builder
	for m.held != "" && m.step(&out) {
	}
	return out.String()
}

// flush returns what still waits, as nothing follows.
func (m *chatMarkdown) flush() string {
	text := m.held
	if m.fence != "" {
		text += codeOff
	}
	*m = chatMarkdown{}
	return text
}

// step moves something from held to out, or reports that more text is needed.
func (m *chatMarkdown) step(out *strings.Builder) bool {
	switch {
	case m.fence != "":
		return m.code(out)
	case !m.begun:
		return m.beginLine(out)
	}
	i := strings.IndexAny(m.held, "\n`*")
	switch {
	case i < 0:
		m.show(out, len(m.held))
	case i > 0:
		m.show(out, i)
	case m.held[0] == '\n':
		m.show(out, 1)
		m.begun = false
	case m.held[0] == '`':
		return m.span(out, "`", codeOn, codeOff)
	case strings.HasPrefix(m.held, "**"):
		return m.span(out, "**", boldOn, boldOff)
	case len(m.held) == 1:
		return false // the next may be a star, too
	default:
		m.show(out, 1)
	}
	return true
}

func (m *chatMarkdown) show(out *strings.Builder, n int) {
	out.WriteString(m.held[:n])
	m.held = m.held[n:]
}

// beginLine shows what a line begins with.
func (m *chatMarkdown) beginLine(out *strings.Builder) bool {
	if mayMark.MatchString(m.held) && len(m.held) < longestHeld {
		return false
	}
	m.begun = true
	found := lineMark.FindStringSubmatch(m.held)
	switch {
	case found == nil:
		return true
	case found[2] != "": // the fence itself is not shown
		m.fence, m.begun = found[2], false
		out.WriteString(codeOn)
	case found[3] != "":
		line, _, whole := strings.Cut(m.held, "\n")
		if !whole && len(line) < longestHeld {
			m.begun = false
			return false
		}
		out.WriteString(boldOn + strings.ReplaceAll(line[len(found[0]):], "**", "") + boldOff)
		m.held = m.held[len(line):]
		return true
	default:
		out.WriteString(found[4] + "• ")
	}
	m.held = m.held[len(found[0]):]
	return true
}

// code shows a line of a block of code, and ends the block with its fence.
func (m *chatMarkdown) code(out *strings.Builder) bool {
	if m.begun { // the rest of a line that can't be the fence
		i := strings.IndexByte(m.held, '\n') + 1
		m.begun = i == 0
		if i == 0 {
			i = len(m.held)
		}
		m.show(out, i)
		return true
	}
	line, _, whole := strings.Cut(m.held, "\n")
	trimmed := strings.TrimSpace(line)
	switch {
	case whole && strings.HasPrefix(trimmed, m.fence) && strings.Trim(trimmed, m.fence[:1]) == "":
		out.WriteString(codeOff)
		m.fence, m.held = "", m.held[len(line)+1:]
	case !whole && strings.Trim(trimmed, m.fence[:1]) == "" && len(line) < longestHeld:
		return false
	default:
		m.begun = true
	}
	return true
}

// span shows a text between two marks, which are left out; without the second, the first is text.
func (m *chatMarkdown) span(out *strings.Builder, mark, on, off string) bool {
	inner, _, closed := strings.Cut(m.held[len(mark):], mark)
	line, _, ended := strings.Cut(m.held, "\n")
	switch {
	case closed && len(mark)+len(inner) < len(line) && inner != "" && strings.TrimSpace(inner) == inner:
		out.WriteString(on + inner + off)
		m.held = m.held[2*len(mark)+len(inner):]
	case closed || ended || len(m.held) > longestHeld:
		m.show(out, len(mark))
	default:
		return false
	}
	return true
}
