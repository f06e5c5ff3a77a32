package server

import (
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/sha256-simd"
)

// checkCallers fails if Origins or Hosts hold what no browser or client sends.
func (o *Options) checkCallers() error {
	for _, origin := range o.Origins {
		if origin == "*" || origin == "null" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.ToLower(origin) != origin {
			return fmt.Errorf("server: %q is no origin; one is a scheme and a host in lower case, such as http://localhost:3000", origin)
		}
	}
	for _, host := range o.Hosts {
		if host == "" || strings.ContainsAny(host, "/:") || strings.ToLower(host) != host {
			return fmt.Errorf("server: %q is no name of a host; one is in lower case and without a port, such as host.docker.internal", host)
		}
	}
	return nil
}

// callable reports whether a request may name a host. On a loopback address, any but that and those of Hosts is refused: else a page in
// this machine's browser could reach the server by a name of its own.
func (s *Server) callable(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	address, err := netip.ParseAddr(host)
	return !s.local.Load() || err == nil && address.IsLoopback() || host == "localhost" || slices.Contains(s.options.Hosts, host)
}

// crossOrigin tells browsers which pages may call, and reports whether the request was only the question whether one may, which is answered then.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin, h := r.Header.Get("Origin"), w.Header()
	allowed := slices.Contains(s.options.Origins, "*") || slices.Contains(s.options.Origins, origin)
	if len(s.options.Origins) > 0 {
		h.Add("Vary", "Origin")
	}
	if origin != "" && allowed {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "Retry-After")
	}
	if r.Method != http.MethodOptions || origin == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if !allowed {
		refuse(w, r, refused(http.StatusForbidden, "invalid_request_error", "", "pages of %q may not call this server", origin))
		return true
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked) // clients of OpenAI send a dozen of their own
	}
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// keyed lets only requests with the key through.
func (s *Server) keyed(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if key := r.Header.Get("X-Api-Key"); key != "" { // as Anthropic's clients send it
			scheme, token = "Bearer", key
		}
		given := sha256.Sum256([]byte(strings.TrimSpace(token)))
		right := strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(given[:], s.key[:]) == 1
		if s.options.APIKey != "" && !right {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, r, refused(http.StatusUnauthorized, "invalid_request_error", "invalid_api_key",
				"the API key is missing or wrong; it is sent as Authorization: Bearer KEY"))
			return
		}
		next(w, r)
	})
}
