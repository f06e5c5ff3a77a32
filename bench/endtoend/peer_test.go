package endtoend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lever-go/lever/bench/endtoend"
)

// A peer answers every prompt in turn with the ways measured here, and its rate is that of what follows its first text.
func TestPeer(t *testing.T) {
	asked, longest := 0, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Prompt    []int32 `json:"prompt"`
			MaxTokens int     `json:"max_tokens"`
			Stream    bool    `json:"stream"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/completions" || !request.Stream || len(request.Prompt) == 0 {
			t.Errorf("%s: %+v, %v", r.URL.Path, request, err)
		}
		asked, longest = asked+1, max(longest, request.MaxTokens)
		for i := range 3 { // two tokens in each
			fmt.Fprintf(w, "data: {\"choices\": [{\"text\": \"word%d \"}]}\n\n", i)
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
		fmt.Fprint(w, "data: {\"choices\": [], \"usage\": {\"completion_tokens\": 6}}\n\ndata: [DONE]\n\n")
	}))
	defer server.Close()
	group := t.TempDir()
	for name, text := range map[string]string{"memory.max": "104857600\n", "memory.peak": "52428800\n"} {
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := options(t)
	o.Resident, o.Peers = false, []endtoend.Peer{{Name: "tortoise 1.0", URL: server.URL + "/v1", Group: group}}
	r, err := endtoend.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Data.([]endtoend.Answer) {
		if a.Way != "tortoise 1.0" {
			continue
		}
		if a.Stats.Tokens != 5 || !(a.Seconds >= 0.005) || a.Text != "word0 word1 word2 " || a.PeakRSS != 50<<20 || a.PromptTokens == 0 {
			t.Errorf("%+v", a)
		}
	}
	if asked != len(o.Sets) || longest != o.Tokens {
		t.Errorf("the peer was asked %d times, for %d tokens", asked, longest)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lever from flash ÷ tortoise 1.0: ", "in a memory control group of 100 MiB", "6 greedy answers compared: 0 differ", "the answers of tortoise 1.0 begin as those of lever for 0 of 100"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %q:\n%s", want, text.String())
		}
	}
	summary := strings.Join(r.Summary.Sentences, "\n")
	for _, want := range []string{"by plain decoding from flash", "the best chain", "times as fast as tortoise 1.0", "All 6 answers", "GiB of memory"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary does not say %q:\n%s", want, summary)
		}
	}
	if len(r.Summary.Sentences) != 5 {
		t.Errorf("%d sentences", len(r.Summary.Sentences))
	}
}

// With the balance of a phone, the report gives the phone's rates.
func TestCPUShare(t *testing.T) {
	o := options(t)
	o.Sets, o.Chains, o.Tokens, o.PlainTokens, o.WarmTokens, o.Resident, o.CPUShare = o.Sets[:1], []int{2}, 3, 3, 3, false, 0.5
	r, err := endtoend.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Summary.Sentences) != 1 || !strings.Contains(strings.Join(r.Findings, "\n"), "on the phone, which computes 2.00 times as fast as this machine") {
		t.Errorf("%q, %q", r.Summary.Sentences, r.Findings)
	}
}
