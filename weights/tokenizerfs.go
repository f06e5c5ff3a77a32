package weights

import (
	"cmp"
	"io"
	"io/fs"
	"slices"
)

// tokenizerFS is the part of a folder that a list of files names.
type tokenizerFS struct {
	dir   fs.FS
	files []fileEntry
}

// Open implements [fs.FS].
func (t tokenizerFS) Open(name string) (fs.File, error) {
	if name == "." {
		return t.openRoot()
	}
	if !slices.ContainsFunc(t.files, func(f fileEntry) bool { return f.File == name }) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return t.dir.Open(name)
}

func (t tokenizerFS) openRoot() (fs.File, error) {
	var entries []fs.DirEntry
	for _, f := range t.files {
		info, err := fs.Stat(t.dir, f.File)
		if err != nil {
			return nil, err
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	dir, err := t.dir.Open(".")
	if err != nil {
		return nil, err
	}
	return &listedDir{dir, entries}, nil
}

// listedDir is a folder of which only some entries are shown.
type listedDir struct {
	fs.File
	left []fs.DirEntry
}

// ReadDir implements [fs.ReadDirFile].
func (d *listedDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.left) == 0 {
		return nil, io.EOF
	}
	if n <= 0 {
		n = len(d.left)
	}
	next := d.left[:min(n, len(d.left))]
	d.left = d.left[len(next):]
	return next, nil
}
