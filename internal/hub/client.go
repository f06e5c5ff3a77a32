package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// DefaultBase is the address of the hub.
const DefaultBase = "https://huggingface.co"

// Errors that a caller can act on.
var (
	ErrNotFound = errors.New("not found")
	ErrDenied   = errors.New("access denied")
	ErrChecksum = errors.New("wrong checksum")
)

// Client talks to a hub. The zero value is usable. Its methods may be called one at a time.
type Client struct {
	Base  string       // address of the hub; if empty, DefaultBase
	Token string       // access token, if any, sent to the hub alone
	HTTP  *http.Client // if nil, the package makes one
	// Progress, if not nil, is called with the bytes of a Download that have arrived.
	Progress func(Progress)
	// Failed, if not nil, is called with the reason why a try failed, before the wait for the next one.
	Failed func(error)
	// Pause is the wait before the first new try, which doubles with each; if zero, a second.
	Pause time.Duration
	// Stall is how long a connection may bring nothing; if zero, 30 seconds.
	Stall time.Duration
}

// Progress is the state of a download.
type Progress struct {
	File        string // at work
	Done, Total int64  // bytes of all files; Total is 0 where a size is not known
}

// tries is the number of tries in a row that bring nothing before a download fails.
const tries = 5

func (c *Client) base() string         { return cmp.Or(c.Base, DefaultBase) }
func (c *Client) pause() time.Duration { return cmp.Or(c.Pause, time.Second) }
func (c *Client) stall() time.Duration { return cmp.Or(c.Stall, 30*time.Second) }

var ownClient = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
	TLSHandshakeTimeout:   15 * time.Second,
	ResponseHeaderTimeout: 30 * time.Second,
	IdleConnTimeout:       30 * time.Second,
	// The bytes of a file are counted, so they must come as they are.
	DisableCompression: true,
	ForceAttemptHTTP2:  true,
}}

// statusError is an answer other than the one asked for.
type statusError struct {
	address string
	status  int
	after   time.Duration // to wait before another try, as the server asks
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.address, e.status, http.StatusText(e.status))
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += ": the repository is private or its licence has to be accepted on its page; then set HF_TOKEN to an access token"
	case http.StatusNotFound:
		text += ": check the name, its revision, and whether HF_TOKEN is needed"
	}
	return text
}

func (e *statusError) Unwrap() error {
	switch e.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	}
	return nil
}

// passing reports whether another try may bring what this one did not.
func (e *statusError) passing() bool {
	return e.status == http.StatusTooManyRequests || e.status == http.StatusRequestTimeout || e.status >= 500
}

// do sends a request. The caller closes the body of the answer, which has one of the wanted statuses.
func (c *Client) do(ctx context.Context, method, address string, header http.Header, wanted ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		req.Header[key] = values
	}
	if c.Token != "" && c.mayAuthorize(req.URL) {
		req.Header.Set("Authorization", "Bearer "+c.Token) // which net/http drops when it is sent on to another host
	}
	res, err := cmp.Or(c.HTTP, ownClient).Do(req)
	if err != nil {
		return nil, err
	}
	for _, status := range wanted {
		if res.StatusCode == status {
			return res, nil
		}
	}
	io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // so that the connection can be used again
	res.Body.Close()
	return nil, &statusError{address, res.StatusCode, retryAfter(res.Header.Get("Retry-After"))}
}

// mayAuthorize reports whether an address is the hub's own and nobody on the way can read the token.
func (c *Client) mayAuthorize(address *url.URL) bool {
	base, err := url.Parse(c.base())
	if err != nil || address.Scheme != base.Scheme || address.Host != base.Host {
		return false
	}
	ip := net.ParseIP(base.Hostname())
	return base.Scheme == "https" || base.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// retryAfter reads the header's form in seconds, up to a minute.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 60)) * time.Second
}

// wait sleeps, unless ctx is done before.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
