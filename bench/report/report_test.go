package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/bench/report"
)

// sample returns a report with everything a report can have.
func sample(name string) *report.Report {
	r := report.New(name, "A <sample> & more")
	r.Set("flash", "ufs-4.0")
	r.Find("reads reach %.0f%% of the bound", 97.0)
	t := r.AddTable("rates", report.Text("policy"), report.Number("tokens/s", 2), report.Number("passes", 0))
	t.Add("lever", 6.666, 12)
	t.Add("none <script>", math.NaN(), nil)
	lines := r.AddPlot(report.Plot{Name: "lines", Title: "Lines & <points>", X: "rows", Y: "seconds", LogX: true})
	lines.Add(report.Series{Name: "measured", X: []float64{1, 2, 4, 64}, Y: []float64{1, 1.5, math.Inf(1), 3}})
	lines.Add(report.Series{Name: "bound", X: []float64{1, 64}, Y: []float64{0.5, 0.5}, Dashed: true})
	lines.Add(report.Series{Name: "runs", X: []float64{3, 9}, Y: []float64{2, 2}, Points: true})
	log := r.AddPlot(report.Plot{Name: "log", Title: "Both logarithmic", LogX: true, LogY: true})
	log.Add(report.Series{Name: "sizes", X: []float64{4096, 1 << 20, 8 << 20}, Y: []float64{10, 1000, 2000}})
	bars := r.AddPlot(report.Plot{Name: "bars", Title: "Bars", Groups: []string{"gsm8k", "mbpp"}})
	bars.Add(report.Series{Name: "chain", Y: []float64{1, 2}, Marks: []float64{1.5, 2.5}})
	bars.Add(report.Series{Name: "lever", Y: []float64{3, math.NaN()}})
	empty := r.AddPlot(report.Plot{Name: "empty", Title: "Nothing measured"})
	empty.Add(report.Series{Name: "none"})
	axis := r.AddPlot(report.Plot{Name: "axis", Title: "A part of the axis", YMin: 90, YMax: 100})
	axis.Add(report.Series{Name: "recall", X: []float64{0, 10, 20}, Y: []float64{100, 97, 80}})
	many := r.AddPlot(report.Plot{Name: "many", Title: "Lying bars", Groups: strings.Split("one two three four five six seven", " ")})
	many.Add(report.Series{Name: "lever", Y: []float64{1, 2, 3, 4, 5, 6, 7}})
	r.Summary = report.Summary{Sentences: []string{"It is twice <as> fast."}, Plot: "bars"}
	r.Data = map[string]int{"passes": 12}
	return r
}

func TestSavedReportIsReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	want := sample("sample")
	if err := want.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := report.Load(dir, "sample")
	if err != nil {
		t.Fatal(err)
	}
	if data := string(got.Data.(json.RawMessage)); !strings.Contains(data, `"passes": 12`) {
		t.Errorf("data %s", data)
	}
	text := func(r *report.Report) string {
		var b bytes.Buffer
		if err := r.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got.Summary.Plot != "bars" || len(got.Summary.Sentences) != 1 {
		t.Errorf("summary %+v", got.Summary)
	}
	if text(got) != text(want) {
		t.Errorf("read back\n%s\nwant\n%s", text(got), text(want))
	}
	for _, part := range []string{"6.67", "–", "12", "97% of the bound", "flash: ufs-4.0"} {
		if !strings.Contains(text(got), part) {
			t.Errorf("the text does not say %q:\n%s", part, text(got))
		}
	}
	for _, plot := range want.Plots {
		for ending, magic := range map[string]string{".png": "\x89PNG", ".svg": "<?xml"} {
			path := filepath.Join(dir, "sample-"+plot.Name+ending)
			if picture, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(picture, []byte(magic)) {
				t.Errorf("%s: %d bytes, %v", path, len(picture), err)
			}
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := report.Load(dir, "absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent report: %v", err)
	}
	for name, text := range map[string]string{
		"no JSON":        "{",
		"another's":      `{"name": "other"}`,
		"ragged table":   `{"name": "x", "tables": [{"columns": [{"name": "a"}], "rows": [[1, 2]]}]}`,
		"no table":       `{"name": "x", "tables": [null]}`,
		"no plot":        `{"name": "x", "plots": [null]}`,
		"ragged series":  `{"name": "x", "plots": [{"name": "p", "series": [{"x": [1], "y": [1, 2]}]}]}`,
		"ragged bars":    `{"name": "x", "plots": [{"name": "p", "groups": ["a"], "series": [{"y": [1, 2]}]}]}`,
		"no series":      `{"name": "x", "plots": [{"name": "p", "series": [null]}]}`,
		"no axis":        `{"name": "x", "plots": [{"name": "p", "y_min": 2, "y_max": 1}]}`,
		"no logarithm":   `{"name": "x", "plots": [{"name": "p", "y_min": -1, "y_max": 1, "log_y": true}]}`,
		"unsafe picture": `{"name": "x", "plots": [{"name": "../p"}]}`,
	} {
		if err := os.WriteFile(report.Path(dir, "x"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := report.Load(dir, "x"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
