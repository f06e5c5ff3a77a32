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
	"github.com/lever-go/lever/internal/cli"
	"github.com/lever-go/lever/internal/clitest"
	"github.com/lever-go/lever/kernels"
	"github.com/lever-go/lever/spec"
)

const ducks = "Janet has 3 ducks. Each duck lays 4 eggs a day. How many eggs does she get in a week?"

func TestRunStreamsTextAndKeepsStatisticsApart(t *testing.T) {
	got := clitest.MustSucceed(t, "run", "--max-tokens", "40", ducks)
	if strings.TrimSpace(got.Stdout) == "" {
		t.Error("no text on standard output")
	}
	for _, word := range []string{"tokens/s", "passes of the target", "peak memory"} {
		if strings.Contains(got.Stdout, word) || !strings.Contains(got.Stderr, word) {
			t.Errorf("statistics with %q belong on standard error alone; stdout %q, stderr %q", word, got.Stdout, got.Stderr)
		}
	}
}

func TestRunJSONHoldsTextAndStatistics(t *testing.T) {
	got := clitest.MustSucceed(t, "run", "--json", "--max-tokens", "40", ducks)
	var fields map[string]any
	if err := json.Unmarshal([]byte(got.Stdout), &fields); err != nil {
		t.Fatalf("standard output is not one JSON object: %v\n%s", err, got.Stdout)
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
	cmd := clitest.Program(t, "run", "--json", "--max-tokens", "2", "--policy", "none", "Hi")
	cmd.Env = append(cmd.Env, "GODEBUG=cpu.avx2=off,cpu.avx512f=off", kernels.EnvVar+"=")
	got := clitest.Finish(t, cmd)
	var fields struct {
		Kernels string
		Tokens  int
	}
	if err := json.Unmarshal([]byte(got.Stdout), &fields); err != nil || got.Status != 0 || fields.Kernels != "go" || fields.Tokens == 0 {
		t.Errorf("status %d, error %v, kernels %q, %d tokens\n%s%s", got.Status, err, fields.Kernels, fields.Tokens, got.Stdout, got.Stderr)
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
	for _, policy := range lever.PolicyNames() {
		ways[policy] = []string{"--policy", policy, "--draft-mask-token", "0"}
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
			if name == "pard" && got.Drafted < 2*(got.Passes-1) {
				t.Errorf("%d tokens were drafted in %d passes: token 0 was not taken for a mask", got.Drafted, got.Passes)
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
	cmd := clitest.Program(t, "run", "--json", "--max-tokens", "20", "-")
	cmd.Stdin = strings.NewReader(ducks)
	got := clitest.Finish(t, cmd)
	want := clitest.MustSucceed(t, "run", "--json", "--max-tokens", "20", ducks)
	var a, b runOutput
	if json.Unmarshal([]byte(got.Stdout), &a) != nil || json.Unmarshal([]byte(want.Stdout), &b) != nil || a.Text != b.Text {
		t.Errorf("the prompt on standard input gave %q, as an argument %q", got.Stdout, want.Stdout)
	}
}

func TestInterruptWhileWaitingForThePrompt(t *testing.T) {
	cmd := clitest.Program(t, "run", "-")
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
		{[]string{"--max-tokens", "1", ducks}, "(cut after 1 token: --max-tokens"},
		{[]string{"--max-tokens", "0", "--context", "32", "--raw", "def add(a, b):"}, "context of 32 tokens is full; --context makes room for up to 2048,"},
		{[]string{"--max-tokens", "0", "--raw", strings.Repeat("duck ", 1010)}, "context of 2048 tokens is full, and the model allows no more"},
		{[]string{"--max-tokens", "0", "x"}, ""},
	} {
		got := clitest.MustSucceed(t, append([]string{"run"}, test.args...)...)
		if cut := strings.Contains(got.Stderr, "(cut"); cut != (test.says != "") || !strings.Contains(got.Stderr, test.says) || strings.Contains(got.Stdout, "(cut") {
			t.Errorf("%s: %s", test.args, got.Stderr)
		}
	}
}

// One of a thing is not several.
func TestRunCountsInWords(t *testing.T) {
	for tokens, says := range map[string][]string{"1": {"\n1 token in ", "for 1 conversation of up to 50 tokens"}, "2": {"\n1 pass of the target"}} {
		got := clitest.MustSucceed(t, "run", "--max-tokens", tokens, "--context", "50", "--dram", "4MiB", ducks)
		for _, s := range says {
			if !strings.Contains(got.Stderr, s) {
				t.Errorf("no %q in %s", s, got.Stderr)
			}
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
		"long prompt":      {[]string{strings.Repeat("duck ", 5000)}, 1, []string{"longer than the context", "2048 tokens, and the model allows no more", "Give a shorter prompt, or a model"}},
		"longer context":   {[]string{"--context", "99", strings.Repeat("duck ", 99)}, 1, []string{"99 tokens of the 2048 that the model allows", "--context makes room"}},
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
			got := clitest.Execute(t, append([]string{"run"}, test.args...)...)
			if got.Status != test.status {
				t.Errorf("status %d, want %d", got.Status, test.status)
			}
			for _, word := range test.says {
				if !strings.Contains(got.Stderr, word) {
					t.Errorf("standard error lacks %q: %s", word, got.Stderr)
				}
			}
			if got.Stdout != "" {
				t.Errorf("standard output has %q", got.Stdout)
			}
		})
	}
}

func TestUnknownCommandIsAUsageError(t *testing.T) {
	if got := clitest.Execute(t, "walk"); got.Status != cli.ExitUsage || !strings.Contains(got.Stderr, "walk") || got.Stdout != "" {
		t.Errorf("status %d, output %q, standard error %q", got.Status, got.Stdout, got.Stderr)
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
			outcomes := make([]clitest.Outcome, 4)
			var running sync.WaitGroup
			for i := range outcomes {
				running.Go(func() {
					cmd := clitest.Program(t, args...)
					cmd.Env = append(cmd.Env, "LEVER_CACHE="+models)
					outcomes[i] = clitest.Finish(t, cmd)
				})
			}
			running.Wait()
			for _, got := range outcomes {
				if got.Status != 0 || got.Stdout != outcomes[0].Stdout {
					t.Errorf("status %d, output %q, standard error %q", got.Status, got.Stdout, got.Stderr)
				}
			}
		})
	}
}

