package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lever-go/lever/internal/plural"
	"github.com/lever-go/lever/spec"
)

// Peer is a server of another program, which answers the same prompts by turns with the ways of this one. It must know OpenAI's completions, with a
// stream of text and with prompts of tokens, as llama.cpp's server does, and have the same target, so that tokens mean the same. The page cache is
// dropped before every answer, the ways of this program included, where the system allows it.
type Peer struct {
	Name string // of the program, its version and its flags, as the report is to call it
	URL  string // of its API, such as http://127.0.0.1:8080/v1
	// Group is the folder of the memory control group that the server runs in, whose limit and peak are reported; it may be empty.
	Group string
	// Tokens are those of an answer; if zero, as many as those of lever. Few are enough for a peer that does not draft, whose passes are all alike.
	Tokens int
}

func (p *Peer) check() error {
	if p.Name == "" || !strings.HasPrefix(p.URL, "http://") && !strings.HasPrefix(p.URL, "https://") {
		return fmt.Errorf("endtoend: peer %q at %q: a name and an http address are needed", p.Name, p.URL)
	}
	if p.Tokens < 0 || p.Tokens == 1 {
		return fmt.Errorf("endtoend: peer %q: an answer of %s, of which no rate can be told", p.Name, plural.Of(p.Tokens, "token"))
	}
	return nil
}

// peerPatience bounds the time of an answer of a peer that doesn't end.
const peerPatience = 30 * time.Minute

// complete asks the peer to go on from a prompt, all of which it computes anew. What follows its first text counts as decoding, and what comes before as
// the prompt.
func (p *Peer) complete(ctx context.Context, prompt []int32, tokens int) (Answer, error) {
	body, err := json.Marshal(map[string]any{
		"model": "", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": true, "stream_options": map[string]bool{"include_usage": true},
		"cache_prompt": false, "ignore_eos": true, // of llama.cpp
	})
	if err != nil {
		return Answer{}, err
	}
	resetGroupPeak(p.Group)
	ctx, cancel := context.WithTimeout(ctx, peerPatience)
	defer cancel()
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.URL, "/")+"/completions", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	call.Header.Set("Content-Type", "application/json")
	call.Close = true // the server may give up a connection while other answers are measured
	began := time.Now()
	got, err := http.DefaultClient.Do(call)
	if err != nil {
		return Answer{}, fmt.Errorf("peer: %w", err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(got.Body, 1<<10))
		return Answer{}, fmt.Errorf("peer: %s: %s", got.Status, text)
	}
	a, err := readStream(got.Body, began)
	if err != nil {
		return Answer{}, fmt.Errorf("peer: %w", err)
	}
	a.Way, a.PromptTokens = p.Name, len(prompt)
	a.PeakRSS = groupFigure(p.Group, "memory.peak", "memory.max_usage_in_bytes")
	return a, nil
}

// readStream reads an answer as it is written. Tokens are those that follow the first text; without any, there is no rate.
func readStream(body io.Reader, began time.Time) (a Answer, err error) {
	var first, last time.Time
	texts, counted := 0, 0
	var whole strings.Builder
	lines := bufio.NewScanner(io.LimitReader(body, 64<<20))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data:")
		if data = strings.TrimSpace(data); !found || data == "[DONE]" {
			continue
		}
		var event struct {
			Choices []struct {
				Text string `json:"text"`
			} `json:"choices"`
			Usage *struct {
				CompletionTokens int `json:"completion_tokens"`
			} `json:"usage"`
			Error any `json:"error"`
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return Answer{}, fmt.Errorf("an event that is no JSON: %w", err)
		}
		if event.Error != nil {
			return Answer{}, fmt.Errorf("%v", event.Error)
		}
		if event.Usage != nil {
			counted = event.Usage.CompletionTokens
		}
		if len(event.Choices) > 0 && event.Choices[0].Text != "" {
			if last = time.Now(); texts == 0 {
				first = last
			}
			texts++
			whole.WriteString(event.Choices[0].Text)
		}
	}
	if err := lines.Err(); err != nil {
		return Answer{}, err
	}
	if counted == 0 {
		counted = texts
	}
	if texts == 0 {
		return Answer{}, errors.New("its answer has no text")
	}
	a.Text = whole.String()
	a.Stats = spec.Stats{Tokens: counted - 1, Seconds: last.Sub(first).Seconds(), TimeToFirstToken: first.Sub(began).Seconds()}
	if texts > 1 {
		a.TokensPerSecond = float64(a.Stats.Tokens) / a.Seconds
	}
	return a, nil
}

// groupFigure returns a figure of a memory control group, of version 2 or 1, or 0 where there is none.
func groupFigure(group string, names ...string) int64 {
	if group == "" {
		return 0
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(group, name))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			return n
		}
	}
	return 0
}

// resetGroupPeak lets the peak of a group begin anew, where the system allows it.
func resetGroupPeak(group string) {
	if group != "" {
		_ = os.WriteFile(filepath.Join(group, "memory.max_usage_in_bytes"), []byte("0"), 0)
	}
}

// dropPageCache makes files be read from the storage again, and reports whether the system allowed it.
func dropPageCache() bool { return os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0) == nil }
