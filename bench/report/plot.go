package report

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
)

// Plot is a diagram: lines over a number, or, with Groups, bars.
type Plot struct {
	Name  string `json:"name"` // within its report: letters, digits and hyphens
	Title string `json:"title"`
	X     string `json:"x"` // labels of the axes
	Y     string `json:"y"`
	LogX  bool   `json:"log_x,omitempty"`
	LogY  bool   `json:"log_y,omitempty"`
	// YMin and YMax are the ends of the vertical axis of lines, which are cut off there. If both are 0, the values determine them.
	YMin float64 `json:"y_min,omitempty"`
	YMax float64 `json:"y_max,omitempty"`
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
	if p.YMin > p.YMax || p.LogY && p.YMin < 0 {
		return fmt.Errorf("plot %s: no axis goes from %v to %v", p.Name, p.YMin, p.YMax)
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

// Describe says what the plot shows, for those who can't see it: the axes, and the ends and the range of each series.
func (p *Plot) Describe() string {
	var out strings.Builder
	if p.Groups != nil {
		fmt.Fprintf(&out, "Bars of %s.", p.Y)
	} else {
		fmt.Fprintf(&out, "%s over %s.", p.Y, p.X)
	}
	for _, s := range p.Series {
		fmt.Fprintf(&out, " %s: ", s.Name)
		if p.Groups != nil {
			for i, group := range p.Groups {
				if i > 0 {
					out.WriteString(", ")
				}
				fmt.Fprintf(&out, "%s %.3g", group, s.Y[i])
			}
			out.WriteString(".")
			continue
		}
		if len(s.Y) == 0 {
			out.WriteString("no value.")
			continue
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, y := range s.Y {
			low, high = min(low, y), max(high, y)
		}
		last := len(s.Y) - 1
		fmt.Fprintf(&out, "%.3g at %.4g, %.3g at %.4g, between %.3g and %.3g.", s.Y[0], s.X[0], s.Y[last], s.X[last], low, high)
	}
	return out.String()
}
