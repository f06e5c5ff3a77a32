package clitest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")
	quoted    = regexp.MustCompile(`"[^"]*"|'[^']*'`)
)

// CheckDocumentation checks that lines of the documentation which start with the program, for which the first group of line stands for the
// rest, name commands and flags that there are. It fails the test too where there are fewer than atLeast.
func CheckDocumentation(t *testing.T, root func() *cobra.Command, line *regexp.Regexp, atLeast int) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
			for _, found := range line.FindAllStringSubmatch(block[1], -1) {
				lines++
				checkCommand(t, root(), page, found[1])
			}
		}
	}
	if lines < atLeast {
		t.Errorf("only %d commands were found", lines)
	}
}

// CheckExamples checks that every command shows how it is used, in ways that work.
func CheckExamples(t *testing.T, root func() *cobra.Command) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^  ` + root().Name() + ` (.*)$`)
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for _, found := range line.FindAllStringSubmatch(cmd.Example, -1) {
			checkCommand(t, root(), cmd.CommandPath(), found[1])
		}
		for _, c := range cmd.Commands() {
			check(c)
		}
	}
	check(root())
}

// checkCommand checks that a line after the name of the program names a command, and flags that it has.
func checkCommand(t *testing.T, root *cobra.Command, where, line string) {
	t.Helper()
	written, _, _ := strings.Cut(quoted.ReplaceAllString(line, "x"), " #")
	written, _, _ = strings.Cut(written, " && ")
	cmd, rest, err := root.Find(strings.Fields(written))
	if err != nil || !cmd.HasParent() {
		t.Errorf("%s: %s %s: there is no such command (%v)", where, root.Name(), line, err)
		return
	}
	for _, word := range rest {
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && cmd.Flags().Lookup(name) == nil && name != "help" && !cmd.DisableFlagParsing {
			t.Errorf("%s: %s %s: %s has no flag --%s", where, root.Name(), line, cmd.CommandPath(), name)
		}
	}
}

// NotOfTheCommandLine are words of the libraries below.
var NotOfTheCommandLine = regexp.MustCompile(`strconv|Parse[A-Z]|invalid syntax|panic|goroutine|spec:`)

// CheckNumbers checks that every flag of every command that takes a number refuses what is none, and what can't be meant, as a mistake of
// usage that names the flag. It fails the test too where fewer than atLeast values could be tried.
func CheckNumbers(t *testing.T, root func() *cobra.Command, atLeast int) {
	t.Helper()
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
		if cmd.DisableFlagParsing || !cmd.HasParent() || !cmd.Runnable() {
			return
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, value := range values[f.Value.Type()] {
				if f.Name == "help" || f.Name == "version" || value == "-1" && strings.HasSuffix(f.Name, "-penalty") { // which may be negative
					continue
				}
				tried++
				err := parsed(root(), cmd.CommandPath(), "--"+f.Name+"="+value)
				if err == nil || !strings.Contains(err.Error(), "--"+f.Name) || NotOfTheCommandLine.MatchString(err.Error()) {
					t.Errorf("%s --%s=%s: %v", cmd.CommandPath(), f.Name, value, err)
				}
			}
		})
	}
	visit(root())
	if tried < atLeast {
		t.Errorf("only %d values were tried", tried)
	}
}

// parsed returns the error of a command line up to where the command itself begins to work.
func parsed(root *cobra.Command, path, flag string) error {
	cmd, _, err := root.Find(strings.Fields(path)[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags([]string{flag}); err != nil {
		return cmd.FlagErrorFunc()(cmd, err)
	}
	return root.PersistentPreRunE(cmd, nil)
}
