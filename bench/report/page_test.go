package report_test

import (
	"bytes"
	"context"
	"html"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/bench/report"
)

func writePage(t *testing.T, reports ...*report.Report) []byte {
	t.Helper()
	var page bytes.Buffer
	if err := report.WritePage(&page, "Experiments", reports); err != nil {
		t.Fatal(err)
	}
	return page.Bytes()
}

func TestPageStandsAlone(t *testing.T) {
	page := string(writePage(t, sample("first"), sample("second")))
	for _, foreign := range regexp.MustCompile(`(?:src|href)="([^"]*)"|url\(`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(foreign[1], "#") {
			t.Errorf("the page refers to %q", foreign[0])
		}
	}
	for _, want := range []string{"A &lt;sample&gt; &amp; more", "none &lt;script&gt;", "Content-Security-Policy", "6.67", "ufs-4.0", "twice &lt;as&gt; fast", `id="summary-bars-title"`, "gsm8k 3, mbpp 0.", "measured: 1 at 1, 3 at 64, between 1 and 3."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// A browser shows every plot, and has no fault to report: a page that asked for anything that its policy forbids would give one.
func TestPageInChromium(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("skipped: no chromium here to open the page in")
	}
	dir := t.TempDir()
	path, picture := filepath.Join(dir, "report.html"), filepath.Join(dir, "page.png")
	shown := append([]*report.Report{sample("shown")}, committed(t)...)
	if err := os.WriteFile(path, writePage(t, shown...), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--enable-logging=stderr", "--window-size=1100,3000", "--screenshot="+picture, "--dump-dom", "file://"+path)
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if faults := regexp.MustCompile(`(?m)^.*(CONSOLE|net::ERR|Refused to).*$`).FindAllString(log.String(), -1); faults != nil {
		t.Errorf("the browser reports %q", faults)
	}
	checkPlots(t, dom.String(), shown)
	checkInk(t, picture)
}

// committed returns the results that are kept beside the experiments.
func committed(t *testing.T) (reports []*report.Report) {
	t.Helper()
	paths, err := filepath.Glob("../results/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d results, %v", len(paths), err)
	}
	for _, path := range paths {
		r, err := report.Load(filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), ".json"))
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	return reports
}

// The page beside the committed results is of them, with every plot.
func TestCommittedPage(t *testing.T) {
	page, err := os.ReadFile("../results/report.html")
	if err != nil {
		t.Fatal(err)
	}
	reports := committed(t)
	checkPlots(t, string(page), reports)
	for _, r := range reports {
		for _, sentence := range r.Summary.Sentences {
			if !strings.Contains(string(page), "<li>"+html.EscapeString(sentence)+"</li>") {
				t.Errorf("the page does not begin with %q", sentence)
			}
		}
	}
}

// checkPlots checks that each report has a section of the page, and each plot a picture with its labels there.
func checkPlots(t *testing.T, page string, reports []*report.Report) {
	t.Helper()
	for _, r := range reports {
		section := regexp.MustCompile(`(?s)<section id="` + r.Name + `">.*?</section>`).FindString(page)
		if section == "" {
			t.Errorf("%s has no section", r.Name)
		}
		for _, p := range r.Plots {
			figure := regexp.MustCompile(`(?s)<figure data-plot="` + p.Name + `">.*?</figure>`).FindString(section)
			if strings.Count(figure, "<text") < 3 || !strings.Contains(figure, `role="img"`) || !strings.Contains(figure, "<desc id=") {
				t.Errorf("%s: plot %s: %.200q", r.Name, p.Name, figure)
			}
		}
	}
}

// checkInk checks that a picture of the sample's page shows its lines and bars: each series has one of these colours.
func checkInk(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	ink := map[color.RGBA]int{}
	bounds := page.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			ink[color.RGBAModel.Convert(page.At(x, y)).(color.RGBA)]++
		}
	}
	for _, series := range []color.RGBA{{27, 158, 119, 255}, {217, 95, 2, 255}} {
		if ink[series] < 10000 { // of bars alone
			t.Errorf("%d pixels of colour %v", ink[series], series)
		}
	}
}
