package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/lever-go/lever/internal/publish"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	plotWidth  = 17 * vg.Centimeter
	plotHeight = 9 * vg.Centimeter // without the legend
	// manyGroups of bars lie, so that the names of groups have room beside them.
	manyGroups = 6
)

// save draws the plot into base.png and base.svg.
func (p *Plot) save(base string) error {
	for _, format := range []string{"png", "svg"} {
		image, err := p.draw(format, true)
		if err != nil {
			return err
		}
		if err := publish.WriteFile(base+"."+format, image, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// draw returns the plot as an image in the given format, svg or png: alone, with its title on white, or as a part of a page.
func (p *Plot) draw(format string, alone bool) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	d := plot.New()
	p.style(d, alone)
	var entries []entry
	var err error
	height := plotHeight
	if p.Groups != nil {
		entries, height = p.addBars(d)
	} else {
		entries, err = p.addLines(d)
	}
	if err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	legend := newLegend(entries, d.Legend.TextStyle)
	canvas, err := draw.NewFormattedCanvas(plotWidth, height+legend.height, format)
	if err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	all := draw.New(canvas)
	if alone {
		all.SetColor(color.White)
		all.Fill(all.Path())
	}
	const margin = 2 * vg.Millimeter
	inside := draw.Crop(all, margin, -margin, margin, -margin)
	d.Draw(draw.Crop(inside, 0, 0, legend.height, 0))
	legend.draw(inside)
	var image bytes.Buffer
	if _, err := canvas.WriteTo(&image); err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	return image.Bytes(), nil
}

// style sets axes, grid and fonts. A part of a page has the page's background, and its title is the page's text.
func (p *Plot) style(d *plot.Plot, alone bool) {
	d.X.Label.Text, d.Y.Label.Text = p.X, p.Y
	if alone {
		d.Title.Text = p.Title
	}
	d.BackgroundColor = nil
	for _, s := range []*text.Style{&d.Title.TextStyle, &d.X.Label.TextStyle, &d.Y.Label.TextStyle, &d.X.Tick.Label, &d.Y.Tick.Label, &d.Legend.TextStyle} {
		s.Font.Variant = "Sans"
		s.Font.Size = vg.Points(9)
	}
	d.Title.TextStyle.Font.Size = vg.Points(11)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridColor, gridColor
	d.Add(grid)
	d.X.Tick.Marker, d.Y.Tick.Marker = evenly{}, evenly{}
}

// evenly marks an axis at round numbers, with as many decimals each as the one that needs most.
type evenly struct{}

func (evenly) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	decimals := 0
	for _, t := range ticks {
		if strings.Contains(t.Label, "e") { // numbers that are written in powers of ten
			return ticks
		}
		if _, after, found := strings.Cut(t.Label, "."); found {
			decimals = max(decimals, len(strings.TrimRight(after, "0")))
		}
	}
	for i, t := range ticks {
		if before, after, found := strings.Cut(t.Label, "."); found {
			ticks[i].Label = strings.TrimSuffix(before+"."+after[:min(len(after), decimals)], ".")
		}
	}
	return ticks
}

var gridColor = color.Gray{0xc8}

// Series differ by shape as well as by colour: lines by their points, bars by their hatching. As there is another number of shapes than of
// colours, no two of many series are alike.
var (
	colors = []color.Color{rgb(0x1b9e77), rgb(0xd95f02), rgb(0x7570b3), rgb(0xe7298a), rgb(0x5b9a1a), rgb(0xb98900), rgb(0xa6761d), rgb(0x7a7a7a)} // 3:1 and more on white and on dark
	glyphs = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
	dashes = []vg.Length{vg.Points(5), vg.Points(3)}
)

func rgb(v uint32) color.Color { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255} }

