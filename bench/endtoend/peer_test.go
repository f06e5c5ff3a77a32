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

	"github.com/lever-go/lever/bench/endtoend"
)

// tortoise is a server that answers any prompt with six tokens in three texts, and counts what it is asked.
type tortoise struct {
	URL            string
	asked, longest int
}

func newTortoise(t *testing.T) *tortoise {
	peer := &tortoise{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Prompt    []int32 `json:"prompt"`
			MaxTokens int     `json:"max_tokens"`
			Stream    bool    `json:"stream"`
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/completions" || !request.Stream || len(request.Prompt) == 0 {
			t.Errorf("%s: %+v, %v", r.URL.Path, request, err)
		}
		if !r.Close {
			t.Error("a connection is to be used again")
		}
		peer.asked, peer.longest = peer.asked+1, max(peer.longest, request.MaxTokens)
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"choices\": [{\"text\": \"word%d \"}]}\n\n", i)
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, "data: {\"choices\": [], \"usage\": {\"completion_tokens\": 6}}\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(server.Close)
	peer.URL = server.URL + "/v1"
	return peer
}

// A peer answers every prompt in turn with the ways measured here, and its rate is that of what follows its first text.
func TestPeer(t *testing.T) {
	peer, group := newTortoise(t), t.TempDir()
	for name, text := range map[string]string{"memory.max": "104857600\n", "memory.peak": "52428800\n"} {
		if err := os.WriteFile(filepath.Join(group, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := options(t)
	o.Resident, o.Peers = false, []endtoend.Peer{{Name: "tortoise 1.0", URL: peer.URL, Group: group}}
	r, err := endtoend.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Data.([]endtoend.Answer) {
		if a.Way != "tortoise 1.0" {
			continue
		}
		if a.Stats.Tokens != 5 || !(a.Seconds > 0) || a.Text != "word0 word1 word2 " || a.PeakRSS != 50<<20 || a.PromptTokens == 0 {
			t.Errorf("%+v", a)
		}
	}
	if peer.asked != len(o.Sets) || peer.longest != o.Tokens {
		t.Errorf("the peer was asked %d times, for %d tokens", peer.asked, peer.longest)
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

// A run goes on with the answers that its record lacks, and takes no record of another measurement.
func TestRecord(t *testing.T) {
	peer := newTortoise(t)
	o := options(t)
	o.Sets, o.Resident, o.Record = o.Sets[:1], false, filepath.Join(t.TempDir(), "answers")
	o.Peers = []endtoend.Peer{{Name: "tortoise", URL: peer.URL, Tokens: 7}}
	first, err := endtoend.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.Record)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines) != 6 || len(lines[5]) > 0 || peer.longest != 7 { // a header and four ways
		t.Fatalf("%d lines; the peer was asked for %d tokens", len(lines), peer.longest)
	}
	// What comes of a run that is ended while it writes the last answer, which is the peer's.
	if err := os.WriteFile(o.Record, text[:len(text)-10], 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := endtoend.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	before, after := first.Data.([]endtoend.Answer), again.Data.([]endtoend.Answer)
	if peer.asked != 2 || len(after) != len(before) {
		t.Errorf("the peer was asked %d times; %d answers", peer.asked, len(after))
	}
	for i, a := range after {
		if same := a.Stats == before[i].Stats; a.Way != before[i].Way || same == (a.Way == "tortoise") {
			t.Errorf("%s: %+v, before %+v", a.Way, a.Stats, before[i].Stats)
		}
	}
	o.Tokens++
	if _, err := endtoend.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "choose another file") {
		t.Errorf("a record of another measurement: %v", err)
	}
}

// With all weights in memory, a prompt's rate is that of its tokens, and every figure of the peer stands beside one of this program.
func TestRunInMemory(t *testing.T) {
	peer := newTortoise(t)
	o := options(t)
	o.Peers = []endtoend.Peer{{Name: "tortoise", URL: peer.URL}}
	r, err := endtoend.RunInMemory(t.Context(), o, []int{4, 9, 130})
	if err != nil {
		t.Fatal(err)
	}
	rows := r.Tables[0].Rows
	if len(rows) != 7 || peer.asked != 20 || len(r.Findings) != 5 { // no tree has 130 rows
		t.Fatalf("%d rows, the peer was asked %d times, findings %q", len(rows), peer.asked, r.Findings)
	}
	for i, row := range rows {
		withPeer := i != 1 && i != 3 && i != 6
		if rate, ok := row[1].(float64); !ok || rate <= 0 || (row[2] != nil) != withPeer {
			t.Errorf("%v", row)
		}
	}
	if _, err := endtoend.RunInMemory(t.Context(), o, []int{1 << 20}); err == nil {
		t.Error("more tokens than the prompts have: no error")
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
