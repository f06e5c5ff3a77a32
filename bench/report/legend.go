package report

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is a line of a legend.
type entry struct {
	name   string
	thumbs []plot.Thumbnailer
}

// legend stands below a plot, in as many columns as there is room for. Names follow their signs, so that a wider font runs over none.
type legend struct {
	columns []plot.Legend
	width   vg.Length // of a column
	height  vg.Length
}

func newLegend(entries []entry, style text.Style) legend {
	if len(entries) == 0 {
		return legend{}
	}
	const sign, between = 20, 14 // points
	widest := vg.Length(0)
	for _, e := range entries {
		widest = max(widest, style.Width(e.name))
	}
	l := legend{width: 1.1*widest + vg.Points(sign+between)}
	count := min(len(entries), max(1, int(plotWidth/l.width)))
	for i, e := range entries {
		if i < count {
			column := plot.NewLegend()
			column.Top, column.Left, column.TextStyle, column.ThumbnailWidth, column.Padding = true, true, style, vg.Points(sign), vg.Points(3)
			l.columns = append(l.columns, column)
		}
		l.columns[i%count].Add(e.name, e.thumbs...)
	}
	rows := (len(entries) + count - 1) / count
	l.height = vg.Length(rows)*(style.FontExtents().Height+vg.Points(4)) + vg.Points(8)
	return l
}

// draw draws the legend at the lower edge of c.
func (l legend) draw(c draw.Canvas) {
	for i, column := range l.columns {
		part := c
		part.Min.X += vg.Length(i) * l.width
		part.Max.Y = part.Min.Y + l.height - vg.Points(6)
		column.Draw(part)
	}
}
