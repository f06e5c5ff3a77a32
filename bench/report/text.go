package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the report for a terminal: settings, tables, findings.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%s\n%s, load %s; %.0f s\n", r.Title, r.Machine, r.Machine.Load, r.Seconds)
	for _, s := range r.Settings {
		fmt.Fprintf(w, "%s: %s\n", s.Name, s.Value)
	}
	for _, t := range r.Tables {
		fmt.Fprintf(w, "\n%s\n", t.Title)
		for _, c := range t.Columns {
			fmt.Fprintf(w, "%s\t", c.Name)
		}
		fmt.Fprintln(w)
		for i := range t.Rows {
			for j := range t.Columns {
				fmt.Fprintf(w, "%s\t", t.Cell(i, j))
			}
			fmt.Fprintln(w)
		}
	}
	if len(r.Findings) > 0 {
		fmt.Fprintln(w)
	}
	for _, f := range r.Findings {
		fmt.Fprintln(w, f)
	}
	return w.Flush()
}
