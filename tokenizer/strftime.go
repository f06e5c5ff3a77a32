package tokenizer

import (
	"strings"
	"time"
)

// strftimeLayouts are the directives of strftime that templates use, in Go's terms.
var strftimeLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'B': "January", 'b': "Jan", 'A': "Monday", 'a': "Mon",
	'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'j': "002", 'h': "Jan", 'Z': "", 'z': "", // Python's time has no zone here
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'n': "\n", 't': "\t",
}

// strftime formats a time as Python does; a directive it does not know stays as it is.
func strftime(now time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		unpadded := format[i] == '-' && i+1 < len(format)
		if unpadded {
			i++
		}
		switch layout, ok := strftimeLayouts[format[i]]; {
		case ok:
			s := now.Format(layout)
			if unpadded && len(s) > 1 {
				s = strings.TrimLeft(s, "0 ")
			}
			b.WriteString(s)
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(format[i-1 : i+1])
		}
	}
	return b.String()
}
