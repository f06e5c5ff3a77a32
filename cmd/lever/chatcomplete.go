package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/reeflective/readline"
)

// chatCompletions returns what the text before the cursor may go on with: a command at the start, or the name of a file after a command that takes one.
func chatCompletions(text string) readline.Completions {
	name, argument, begun := strings.Cut(text, " ")
	if !strings.HasPrefix(name, "/") {
		return readline.Completions{}
	}
	var described []string
	for _, command := range (&chat{}).commands() {
		switch {
		case begun && command.name == name && command.takesFile:
			if strings.Contains(command.argument, " ") { // of two files, this is the last
				argument = argument[strings.LastIndexByte(argument, ' ')+1:]
			}
			return readline.CompleteValues(files(argument)...).NoSpace('/')
		case !begun && strings.HasPrefix(command.name, name):
			described = append(described, command.name, command.help)
		}
	}
	return readline.CompleteValuesDescribed(described...)
}

// files returns the paths of files and folders that begin with a path; folders end with a slash, and hidden ones are left out unless asked for.
func files(path string) []string {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean("./" + dir))
	if filepath.IsAbs(dir) {
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil // what is not there has no names
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || strings.HasPrefix(name, ".") && base == "" {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			name += "/"
		}
		found = append(found, dir+name)
	}
	return found
}
