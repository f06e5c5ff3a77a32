package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lever-go/lever"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
)

const ducks = "Janet has 3 ducks. Each duck lays 4 eggs a day. How many eggs does she get in a week?"

func TestRunStreamsTextAndKeepsStatisticsApart(t *testing.T) {
	got := mustSucceed(t, "run", "--max-tokens", "40", ducks)
	if strings.TrimSpace(got.stdout) == "" {
		t.Error("no text on standard output")
	}
	for _, word := range []string{"tokens/s", "passes of the target", "peak memory"} {
		if strings.Contains(got.stdout, word) || !strings.Contains(got.stderr, word) {
			t.Errorf("statistics with %q belong on standard error alone; stdout %q, stderr %q", word, got.stdout, got.stderr)
		}
	}
}

func TestRunJSONHoldsTextAndStatistics(t *testing.T) {
	got := mustSucceed(t, "run", "--json", "--max-tokens", "40", ducks)
	var fields map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &fields); err != nil {
		t.Fatalf("standard output is not one JSON object: %v\n%s", err, got.stdout)
	}
	for _, key := range []string{
		"text", "token_ids", "prompt_tokens", "reused_tokens", "tokens", "seconds", "tokens_per_second", "passes", "accepted_per_pass", "drafted", "verified",
		"pruned", "bytes_read", "io_seconds", "io_wait_seconds", "compute_seconds", "draft_seconds", "peak_rss_bytes", "kernels", "policy",
	} {
		if _, ok := fields[key]; !ok {
			t.Errorf("no field %q", key)
		}
	}
	if tokens, ids := fields["tokens"].(float64), fields["token_ids"].([]any); int(tokens) != len(ids) {
		t.Errorf("tokens = %v, but %d token_ids", tokens, len(ids))
	}
	if accepted := fields["accepted_per_pass"].(float64); accepted <= 1 {
		t.Errorf("accepted_per_pass = %v: the draft model was of no use", accepted)
	}
}

// TestRunSaysThatKernelsFellBack hides the vector instructions of the processor from the program.
func TestRunSaysThatKernelsFellBack(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("no way to hide them")
	}
	cmd := program(t, "run", "--json", "--max-tokens", "2", "--policy", "none", "Hi")
	cmd.Env = append(cmd.Env, "GODEBUG=cpu.avx2=off,cpu.avx512f=off", kernels.EnvVar+"=")
	got := finish(t, cmd)
	var fields struct {
		Kernels string
		Tokens  int
	}
	if err := json.Unmarshal([]byte(got.stdout), &fields); err != nil || got.status != 0 || fields.Kernels != "go" || fields.Tokens == 0 {
		t.Errorf("status %d, error %v, kernels %q, %d tokens\n%s%s", got.status, err, fields.Kernels, fields.Tokens, got.stdout, got.stderr)
	}
}

func TestRunTextDoesNotDependOnHowItIsMade(t *testing.T) {
	want := runJSON(t, "--max-tokens", "60", "--policy", "none", ducks)
	ways := map[string][]string{
		"long chain": {"--policy", "chain", "--budget", "127"},
		"large tree": {"--budget", "127"},
		"sure chain": {"--policy", "chain", "--min-prob", "0.8"},
		"one thread": {"--threads", "1", "--big-cores"},
		"streamed":   {"--dram", "8MiB"},
		"small room": {"--context", "200"},
	}
	for _, policy := range lever.PolicyNames {
		ways[policy] = []string{"--policy", policy}
	}
	for name, flags := range ways {
		t.Run(name, func(t *testing.T) {
			got := runJSON(t, append(flags, "--max-tokens", "60", ducks)...)
			if !slices.Equal(got.TokenIDs, want.TokenIDs) || got.Text != want.Text {
				t.Errorf("text %q, want %q", got.Text, want.Text)
			}
			if name == "streamed" && got.BytesRead == 0 {
				t.Error("nothing was streamed")
			}
		})
	}
}

func TestRunSamplesTheSameTextForTheSameSeed(t *testing.T) {
	sample := func(seed string, more ...string) string {
		return runJSON(t, append(more, "--max-tokens", "40", "--temperature", "1", "--top-p", "0.95", "--seed", seed, ducks)...).Text
	}
	first := sample("1")
	if again := sample("1", "--policy", "none"); again != first {
		t.Errorf("seed 1 gave %q, and without speculation %q", first, again)
	}
	if other := sample("2"); other == first {
		t.Errorf("seeds 1 and 2 both gave %q", first)
	}
}

func TestRunStopsBeforeStopString(t *testing.T) {
	full := runJSON(t, "--max-tokens", "60", ducks)
	words := strings.Fields(full.Text)
	stop := words[len(words)/2]
	got := runJSON(t, "--max-tokens", "60", "--stop", stop, ducks)
	if want, _, _ := strings.Cut(full.Text, stop); got.Text != want || got.Finish != spec.FinishStop {
		t.Errorf("stopping at %q gave %q (%s), want %q", stop, got.Text, got.Finish, want)
	}
}