func (p *Plot) addLines(d *plot.Plot) (entries []entry, err error) {
	if p.LogX {
		d.X.Scale, d.X.Tick.Marker = plot.LogScale{}, doublings{}
	}
	if p.LogY {
		d.Y.Scale, d.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	lowest, from, to := math.Inf(1), math.Inf(1), math.Inf(-1)
	for i, s := range p.Series {
		var xys plotter.XYs
		for j, x := range s.X {
			if (!p.LogX || x > 0) && (!p.LogY || s.Y[j] > 0) {
				xys = append(xys, plotter.XY{X: x, Y: s.Y[j]})
				lowest = min(lowest, s.Y[j])
				if s.Y[j] >= p.YMin && s.Y[j] <= p.YMax {
					from, to = min(from, x), max(to, x)
				}
			}
		}
		if len(xys) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(xys)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colors[i%len(colors)], vg.Points(1.6)
		points.Color, points.Radius, points.Shape = line.Color, vg.Points(2.8), glyphs[i%len(glyphs)]
		shown := []plot.Plotter{line, points}
		thumbs := []plot.Thumbnailer{line, points}
		switch {
		case s.Points:
			shown, thumbs = shown[1:], thumbs[1:]
		case s.Dashed:
			line.Dashes = dashes
			shown, thumbs = shown[:1], thumbs[:1]
			if p.manyDashed() {
				shown, thumbs = []plot.Plotter{line, points}, []plot.Thumbnailer{line, points}
			}
		}
		d.Add(shown...)
		entries = append(entries, entry{s.Name, thumbs})
	}
	switch {
	case p.YMin != 0 || p.YMax != 0:
		d.Y.Min, d.Y.Max = p.YMin, p.YMax
		if from < to {
			d.X.Min, d.X.Max = from, to
		}
	case !p.LogY && lowest >= 0:
		d.Y.Min = 0
	}
	return entries, nil
}

// manyDashed reports whether dashes alone don't tell lines apart.
func (p *Plot) manyDashed() bool {
	n := 0
	for _, s := range p.Series {
		if s.Dashed {
			n++
		}
	}
	return n > 1
}

// doublings marks a logarithmic axis at powers of two, or of four where those are many.
type doublings struct{}

func (doublings) Ticks(low, high float64) (ticks []plot.Tick) {
	first, last := math.Floor(math.Log2(low)), math.Ceil(math.Log2(high))
	step := math.Ceil((last - first) / 10)
	for e := first; e <= last; e += max(1, step) {
		ticks = append(ticks, plot.Tick{Value: math.Exp2(e), Label: shortNumber(math.Exp2(e))})
	}
	return ticks
}

// shortNumber writes a power of two with the prefix of bytes.
func shortNumber(v float64) string {
	for _, unit := range []string{"", "Ki", "Mi", "Gi"} {
		if v < 1024 || unit == "Gi" {
			return fmt.Sprintf("%.4g%s", v, unit)
		}
		v /= 1024
	}
	return ""
}

// addBars adds bars, which lie where there are many groups, and returns the height that they need.
func (p *Plot) addBars(d *plot.Plot) (entries []entry, height vg.Length) {
	const group = 0.85 // of the distance between groups
	lying := len(p.Groups) > manyGroups
	width := group / float64(max(1, len(p.Series)))
	for i, s := range p.Series {
		b := &bars{Series: s, first: -group/2 + float64(i)*width, width: width, color: colors[i%len(colors)], hatching: i, lying: lying}
		d.Add(b)
		entries = append(entries, entry{s.Name, []plot.Thumbnailer{b}})
	}
	if !lying {
		names := slices.Clone(p.Groups)
		for i, name := range names { // in lines, so that they don't run into each other
			names[i] = strings.ReplaceAll(name, ", ", ",\n")
		}
		d.NominalX(names...)
		d.X.Min, d.X.Max, d.Y.Min = -0.5, float64(len(p.Groups))-0.5, 0
		return entries, plotHeight
	}
	d.NominalY(p.Groups...)
	d.X.Label.Text, d.Y.Label.Text = p.Y, p.X
	d.Y.Min, d.Y.Max, d.X.Min = -0.5, float64(len(p.Groups))-0.5, 0
	d.Y.Scale = plot.InvertedScale{Normalizer: plot.LinearScale{}} // the first group is above
	d.X.Tick.Marker, d.Y.Width = evenly{}, 0
	bar := 2.2 * vg.Millimeter
	return entries, max(plotHeight, 2*vg.Centimeter+bar*vg.Length(len(p.Groups)*(len(p.Series)+1)))
}
