package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"svg": inlineSVG, "summaryPlot": plotOf}).Parse(pageHTML))

// WritePage writes one HTML page of all reports: what they sum up, with its plot, and then a section for each, folded. It is complete in
// itself: plots are inline, and a content security policy keeps browsers from loading anything.
func WritePage(out io.Writer, title string, reports []*Report) error {
	page := struct {
		Title   string
		Reports []*Report
	}{title, reports}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, page); err != nil {
		return fmt.Errorf("report: page: %w", err)
	}
	_, err := text.WriteTo(out)
	return err
}

// plotOf returns the plot of a report that its summary is shown with, or nil.
func plotOf(r *Report) *Plot {
	for _, p := range r.Plots {
		if p.Name == r.Summary.Plot {
			return p
		}
	}
	return nil
}

// fonts are families whose letters are about as wide as those that places in plots are computed with.
const fonts = "font-family:'Liberation Sans',Arimo,Arial,Helvetica,Roboto,sans-serif"

// inPage makes the SVG of a plot a part of a page: texts and axes take the page's colour, and fonts have others to fall back to.
var inPage = strings.NewReplacer("font-family:Liberation Sans", fonts, "fill:#000000", "fill:currentColor", "stroke:#000000", "stroke:currentColor",
	"stroke:#C8C8C8", "stroke:currentColor;stroke-opacity:0.18", "<title>Plot</title>", "")

// inlineSVG draws a plot as an element of an HTML page: its SVG without the XML prologue, with a title and a description for those who can't see it.
// The prefix makes their names unique, where a page shows a plot twice.
func inlineSVG(prefix string, p *Plot) (template.HTML, error) {
	image, err := p.draw("svg", false)
	if err != nil {
		return "", err
	}
	_, drawing, found := bytes.Cut(image, []byte("<svg "))
	if !found {
		return "", fmt.Errorf("plot %s: no SVG was drawn", p.Name)
	}
	attributes, content, _ := bytes.Cut(drawing, []byte(">"))
	id := template.HTMLEscapeString(prefix + "-" + p.Name)
	return template.HTML(fmt.Sprintf(`<svg role="img" aria-labelledby="%[1]s-title" aria-describedby="%[1]s-desc" %[2]s><title id="%[1]s-title">%[3]s</title><desc id="%[1]s-desc">%[4]s</desc>%[5]s`,
		id, attributes, template.HTMLEscapeString(p.Title), template.HTMLEscapeString(p.Describe()), inPage.Replace(string(content)))), nil // the drawer escaped its texts
}
