package server

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed page
var pageFiles embed.FS

// page serves the web page: index.html at /, and what belongs to it below /page/. It loads nothing from elsewhere, and runs no
// scripts but its own.
var page http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Path == "/" {
		http.ServeFileFS(w, r, pageFiles, "page/page.html")
		return
	}
	if info, err := fs.Stat(pageFiles, r.URL.Path[1:]); err != nil || info.IsDir() {
		http.NotFound(w, r)
		return
	}
	if kind := pageTypes[path.Ext(r.URL.Path)]; kind != "" {
		h.Set("Content-Type", kind)
	}
	http.ServeFileFS(w, r, pageFiles, r.URL.Path[1:])
})

// pageTypes are the types of the page's files. A browser runs no module of another type, and what a system's own table says may be wrong.
var pageTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