func TestRunReadsPromptFromStandardInput(t *testing.T) {
	cmd := program(t, "run", "--json", "--max-tokens", "20", "-")
	cmd.Stdin = strings.NewReader(ducks)
	got := finish(t, cmd)
	want := mustSucceed(t, "run", "--json", "--max-tokens", "20", ducks)
	var a, b runOutput
	if json.Unmarshal([]byte(got.stdout), &a) != nil || json.Unmarshal([]byte(want.stdout), &b) != nil || a.Text != b.Text {
		t.Errorf("the prompt on standard input gave %q, as an argument %q", got.stdout, want.stdout)
	}
}

func TestInterruptWhileWaitingForThePrompt(t *testing.T) {
	cmd := program(t, "run", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	cmd.Process.Signal(os.Interrupt)
	began := time.Now()
	if err := cmd.Wait(); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("ended with %v after %v", err, time.Since(began))
	}
}

func TestRunEndsAtTheContext(t *testing.T) {
	got := runJSON(t, "--max-tokens", "0", "--context", "32", "--raw", "def add(a, b):")
	if got.Finish != spec.FinishContext || got.PromptTokens+got.Tokens != 33 {
		t.Errorf("finished by %q with %d prompt tokens and %d tokens in a context of 32", got.Finish, got.PromptTokens, got.Tokens)
	}
}

// A text that the model did not end itself is said to be cut, whatever else is printed.
func TestRunSaysThatTheTextWasCut(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--max-tokens", "3", ducks}, "cut after 3 tokens: --max-tokens"},
		{[]string{"--max-tokens", "3", "--json", ducks}, "cut after 3 tokens: --max-tokens"},
		{[]string{"--max-tokens", "0", "--context", "32", "--raw", "def add(a, b):"}, "context of 32 tokens is full; --context"},
		{[]string{"--max-tokens", "0", "x"}, ""},
	} {
		got := mustSucceed(t, append([]string{"run"}, test.args...)...)
		if cut := strings.Contains(got.stderr, "(cut"); cut != (test.says != "") || !strings.Contains(got.stderr, test.says) || strings.Contains(got.stdout, "(cut") {
			t.Errorf("%s: %s", test.args, got.stderr)
		}
	}
}

func TestRunErrors(t *testing.T) {
	other := t.TempDir()
	for name, test := range map[string]struct {
		args   []string
		status int
		says   []string
	}{
		"no prompt":        {[]string{}, 2, []string{"one prompt"}},
		"two prompts":      {[]string{"a", "b"}, 2, []string{"one prompt", "it got 2"}},
		"empty prompt":     {[]string{""}, 1, []string{"prompt is empty"}},
		"long prompt":      {[]string{strings.Repeat("duck ", 5000)}, 1, []string{"longer than the context", "2048"}},
		"unknown flag":     {[]string{"--frobnicate", ducks}, 2, []string{"--frobnicate"}},
		"unknown policy":   {[]string{"--policy", "hope", ducks}, 2, []string{"hope", "chain"}},
		"large budget":     {[]string{"--budget", "1000", ducks}, 2, []string{"budget", "127"}},
		"unknown KV type":  {[]string{"--kv", "q8", ducks}, 2, []string{"q8", "f16"}},
		"empty stop":       {[]string{"--stop", "", ducks}, 2, []string{"--stop"}},
		"no budget":        {[]string{"--budget", "-1", ducks}, 2, []string{"budget"}},
		"bad size":         {[]string{"--dram", "much", ducks}, 2, []string{"much", "2GiB"}},
		"bad temperature":  {[]string{"--temperature", "-1", ducks}, 2, []string{"temperature"}},
		"missing model":    {[]string{"--model", "/nowhere/model.gguf", ducks}, 1, []string{"/nowhere/model.gguf"}},
		"folder, no model": {[]string{"--model", other, ducks}, 1, []string{other, "config.json"}},
		"sure tree":        {[]string{"--min-prob", "0.5", ducks}, 2, []string{"--min-prob", "chain"}},
		"chain, no draft":  {[]string{"--model", other, "--policy", "chain", ducks}, 2, []string{"--draft"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := execute(t, append([]string{"run"}, test.args...)...)
			if got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
			for _, word := range test.says {
				if !strings.Contains(got.stderr, word) {
					t.Errorf("standard error lacks %q: %s", word, got.stderr)
				}
			}
			if got.stdout != "" {
				t.Errorf("standard output has %q", got.stdout)
			}
		})
	}
}

