package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/internal/terminal"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newTopCommand() *cobra.Command {
	var keyFile string
	var interval time.Duration
	var times int
	cmd := &cobra.Command{
		Use:   "top [ADDRESS]",
		Short: "Watch a server at work",
		Long: `Watch a server at work: tokens a second, tokens a pass, what is read from flash, memory, and who waits. ADDRESS is that of 'lever serve';
the default is ` + defaultListen + `. Ctrl-C ends it. What is shown comes from the server's /metrics.`,
		Example: `  lever top
  lever top 192.168.1.7:8080 --interval 5s
  lever top --times 1`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval < 100*time.Millisecond || times < 0 {
				return cli.UsageErrorf("--interval is at least 100ms, and --times at least 0")
			}
			key, err := readKey(keyFile)
			if err != nil {
				return err
			}
			address := defaultListen
			if len(args) == 1 {
				address = args[0]
			}
			w := &watch{url: "http://" + strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/"), key: key}
			return cli.Interrupted(cmd.Context(), w.run(cmd.Context(), interval, times))
		},
	}
	cmd.Flags().StringVar(&keyFile, "api-key-file", "", "file with the key that the server asks for (default: $"+apiKeyVariable+", or none)")
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks")
	cmd.Flags().IntVar(&times, "times", 0, "how often to look; 0: until Ctrl-C")
	return cmd
}

// watch looks at a server.
type watch struct {
	url, key string
	lines    int // of the table that is on the terminal
	latest   figures
	at       time.Time // at which these were looked at
}

// figures are what a server's /metrics says, without labels: values of several are added up.
type figures map[string]float64

func (w *watch) run(ctx context.Context, interval time.Duration, times int) error {
	var models struct{ Data []struct{ ID string } }
	body, err := w.get(ctx, "/v1/models")
	if err == nil {
		err = json.Unmarshal(body, &models)
	}
	if err == nil && len(models.Data) == 0 {
		err = fmt.Errorf("%s has no model", w.url)
	}
	if err != nil {
		return err
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for i := 0; times == 0 || i < times; i++ {
		body, err := w.get(ctx, "/metrics")
		if err != nil {
			return err
		}
		now := parseFigures(string(body))
		before, seconds := w.since(now, time.Now())
		if err := w.show(models.Data[0].ID, now, before, seconds); err != nil {
			return err
		}
		if i+1 == times {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil // that is how it is meant to end
		}
	}
	return nil
}

// since returns the figures that were looked at before these, and the seconds between. In the first look nothing has changed.
func (w *watch) since(now figures, at time.Time) (before figures, seconds float64) {
	if w.latest == nil {
		w.latest, w.at = now, at.Add(-time.Second)
	}
	before, seconds = w.latest, at.Sub(w.at).Seconds()
	w.latest, w.at = now, at
	return before, seconds
}

// maxAnswer bounds what is read of a server's answer, in bytes.
const maxAnswer = 1 << 20

func (w *watch) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
	if err != nil {
		return nil, err
	}
	if w.key != "" {
		r.Header.Set("Authorization", "Bearer "+w.key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w; 'lever serve' starts a server", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s asks for a key: set %s, or --api-key-file", w.url, apiKeyVariable)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s%s: %s; is it a server of lever?", w.url, path, response.Status)
	}
	return body, err
}

// parseFigures reads Prometheus' text format; lines that it does not know are passed over.
func parseFigures(text string) figures {
	all := figures{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if v, err := strconv.ParseFloat(value, 64); found && err == nil {
			all[name] += v
		}
	}
	return all
}

// show writes the figures of now and of the time since before, over those that were shown last where that can be done.
func (w *watch) show(model string, now, before figures, seconds float64) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	since := func(name string) float64 { return now[name] - before[name] }
	ratio := func(a, b float64) string {
		if b <= 0 {
			return "-"
		}
		return strconv.FormatFloat(a/b, 'f', 2, 64)
	}
	row := func(name, latest, all string) { fmt.Fprintf(table, "%s\t%s\t%s\n", name, latest, all) }
	const tokens, passes, drafted, read = "lever_tokens_total", "lever_passes_total", "lever_drafted_tokens_total", "lever_flash_read_bytes_total"
	row(terminal.Text(model), "now", "since it began")
	ofPasses := func(f figures) float64 { return f[tokens] - f["lever_first_tokens_total"] }
	row("tokens a second", ratio(since(tokens), seconds), ratio(ofPasses(now), now["lever_decode_seconds_total"]))
	row("tokens a pass", ratio(ofPasses(now)-ofPasses(before), since(passes)), ratio(ofPasses(now), now[passes]))
	row("drafted a pass", ratio(since(drafted), since(passes)), ratio(now[drafted], now[passes]))
	row("read from flash", cli.FormatBytes(int64(since(read)/seconds))+"/s", cli.FormatBytes(int64(now[read])))
	const first = "lever_first_token_seconds"
	row("seconds to a first token", ratio(since(first+"_sum"), since(first+"_count")), ratio(now[first+"_sum"], now[first+"_count"]))
	if memory := now["process_resident_memory_bytes"]; memory > 0 {
		row("memory", cli.FormatBytes(int64(memory)), "")
	}
	count := func(name string) string { return strconv.Itoa(int(now[name])) }
	row("answered now", count("lever_requests_running"), plural.Of(int(now["lever_request_seconds_count"]), "answer")+", "+count("lever_failed_generations_total")+" failed, "+count("lever_cancelled_generations_total")+" cancelled")
	row("waiting", count("lever_requests_waiting"), "")
	row("prepared", count("lever_requests_preparing"), "")
	if err := table.Flush(); err != nil {
		return err
	}
	shown := text.String()
	if !term.IsTerminal(int(os.Stdout.Fd())) {
		_, err := io.WriteString(cli.Stdout, shown+"\n")
		return err
	}
	// The cursor goes up to where the table begins, and each line is cleared before it is written: these commands are ours, the text is not.
	up := ""
	if w.lines > 0 {
		up = fmt.Sprintf("\x1b[%dA", w.lines)
	}
	w.lines = strings.Count(shown, "\n")
	_, err := io.WriteString(os.Stdout, up+"\x1b[K"+strings.ReplaceAll(shown, "\n", "\n\x1b[K"))
	return err
}
