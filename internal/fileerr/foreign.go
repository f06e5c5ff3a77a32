package fileerr

import (
	"bytes"
	"strings"
)

// ForeignBytes is how many bytes of the beginning of a file [Foreign] wants to see.
const ForeignBytes = 256

// Foreign says what a file is that begins with head and took the place of a model's: a Git LFS pointer or a web page. It returns "" for any
// other file.
func Foreign(head []byte) string {
	head = bytes.TrimLeft(head, "\ufeff \t\r\n")
	start := strings.ToLower(string(head[:min(len(head), 64)]))
	switch {
	case strings.HasPrefix(start, "version https://git-lfs"):
		return "is a Git LFS pointer: the file itself was not downloaded; run git lfs pull in its folder, or download it again"
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		return "is a web page, not a model's file: the download was refused or went elsewhere; download it again"
	}
	return ""
}
