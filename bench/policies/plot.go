package policies

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/brewer"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Save writes policies.json and the plot, policies.png and policies.svg, into dir, which it makes if need be.
func (r *Report) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("policies: save: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("policies: save: %w", err)
	}
	p, err := r.plot()
	if err != nil {
		return fmt.Errorf("policies: plot: %w", err)
	}
	const width, height = 26 * vg.Centimeter, 13 * vg.Centimeter
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "policies.json"), append(text, '\n'), 0o644),
		p.Save(width, height, filepath.Join(dir, "policies.png")),
		p.Save(width, height, filepath.Join(dir, "policies.svg")),
	)
}

// plot draws a group of bars for each data set, one for each policy: tokens/s, with the roofline as a tick above each bar.
func (r *Report) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Tokens per second, %s, a pass streams %.1f GB", r.Settings.Flash, float64(r.Settings.PassBytes)/1e9)
	p.Y.Label.Text = "tokens/s (tick: roofline)"
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left = true, false
	sets, contenders := r.sets(), r.Settings.Contenders
	palette, err := brewer.GetPalette(brewer.TypeQualitative, "Paired", min(max(3, len(contenders)), 12))
	if err != nil {
		return nil, err
	}
	colors := palette.Colors()
	const group = 0.85 // of the distance between groups
	bar := group / float64(len(contenders))
	var ticks plotter.XYs
	for i, c := range contenders {
		for j, set := range sets {
			x, _ := r.find(set, c.Name)
			left := float64(j) - group/2 + float64(i)*bar
			box, err := plotter.NewPolygon(plotter.XYs{{X: left}, {X: left + bar}, {X: left + bar, Y: x.TokensPerSecond}, {X: left, Y: x.TokensPerSecond}})
			if err != nil {
				return nil, err
			}
			box.Color = colors[i%len(colors)]
			box.LineStyle.Width = vg.Points(0.3)
			p.Add(box)
			if j == 0 {
				p.Legend.Add(c.Name, box)
			}
			ticks = append(ticks, plotter.XY{X: left + bar/2, Y: x.Roofline})
		}
	}
	for _, at := range ticks {
		line, err := plotter.NewLine(plotter.XYs{{X: at.X - bar/2, Y: at.Y}, {X: at.X + bar/2, Y: at.Y}})
		if err != nil {
			return nil, err
		}
		p.Add(line)
	}
	p.NominalX(sets...)
	p.X.Max = float64(len(sets)) + 0.1 // room for the legend
	return p, nil
}