func TestUnknownKernelSetIsReported(t *testing.T) {
	cmd := clitest.Program(t, "run", ducks)
	cmd.Env = append(cmd.Env, "LEVER_KERNELS=abacus")
	if got := clitest.Finish(t, cmd); got.Status != 1 || !strings.Contains(got.Stderr, "abacus") {
		t.Errorf("status %d, standard error %q", got.Status, got.Stderr)
	}
}

func TestInterruptKeepsTextAndStatistics(t *testing.T) {
	cmd := clitest.Program(t, "run", "--max-tokens", "0", "--raw", "def add(a, b):")
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
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != cli.ExitFailure {
		t.Errorf("ended with %v, want status %d", err, cli.ExitFailure)
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
	weights := directorySize(t, filepath.Join(clitest.Cache))
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
	withCache := func(args ...string) clitest.Outcome {
		cmd := clitest.Program(t, args...)
		cmd.Env = append(cmd.Env, "LEVER_CACHE="+cache)
		return clitest.Finish(t, cmd)
	}
	if got := withCache("profile", "--duration", "2s"); got.Status != 0 {
		t.Fatalf("profile: status %d: %s", got.Status, got.Stderr)
	}
	want := runJSON(t, "--max-tokens", "40", "--dram", "9MiB", ducks)
	got := withCache("run", "--json", "--max-tokens", "40", "--dram", "9MiB", ducks)
	var result runOutput
	if err := json.Unmarshal([]byte(got.Stdout), &result); err != nil || result.Text != want.Text {
		t.Errorf("with a profile the text is %q (%v), want %q; %s", result.Text, err, want.Text, got.Stderr)
	}
	if err := os.WriteFile(filepath.Join(cache, "profile.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := withCache("run", ducks); got.Status != cli.ExitFailure || !strings.Contains(got.Stderr, "profile.json") {
		t.Errorf("with a bad profile: status %d, %s", got.Status, got.Stderr)
	}
}

// Files come before the prompt, each after its name; what is no text is refused.
func TestRunReadsFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "\nTom has 3 apples.\n", "b.md": "He buys 4.", "picture.png": "\x89PNG\r\n\x1a\n\x00", "empty": " \n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.md")
	got := runJSON(t, "--file", a, "--file", b, "--max-tokens", "8", "How many has he?")
	want := runJSON(t, "--max-tokens", "8", "a.txt:\n\nTom has 3 apples.\n\nb.md:\n\nHe buys 4.\n\nHow many has he?")
	if got.Text != want.Text || got.PromptTokens != want.PromptTokens {
		t.Errorf("got %q after %d tokens, want %q after %d", got.Text, got.PromptTokens, want.Text, want.PromptTokens)
	}
	for name, says := range map[string]string{"picture.png": "no text in UTF-8", "empty": "no text in it", "nothing": "no such file", ".": "not a regular file"} {
		if got := clitest.Execute(t, "run", "--file", filepath.Join(dir, name), "?"); got.Status != 1 || !strings.Contains(got.Stderr, says) {
			t.Errorf("%s: status %d, %s", name, got.Status, got.Stderr)
		}
	}
}