func TestUnknownCommandIsAUsageError(t *testing.T) {
	if got := execute(t, "walk"); got.status != exitUsage || !strings.Contains(got.stderr, "walk") || got.stdout != "" {
		t.Errorf("status %d, output %q, standard error %q", got.status, got.stdout, got.stderr)
	}
}

// Programs that start at once on a fresh machine unpack, and convert, into the same cache.
func TestConcurrentFirstRuns(t *testing.T) {
	models := t.TempDir()
	m := newTinyModel()
	src := m.write(t, m.size())
	for name, args := range map[string][]string{
		"unpack":  {"run", "--max-tokens", "4", ducks},
		"convert": {"run", "--model", src, "--raw", "--max-tokens", "1", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			outcomes := make([]outcome, 4)
			var running sync.WaitGroup
			for i := range outcomes {
				running.Go(func() {
					cmd := program(t, args...)
					cmd.Env = append(cmd.Env, "LEVER_CACHE="+models)
					outcomes[i] = finish(t, cmd)
				})
			}
			running.Wait()
			for _, got := range outcomes {
				if got.status != 0 || got.stdout != outcomes[0].stdout {
					t.Errorf("status %d, output %q, standard error %q", got.status, got.stdout, got.stderr)
				}
			}
		})
	}
}

func TestUnknownKernelSetIsReported(t *testing.T) {
	cmd := program(t, "run", ducks)
	cmd.Env = append(cmd.Env, "LEVER_KERNELS=abacus")
	if got := finish(t, cmd); got.status != 1 || !strings.Contains(got.stderr, "abacus") {
		t.Errorf("status %d, standard error %q", got.status, got.stderr)
	}
}

func TestInterruptKeepsTextAndStatistics(t *testing.T) {
	cmd := program(t, "run", "--max-tokens", "0", "--raw", "def add(a, b):")
	cmd.Env = append(cmd.Env, "LEVER_KERNELS=ref") // slow enough to be interrupted in the middle
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := stdout.Read(first); err != nil {
		t.Fatalf("no text before the interrupt: %v; %s", err, stderr.String())
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var rest bytes.Buffer
	rest.ReadFrom(stdout)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitFailure {
		t.Errorf("ended with %v, want status %d", err, exitFailure)
	}
	if waited := time.Since(began); waited > 5*time.Second {
		t.Errorf("went on for %v after the interrupt", waited)
	}
	if !strings.Contains(stderr.String(), "tokens/s") || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("standard error lacks statistics or the reason: %s", stderr.String())
	}
}

// A resident model must not cost more than its weights, its cache of keys and values, and 64 MiB.
func TestPeakMemoryStaysNearTheWeights(t *testing.T) {
	got := runJSON(t, "--max-tokens", "200", "--budget", "8", ducks)
	weights := directorySize(t, filepath.Join(cacheDir))
	const keysAndValues = 8*2048*2*128*2 + 3*2048*2*64*2 // layers × positions × (K, V) × width × bytes of F16; target and draft
	if limit := weights + keysAndValues + 64<<20; got.PeakRSS == 0 || got.PeakRSS > limit {
		t.Errorf("peak of %d MiB; weights, cache and 64 MiB are %d MiB", got.PeakRSS>>20, limit>>20)
	}
}

// directorySize returns the bytes of the unpacked demo stores.
func directorySize(t *testing.T, dir string) (size int64) {
	t.Helper()
	chunks, err := filepath.Glob(filepath.Join(dir, "demo-*", "*.lever", "chunks", "*.bin"))
	if err != nil || len(chunks) == 0 {
		t.Fatalf("no chunks in %s: %v", dir, err)
	}
	for _, chunk := range chunks {
		info, err := os.Stat(chunk)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// What lever profile leaves in the cache folder is used by run, and a profile that can't be read is reported.
func TestRunUsesTheProfile(t *testing.T) {
	cache := t.TempDir()
	withCache := func(args ...string) outcome {
		cmd := program(t, args...)
		cmd.Env = append(cmd.Env, "LEVER_CACHE="+cache)
		return finish(t, cmd)
	}
	if got := withCache("profile", "--duration", "2s"); got.status != 0 {
		t.Fatalf("profile: status %d: %s", got.status, got.stderr)
	}
	want := runJSON(t, "--max-tokens", "40", "--dram", "9MiB", ducks)
	got := withCache("run", "--json", "--max-tokens", "40", "--dram", "9MiB", ducks)
	var result runOutput
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil || result.Text != want.Text {
		t.Errorf("with a profile the text is %q (%v), want %q; %s", result.Text, err, want.Text, got.stderr)
	}
	if err := os.WriteFile(filepath.Join(cache, "profile.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := withCache("run", ducks); got.status != exitFailure || !strings.Contains(got.stderr, "profile.json") {
		t.Errorf("with a bad profile: status %d, %s", got.status, got.stderr)
	}
}
