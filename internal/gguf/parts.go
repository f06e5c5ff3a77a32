package gguf

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

var partName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// Parts returns the paths of all files of a model that was split into several, in order, where path has the name of one of them, such as
// model-00002-of-00003.gguf; else path alone. The files need not be there.
func Parts(path string) []string {
	dir, name := filepath.Split(path)
	m := partName.FindStringSubmatch(name)
	if m == nil {
		return []string{path}
	}
	n, _ := strconv.Atoi(m[3]) // five digits
	if i, _ := strconv.Atoi(m[2]); n < 2 || i < 1 || i > n {
		return []string{path}
	}
	parts := make([]string, n)
	for i := range parts {
		parts[i] = filepath.Join(dir, fmt.Sprintf("%s-%05d-of-%s.gguf", m[1], i+1, m[3]))
	}
	return parts
}

// CloseAll closes the files of a model that was split.
func CloseAll(files []*File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
