// Events reads the events of "go test -json" from its standard input, prints what "go test" would, and appends a line for each
// skipped test, the reason and the test's name, to the file that is its argument.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
}

func main() {
	skips, err := os.OpenFile(os.Args[1], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		err = follow(skips)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// place is where a test wrote a line, which go test sets before it.
var place = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

func follow(skips *os.File) error {
	output := map[string]string{} // of tests that have not ended
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Action == "" {
			fmt.Println(lines.Text()) // of the go command, as where a package does not build
			continue
		}
		name := e.Package + "." + e.Test
		switch e.Action {
		case "output", "build-output":
			switch {
			case e.Test != "":
				output[name] += e.Output
			case e.Output != "PASS\n":
				fmt.Print(e.Output)
			}
		case "fail":
			fmt.Print(output[name])
			delete(output, name)
		case "skip":
			for line := range strings.Lines(output[name]) {
				if e.Test != "" && place.MatchString(line) {
					fmt.Fprintf(skips, "%s\t%s\n", strings.TrimPrefix(strings.TrimSpace(place.ReplaceAllString(line, "")), "skipped: "), name)
				}
			}
			delete(output, name)
		case "pass":
			delete(output, name)
		}
	}
	return lines.Err()
}
