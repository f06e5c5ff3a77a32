package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars draws one series of a bar chart.
type bars struct {
	*Series
	first    float64 // where the bar of group 0 begins; that of group i is i further
	width    float64
	color    color.Color
	hatching int
	lying    bool
}

// Plot draws the bars and their marks. It is a method of [plot.Plotter].
func (b *bars) Plot(c draw.Canvas, plt *plot.Plot) {
	along, across := plt.X.Norm, plt.Y.Norm
	if b.lying {
		along, across = across, along
	}
	place := func(position, value float64) vg.Point {
		if b.lying {
			return vg.Point{X: c.X(across(value)), Y: c.Y(along(position))}
		}
		return vg.Point{X: c.X(along(position)), Y: c.Y(across(value))}
	}
	for i, value := range b.Y {
		left := b.first + float64(i)
		b.box(c, place(left, 0), place(left+b.width, value))
		if i < len(b.Marks) {
			c.StrokeLine2(draw.LineStyle{Color: color.Black, Width: vg.Points(1.2)}, place(left, b.Marks[i]).X, place(left, b.Marks[i]).Y, place(left+b.width, b.Marks[i]).X, place(left+b.width, b.Marks[i]).Y)
		}
	}
}

// DataRange returns what the axes must hold. It is a method of [plot.DataRanger].
func (b *bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	high := 0.0
	for _, y := range append(append([]float64{}, b.Y...), b.Marks...) {
		high = max(high, y)
	}
	last := b.first + b.width + float64(len(b.Y)-1)
	if b.lying {
		return 0, high, b.first, last
	}
	return b.first, last, 0, high
}

// Thumbnail draws the sign of the legend. It is a method of [plot.Thumbnailer].
func (b *bars) Thumbnail(c *draw.Canvas) { b.box(*c, c.Min, c.Max) }

// box draws a filled and hatched rectangle with these corners.
func (b *bars) box(c draw.Canvas, from, to vg.Point) {
	r := vg.Rectangle{Min: vg.Point{X: min(from.X, to.X), Y: min(from.Y, to.Y)}, Max: vg.Point{X: max(from.X, to.X), Y: max(from.Y, to.Y)}}
	c.SetColor(b.color)
	c.Fill(r.Path())
	var lines vg.Path
	for _, direction := range hatchings[b.hatching%len(hatchings)] {
		hatch(r, direction, func(from, to vg.Point) {
			lines.Move(from)
			lines.Line(to)
		})
	}
	if lines != nil {
		c.SetLineStyle(draw.LineStyle{Color: color.White, Width: vg.Points(0.8)})
		c.Stroke(lines)
	}
	c.SetColor(b.color)
	c.SetLineWidth(vg.Points(0.6))
	c.SetLineDash(nil, 0)
	c.Stroke(r.Path())
}

// hatchings are the directions of the lines by which bars of one series differ from those of others, in degrees.
var hatchings = [][]int{nil, {45}, {135}, {0}, {90}, {45, 135}, {0, 90}}

// hatch calls line with the ends of parallel lines within r.
func hatch(r vg.Rectangle, degrees int, line func(from, to vg.Point)) {
	const step = 4.0 // points
	sin, cos := math.Sincos(float64(degrees) * math.Pi / 180)
	// A line of distance d from the origin is d·(-sin, cos) + t·(cos, sin).
	low, high := math.Inf(1), math.Inf(-1)
	for _, corner := range [][2]vg.Length{{r.Min.X, r.Min.Y}, {r.Max.X, r.Min.Y}, {r.Min.X, r.Max.Y}, {r.Max.X, r.Max.Y}} {
		d := -sin*float64(corner[0]) + cos*float64(corner[1])
		low, high = min(low, d), max(high, d)
	}
	for d := (math.Floor(low/step) + 0.5) * step; d < high; d += step {
		from, to := math.Inf(-1), math.Inf(1) // of t
		for _, axis := range [][4]float64{{-sin * d, cos, float64(r.Min.X), float64(r.Max.X)}, {cos * d, sin, float64(r.Min.Y), float64(r.Max.Y)}} {
			start, slope, least, most := axis[0], axis[1], axis[2], axis[3]
			switch {
			case math.Abs(slope) > 1e-9:
				a, b := (least-start)/slope, (most-start)/slope
				from, to = max(from, min(a, b)), min(to, max(a, b))
			case start < least || start > most:
				to = math.Inf(-1)
			}
		}
		if from < to {
			at := func(t float64) vg.Point {
				return vg.Point{X: vg.Length(-sin*d + t*cos), Y: vg.Length(cos*d + t*sin)}
			}
			line(at(from), at(to))
		}
	}
}
