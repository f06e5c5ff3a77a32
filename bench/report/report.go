package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/lever-go/lever/bench"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/internal/publish"
)

// Report is the result of an experiment.
type Report struct {
	Name string `json:"name"` // of the experiment and its files: letters, digits and hyphens
	// Experiment is that which makes the report, if it has another name: one with other settings. A file does not say it.
	Experiment string        `json:"-"`
	Title      string        `json:"title"`
	Machine    bench.Machine `json:"machine"`
	Seconds    float64       `json:"seconds"` // that the experiment took
	Settings   []Setting     `json:"settings"`
	Summary    Summary       `json:"summary,omitzero"`
	Findings   []string      `json:"findings"` // what the figures say, a sentence each
	Tables     []*Table      `json:"tables"`
	Plots      []*Plot       `json:"plots"`
	// Data is all else that the experiment knows, in a form of its own. In a report that was loaded it is a json.RawMessage.
	Data any `json:"data,omitempty"`
}

// Summary is what a page of several reports begins with.
type Summary struct {
	Sentences []string `json:"sentences"`
	Plot      string   `json:"plot,omitempty"` // name of the plot that is shown with them
}

// Setting is something that an experiment was run with.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// New returns a report of an experiment that begins now, on this machine.
func New(name, title string) *Report {
	return &Report{Name: name, Title: title, Machine: bench.ThisMachine(), Settings: []Setting{}, Findings: []string{}, Tables: []*Table{}, Plots: []*Plot{}}
}

// Set adds a setting.
func (r *Report) Set(name string, value any) {
	r.Settings = append(r.Settings, Setting{name, fmt.Sprint(value)})
}

// Find adds a finding.
func (r *Report) Find(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// End notes how long the experiment took, from began on.
func (r *Report) End(began time.Time) { r.Seconds = time.Since(began).Seconds() }

// Table is a table of texts and numbers.
type Table struct {
	Title   string   `json:"title"`
	Columns []Column `json:"columns"`
	Rows    [][]any  `json:"rows"` // a cell is a string, a float64, or nil where there is nothing to say
}

// Column is what the cells of a column are.
type Column struct {
	Name   string `json:"name"`
	Digits int    `json:"digits"` // of numbers, after the point
	Text   bool   `json:"text,omitempty"`
}

// Text returns a column of texts.
func Text(name string) Column { return Column{Name: name, Text: true} }

// Number returns a column of numbers with so many digits after the point.
func Number(name string, digits int) Column { return Column{Name: name, Digits: digits} }

// AddTable adds a table without rows.
func (r *Report) AddTable(title string, columns ...Column) *Table {
	t := &Table{Title: title, Columns: columns, Rows: [][]any{}}
	r.Tables = append(r.Tables, t)
	return t
}

// Add adds a row. Numbers of any type become float64; NaN and infinities, which JSON has no way to write, become nil.
func (t *Table) Add(cells ...any) {
	row := make([]any, len(cells))
	for i, c := range cells {
		switch v := c.(type) {
		case int:
			row[i] = float64(v)
		case int64:
			row[i] = float64(v)
		case float64:
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				row[i] = v
			}
		case nil:
		default:
			row[i] = fmt.Sprint(v)
		}
	}
	t.Rows = append(t.Rows, row)
}

// Cell returns the text of a cell.
func (t *Table) Cell(row, column int) string {
	if column >= len(t.Rows[row]) {
		return ""
	}
	switch v := t.Rows[row][column].(type) {
	case nil:
		return "–"
	case float64:
		return fmt.Sprintf("%.*f", t.Columns[column].Digits, v)
	default:
		return fmt.Sprint(v)
	}
}

// Path returns the file in dir that holds the report of the experiment called name.
func Path(dir, name string) string { return filepath.Join(dir, name+".json") }

// Save writes NAME.json, and NAME-PLOT.png and NAME-PLOT.svg for each plot, into dir, which it makes if need be.
func (r *Report) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report: save %s: %w", r.Name, err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report: save %s: %w", r.Name, err)
	}
	errs := []error{publish.WriteFile(Path(dir, r.Name), append(text, '\n'), 0o644)}
	for _, p := range r.Plots {
		errs = append(errs, p.save(filepath.Join(dir, r.Name+"-"+p.Name)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("report: save %s: %w", r.Name, err)
	}
	return nil
}

// Load reads the report of the experiment called name from dir. The error wraps [io/fs.ErrNotExist] where there is none.
func Load(dir, name string) (*Report, error) {
	path := Path(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r := &Report{}
	var data json.RawMessage
	r.Data = &data
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	r.Data = data
	if err := r.check(name); err != nil {
		return nil, fmt.Errorf("report: %s: %w (an experiment writes it anew)", path, err)
	}
	return r, nil
}

// check reports what a page could not be made of.
func (r *Report) check(name string) error {
	if r.Name != name {
		return fmt.Errorf("it is of experiment %q", r.Name)
	}
	for i, t := range r.Tables {
		if t == nil {
			return fmt.Errorf("table %d is null", i)
		}
		for _, row := range t.Rows {
			if len(row) != len(t.Columns) {
				return fmt.Errorf("table %q: a row of %s in %s", t.Title, plural.Of(len(row), "cell"), plural.Of(len(t.Columns), "column"))
			}
		}
	}
	for i, p := range r.Plots {
		if p == nil {
			return fmt.Errorf("plot %d is null", i)
		}
		if err := p.check(); err != nil {
			return err
		}
	}
	return nil
}
