package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"svg": inlineSVG}).Parse(pageHTML))

// WritePage writes one HTML page of all reports. It is complete in itself: plots are inline, and a content security policy keeps
// browsers from loading anything.
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

// inlineSVG draws a plot as an element of an HTML page: its SVG without the XML prologue.
func inlineSVG(p *Plot) (template.HTML, error) {
	image, err := p.draw("svg")
	if err != nil {
		return "", err
	}
	at := bytes.Index(image, []byte("<svg"))
	if at < 0 {
		return "", fmt.Errorf("plot %s: no SVG was drawn", p.Name)
	}
	return template.HTML(image[at:]), nil // texts in it were escaped by the drawer
}
