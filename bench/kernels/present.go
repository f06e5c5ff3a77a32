package kernels

import (
	"fmt"
	"slices"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/bench/report"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/tensor"
)

// present writes the report.
func present(out *report.Report, m *meter) {
	d := &m.data
	out.Data = d
	out.Set("threads", d.Threads)
	out.Set("weights are read from", fmt.Sprintf("%d MiB, in turn", m.Memory>>20))
	out.Set("memory, read by all threads", fmt.Sprintf("%.1f GB/s, the median of %s (%.1f to %.1f)", d.Memory/1e9, plural.Of(len(d.Reads), "measurement"), slices.Min(d.Reads)/1e9, slices.Max(d.Reads)/1e9))
	left := 0
	for _, r := range d.Results {
		if r.Seconds == 0 {
			left++
		}
	}
	out.Set("products left out", fmt.Sprintf("%d, which would take more than %v each", left, longest))

	peaks := out.AddTable("Best measured products", report.Text("kernels"), report.Number("int8: GMAC/s", 1), report.Number("F16: GMAC/s", 1),
		report.Number("int8: MAC per byte where memory bounds no more", 1))
	for _, p := range d.Peaks {
		peaks.Add(p.Kernels, p.Int8/1e9, p.F16/1e9, p.Int8/d.Memory)
		d.presentProducts(out, p.Kernels)
	}
	d.presentOthers(out, "Attention, one row of activations: µs, and % of the bound", m.Kernels, func(r Result) bool { return r.Op == "attention" })
	d.presentOthers(out, "Operations on rows, one thread: µs, and % of the bound", m.Kernels, func(r Result) bool { return r.Bound == byMoving })
	d.plotRoofline(out, "int8", "Products of quantised weights, and what bounds them", true)
	d.plotRoofline(out, "f16", "Products of F16 weights, and what bounds them", false)
	d.find(out)
}

// presentProducts adds the table of the products of a set: a row for each matrix, and columns for each batch.
func (d *Data) presentProducts(out *report.Report, set string) {
	columns := []report.Column{report.Text("model"), report.Text("matrix"), report.Text("weights"), report.Number("1 row: GB/s", 1)}
	for i, n := range batches {
		if i > 0 {
			columns = append(columns, report.Number(fmt.Sprintf("%d: GMAC/s", n), 0))
		}
		columns = append(columns, report.Number("%", 0))
	}
	t := out.AddTable("Matrix products, "+set+": rate, and % of the bound", columns...)
	var cells []any
	for _, r := range d.Results {
		if r.Kernels != set || r.Op != "matmul" {
			continue
		}
		amount := float64(r.MACs)
		if r.Rows == batches[0] {
			cells, amount = []any{r.Model, r.Shape, r.Type}, float64(r.Bytes)
		}
		if r.Seconds == 0 {
			cells = append(cells, nil, nil)
		} else {
			cells = append(cells, amount/r.Seconds/1e9, 100*r.Share)
		}
		if r.Rows == batches[len(batches)-1] {
			t.Add(cells...)
		}
	}
}

// presentOthers adds a table of the results that are chosen: a row for each operation, and columns for each set.
func (d *Data) presentOthers(out *report.Report, title string, sets []string, chosen func(Result) bool) {
	columns := []report.Column{report.Text("model"), report.Text("operation"), report.Text("size")}
	for _, set := range sets {
		columns = append(columns, report.Number(set, 2), report.Number("%", 0))
	}
	t := out.AddTable(title, columns...)
	var cells []any
	for _, r := range d.Results {
		if !chosen(r) {
			continue
		}
		if r.Kernels == sets[0] {
			size := r.Shape
			if r.Rows > 1 {
				size = fmt.Sprintf("%d×%s", r.Rows, r.Shape)
			}
			op := r.Op
			if r.Type != "" {
				op += " " + r.Type
			}
			cells = []any{r.Model, op, size}
		}
		cells = append(cells, 1e6*r.Seconds, 100*r.Share)
		if r.Kernels == sets[len(sets)-1] {
			t.Add(cells...)
		}
	}
}

// plotRoofline adds the rates of products over their multiply-accumulates per byte of weights, under what memory and the best product of the set allow.
func (d *Data) plotRoofline(out *report.Report, name, title string, quantized bool) {
	plot := out.AddPlot(report.Plot{Name: name, Title: title, X: "multiply-accumulates per byte of weights", Y: "GMAC/s", LogX: true, LogY: true})
	for _, p := range d.Peaks {
		points, roof := report.Series{Name: p.Kernels, Points: true}, report.Series{Name: p.Kernels + ": bound", Dashed: true}
		peak := p.F16
		if quantized {
			peak = p.Int8
		}
		for _, r := range d.Results {
			if r.Op == "matmul" && r.Kernels == p.Kernels && (r.Type != tensor.F16.String()) == quantized && r.Seconds > 0 {
				points.X, points.Y = append(points.X, float64(r.MACs)/float64(r.Bytes)), append(points.Y, float64(r.MACs)/r.Seconds/1e9)
			}
		}
		for _, x := range []float64{0.5, max(0.5, peak/d.Memory), 1024} { // the last leaves room for the legend
			roof.X, roof.Y = append(roof.X, x), append(roof.Y, min(x*d.Memory, peak)/1e9)
		}
		plot.Add(roof)
		plot.Add(points)
	}
}

// find says what the figures say of the largest model and each set.
func (d *Data) find(out *report.Report) {
	if len(d.Results) == 0 {
		return
	}
	model := d.Results[0].Model
	shares := func(set string, quantized bool, chosen func(rows int) bool) (s []float64) {
		for _, r := range d.Results {
			if r.Kernels == set && r.Model == model && r.Op == "matmul" && r.Seconds > 0 && (r.Type != tensor.F16.String()) == quantized && chosen(r.Rows) {
				s = append(s, 100*r.Share)
			}
		}
		return s
	}
	for _, p := range d.Peaks {
		one := shares(p.Kernels, true, func(rows int) bool { return rows == 1 })
		many := shares(p.Kernels, true, func(rows int) bool { return rows >= 16 })
		if len(one) == 0 || len(many) == 0 {
			continue
		}
		out.Find("%s, %s, quantised weights: one row runs at %.0f %% of its bound (%.0f to %.0f), 16 rows and more at %.0f %% (%.0f to %.0f); medians",
			p.Kernels, model, bench.Median(one), slices.Min(one), slices.Max(one), bench.Median(many), slices.Min(many), slices.Max(many))
	}
}
