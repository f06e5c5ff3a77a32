package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path/filepath"

	"github.com/lever-go/lever/internal/publish"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/brewer"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Plot is a diagram: lines over a number, or, with Groups, bars.
type Plot struct {
	Name  string `json:"name"` // within its report: letters, digits and hyphens
	Title string `json:"title"`
	X     string `json:"x"` // labels of the axes
	Y     string `json:"y"`
	LogX  bool   `json:"log_x,omitempty"`
	LogY  bool   `json:"log_y,omitempty"`
	// Groups are the names along the horizontal axis of a bar chart, where each series has one bar in each group.
	Groups []string  `json:"groups,omitempty"`
	Series []*Series `json:"series"`
}

// Series is one line, or one bar of each group.
type Series struct {
	Name string    `json:"name"`
	X    []float64 `json:"x,omitempty"` // as many as Y; none for bars
	Y    []float64 `json:"y"`
	// Marks are heights at which a bar gets a tick, such as a bound: as many as Y, or none.
	Marks  []float64 `json:"marks,omitempty"`
	Points bool      `json:"points,omitempty"` // no line between the points
	Dashed bool      `json:"dashed,omitempty"` // for what others measured, or a bound
}

// AddPlot adds a plot, and returns it for its series.
func (r *Report) AddPlot(p Plot) *Plot {
	r.Plots = append(r.Plots, &p)
	return &p
}

// Add adds a series. Values that are not finite are left out, with their points; of bars they become 0.
func (p *Plot) Add(s Series) {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	kept := s
	kept.X, kept.Y = nil, nil
	for i, y := range s.Y {
		switch {
		case p.Groups != nil && finite(y):
			kept.Y = append(kept.Y, y)
		case p.Groups != nil:
			kept.Y = append(kept.Y, 0)
		case i < len(s.X) && finite(s.X[i]) && finite(y):
			kept.X, kept.Y = append(kept.X, s.X[i]), append(kept.Y, y)
		}
	}
	p.Series = append(p.Series, &kept)
}

// check reports what can't be drawn.
func (p *Plot) check() error {
	if filepath.Base(p.Name) != p.Name {
		return fmt.Errorf("plot %q: its name is no name of a file", p.Name)
	}
	for _, s := range p.Series {
		switch {
		case s == nil:
			return fmt.Errorf("plot %s: a series is null", p.Name)
		case p.Groups == nil && len(s.X) != len(s.Y):
			return fmt.Errorf("plot %s: series %q has %d values at %d places", p.Name, s.Name, len(s.Y), len(s.X))
		case p.Groups != nil && len(s.Y) != len(p.Groups):
			return fmt.Errorf("plot %s: series %q has %d values in %d groups", p.Name, s.Name, len(s.Y), len(p.Groups))
		}
	}
	return nil
}

const (
	plotWidth  = 24 * vg.Centimeter
	plotHeight = 12 * vg.Centimeter
)

// save draws the plot into base.png and base.svg.
func (p *Plot) save(base string) error {
	for _, format := range []string{"png", "svg"} {
		image, err := p.draw(format)
		if err != nil {
			return err
		}
		if err := publish.WriteFile(base+"."+format, image, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// draw returns the plot as an image in the given format, svg or png.
func (p *Plot) draw(format string) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	d := plot.New()
	d.Title.Text, d.X.Label.Text, d.Y.Label.Text = p.Title, p.X, p.Y
	d.Legend.Top = true
	d.Legend.Padding = vg.Points(2)
	d.Add(plotter.NewGrid())
	add := p.addLines
	if p.Groups != nil {
		add = p.addBars
	}
	if err := add(d); err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	w, err := d.WriterTo(plotWidth, plotHeight, format)
	if err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	var image bytes.Buffer
	if _, err := w.WriteTo(&image); err != nil {
		return nil, fmt.Errorf("plot %s: %w", p.Name, err)
	}
	return image.Bytes(), nil
}

// colors returns n colours that can be told apart, as far as there are any.
func colors(n int) ([]color.Color, error) {
	name := "Dark2"
	if n > 8 {
		name = "Paired"
	}
	palette, err := brewer.GetPalette(brewer.TypeQualitative, name, min(max(3, n), 12))
	if err != nil {
		return nil, err
	}
	return palette.Colors(), nil
}

func (p *Plot) addLines(d *plot.Plot) error {
	colors, err := colors(len(p.Series))
	if err != nil {
		return err
	}
	if p.LogX {
		d.X.Scale, d.X.Tick.Marker = plot.LogScale{}, doublings{}
	}
	if p.LogY {
		d.Y.Scale, d.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	lowest := math.Inf(1)
	for i, s := range p.Series {
		var xys plotter.XYs
		for j, x := range s.X {
			if (!p.LogX || x > 0) && (!p.LogY || s.Y[j] > 0) {
				xys = append(xys, plotter.XY{X: x, Y: s.Y[j]})
				lowest = min(lowest, s.Y[j])
			}
		}
		if len(xys) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(xys)
		if err != nil {
			return err
		}
		line.Color, line.Width = colors[i%len(colors)], vg.Points(1.6)
		points.Color, points.Radius, points.Shape = line.Color, vg.Points(2.5), draw.CircleGlyph{}
		if s.Dashed {
			line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
		}
		switch {
		case s.Points:
			d.Add(points)
			d.Legend.Add(s.Name, points)
		case s.Dashed:
			d.Add(line)
			d.Legend.Add(s.Name, line)
		default:
			d.Add(line, points)
			d.Legend.Add(s.Name, line, points)
		}
	}
	if !p.LogY && lowest >= 0 {
		d.Y.Min = 0
		d.Y.Max *= 1.15 // room for the legend
	}
	return nil
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

func (p *Plot) addBars(d *plot.Plot) error {
	colors, err := colors(len(p.Series))
	if err != nil {
		return err
	}
	const group = 0.85 // of the distance between groups
	bar := group / float64(max(1, len(p.Series)))
	d.Y.Min = 0
	for i, s := range p.Series {
		for j, y := range s.Y {
			left := float64(j) - group/2 + float64(i)*bar
			box, err := plotter.NewPolygon(plotter.XYs{{X: left}, {X: left + bar}, {X: left + bar, Y: y}, {X: left, Y: y}})
			if err != nil {
				return err
			}
			box.Color, box.LineStyle.Width = colors[i%len(colors)], vg.Points(0.3)
			d.Add(box)
			if j == 0 {
				d.Legend.Add(s.Name, box)
			}
			if j < len(s.Marks) {
				mark, err := plotter.NewLine(plotter.XYs{{X: left, Y: s.Marks[j]}, {X: left + bar, Y: s.Marks[j]}})
				if err != nil {
					return err
				}
				d.Add(mark)
			}
		}
	}
	d.NominalX(p.Groups...)
	d.X.Max = float64(len(p.Groups)) + 0.3 // room for the legend
	return nil
}
