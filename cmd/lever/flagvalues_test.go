package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// notOfTheCommandLine are words of the libraries below.
var notOfTheCommandLine = regexp.MustCompile(`strconv|Parse[A-Z]|invalid syntax|panic|goroutine|spec:`)

// Every flag of every command that takes a number refuses what is none, and what can't be meant, as a mistake of usage that names the flag.
func TestNumbersOutOfRange(t *testing.T) {
	values := map[string][]string{
		"int":      {"-1", "x", "1.5", "99999999999999999999", "-9223372036854775808"},
		"uint64":   {"-1", "x", "99999999999999999999"},
		"float32":  {"x", "1e39", "NaN", "-1", "Inf"},
		"bool":     {"maybe"},
		"duration": {"-1s", "x", "9999999999999h"},
		"intSlice": {"-1", "x"},
		"size":     {"-1", "x", "NaN", "99999999999TiB"},
	}
	tried := 0
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			visit(c)
		}
		if cmd.DisableFlagParsing || !cmd.Runnable() || cmd.Name() == "bench" {
			return
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, value := range values[f.Value.Type()] {
				if f.Name == "help" || f.Name == "version" {
					continue
				}
				tried++
				err := parsed(cmd.CommandPath(), "--"+f.Name+"="+value)
				if err == nil || !strings.Contains(err.Error(), "--"+f.Name) || notOfTheCommandLine.MatchString(err.Error()) {
					t.Errorf("%s --%s=%s: %v", cmd.CommandPath(), f.Name, value, err)
				}
			}
		})
	}
	visit(newRootCommand())
	if tried < 200 {
		t.Errorf("only %d values were tried", tried)
	}
}

// parsed returns the error of a command line up to where the command itself begins to work.
func parsed(path, flag string) error {
	root := newRootCommand()
	words := strings.Fields(path)[1:]
	cmd, _, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags([]string{flag}); err != nil {
		return cmd.FlagErrorFunc()(cmd, err)
	}
	return checkNumbers(cmd.Flags())
}

func TestNumbersThatCantBeMeant(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"run --threads 99999999 x", "--threads"},
		{"run --seed -1 x", `--seed takes a whole number from 0 up, not "-1"`},
		{"run --temperature NaN x", "--temperature takes a finite number from 0 up, not NaN"},
		{"run --top-p 2 x", "--top-p 2"},
		{"run --min-p -1 x", "--min-p"},
		{"run --budget 128 x", "--budget"},
		{"serve --queue 9223372036854775807", "--queue"},
		{"serve --clients 0", "--clients"},
	} {
		got := execute(t, strings.Fields(test.args)...)
		if got.status != exitUsage || !strings.Contains(got.stderr, test.says) || notOfTheCommandLine.MatchString(got.stderr) {
			t.Errorf("%s: status %d, %q", test.args, got.status, got.stderr)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"run --policy", "opttree"}, {"chat --kv", "f16"}, {"serve --npu", "host"}, {"convert --type", "q4_0"}, {"run --model", "gguf"},
		{"run --flash-profile", "ufs-4.0"}, {"convert", "gguf"}, {"run --dram", "auto"},
	} {
		got := mustSucceed(t, append(append([]string{"__complete"}, strings.Fields(test.args)...), "")...)
		if !strings.Contains(got.stdout, test.want+"\n") {
			t.Errorf("%s completes to %q, want %s in it", test.args, got.stdout, test.want)
		}
	}
	if got := mustSucceed(t, "completion", "bash"); !strings.Contains(got.stdout, "bash completion") {
		t.Errorf("completion bash prints %.100q", got.stdout)
	}
}

func TestVersion(t *testing.T) {
	first, second := mustSucceed(t, "version").stdout, mustSucceed(t, "--version").stdout
	if first != second || !regexp.MustCompile(`^lever \S+.*, go1\.\S+, \w+/\w+, kernels \w+\n$`).MatchString(first) {
		t.Errorf("version prints %q, --version %q", first, second)
	}
}
