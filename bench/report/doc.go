// Package report is what experiments have in common: their results as tables and plots, which are saved as JSON, shown as text, drawn as
// PNG and SVG, and gathered in one HTML page.
//
//  1. An experiment's Run returns a [Report]: what was measured, where and with which settings; findings, one sentence each; tables
//     and plots as numbers; and under Data whatever else the experiment knows.
//  2. [Report.WriteText] shows it on a terminal. [Report.Save] writes NAME.json, and a PNG and an SVG of each plot, into a folder.
//  3. [Load] reads NAME.json again, and [WritePage] makes a page of any number of reports: plots are drawn from the numbers, so that
//     JSON alone is enough. The page loads nothing from elsewhere.
//
// Usage:
//
//	r := report.New("flash", "Reading from flash")
//	t := r.AddTable("bandwidth", report.Text("size"), report.Number("MB/s", 0))
//	t.Add("4 KiB", 120.5)
//	p := r.AddPlot(report.Plot{Name: "bandwidth", Title: "Bandwidth by size", X: "bytes", Y: "MB/s", LogX: true})
//	p.Add(report.Series{Name: "depth 1", X: sizes, Y: rates})
//	r.Find("Reads of 1 MiB reach %.0f %% of the best.", 100*share)
//	…
//	err := errors.Join(r.WriteText(os.Stdout), r.Save("bench-results"))
//
// Limits: cells are texts or numbers; plots are lines, points or grouped bars.
package report
