// Package examples holds programs to start from. Its tests run all of them on the demo pair.
package examples

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lever-go/lever/internal/demo"
)

const question = "Tom has 3 apples and buys 4 more. How many apples does he have?"

var (
	work  string // for programs and models
	pair  demo.Pair
	built = map[string]bool{}
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if _, err := exec.LookPath("go"); err != nil {
		fmt.Println("skipped: needs the go command")
		return 0
	}
	var err error
	if work, err = os.MkdirTemp("", "lever-examples-"); err == nil {
		defer os.RemoveAll(work)
		pair, err = demo.Unpack(context.Background(), work)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return m.Run()
}

// run builds the example of that name, unless that was done before, and runs it.
func run(t *testing.T, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	program := filepath.Join(work, name+".exe")
	if !built[name] {
		if output, err := exec.Command("go", "build", "-o", program, "./"+name).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v: %s", name, err, output)
		}
		built[name] = true
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LEVER_CACHE="+t.TempDir())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, &errs)
	}
	return out.String(), errs.String()
}

// The answer is the same from memory and from flash, with a draft and without.
func TestLlama31(t *testing.T) {
	plain, statistics := run(t, "llama31", "-model", pair.Target, "-max-tokens", "24", question)
	if !strings.HasPrefix(plain, "He has ") || !strings.Contains(statistics, " 0.0 MB read") {
		t.Errorf("in memory: %q, %s", plain, statistics)
	}
	streamed, statistics := run(t, "llama31", "-model", pair.Target, "-draft", pair.Draft, "-dram", "8", "-max-tokens", "24", question)
	if streamed != plain || strings.Contains(statistics, " 0.0 MB read") || strings.Contains(statistics, "passes 24,") {
		t.Errorf("from flash: %q, %s; in memory: %q", streamed, statistics, plain)
	}
}

// The second turn uses what the first has computed.
func TestQwen3(t *testing.T) {
	args := []string{"-model", pair.Target, "-draft", pair.Draft, "-dram", "8", "-max-tokens", "16", question, "And how many pears?"}
	answers, statistics := run(t, "qwen3", args...)
	if turns := strings.Count(statistics, "prompt tokens were still there"); turns != 2 || answers == "" {
		t.Errorf("%d turns: %q, %s", turns, answers, statistics)
	}
	if strings.Count(statistics, "; 0 of ") != 1 {
		t.Errorf("the second turn began from nothing: %s", statistics)
	}
	if again, _ := run(t, "qwen3", args...); again != answers {
		t.Errorf("the same seed answers %q and %q", answers, again)
	}
}

// Predictors are trained and used.
func TestDistill(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: takes many seconds")
	}
	pair, err := demo.Unpack(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before, err := filepath.Glob(filepath.Join(pair.Target, "predictor-*.bin"))
	if err != nil || len(before) == 0 {
		t.Fatalf("the demo's predictors: %q, %v", before, err)
	}
	for _, file := range before {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	report, _ := run(t, "distill", "-model", pair.Target, "-draft", pair.Draft, "-prompts", "20", "-answer", "24", "-epochs", "1", "-exit", "1",
		"examples_test.go", "custom", "llama31", "qwen3", "mobile")
	if !strings.Contains(report, "after layer 1: ") || !strings.Contains(report, "chosen: the exits after layers [1]") {
		t.Errorf("it reports %q", report)
	}
	after, err := filepath.Glob(filepath.Join(pair.Target, "predictor-*.bin"))
	if err != nil || len(after) == 0 {
		t.Errorf("the store has no predictor: %v", err)
	}
}

// The demo models were not trained to call anything, but can be made to.
func TestTools(t *testing.T) {
	const template = `{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>

{% if loop.first and tools %}{{ tools | tojson }}{% endif %}{{ m.content }}{% for c in m.tool_calls %}<tool_call>
{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}
</tool_call>{% endfor %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>

{% endif %}`
	file := filepath.Join(t.TempDir(), "tools.jinja")
	if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	thinking := filepath.Join(t.TempDir(), "thinking.jinja")
	if err := os.WriteFile(thinking, []byte(strings.Replace(template, "{% endif %}{{ m.content }}", "{% endif %}{{ m.content }}{# <think> </think> #}", 1)+"{% if add_generation_prompt %}<think>\n{% endif %}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"-template", file, "-must"}, []string{"user: Tom has", "calls ", "(cut after 512 tokens)"}},
		{[]string{"-template", file}, []string{"user: Tom has", "assistant: "}},
		{[]string{"-template", thinking}, []string{"user: Tom has", "assistant thinks: "}}, // and never answers
	} {
		out, _ := run(t, "tools", append(append([]string{"-model", pair.Target, "-draft", pair.Draft}, c.args...), question)...)
		for _, says := range c.says {
			if !strings.Contains(out, says) {
				t.Errorf("%q: no %q in %s", c.args, says, out)
			}
		}
	}
}
