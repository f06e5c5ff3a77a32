package server

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// connections bounds how many are open. Where there is no room for another one, that which has been silent for longest gives way, or, if all are in
// use, the new one.
type connections struct {
	most int

	mu     sync.Mutex
	open   int
	silent []net.Conn // without a request, the longest first
}

// changed is called with the state of each connection.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.silent, conn); i >= 0 {
		c.silent = slices.Delete(c.silent, i, i+1)
	}
	switch state {
	case http.StateNew:
		c.silent = append(c.silent, conn)
		if c.open++; c.open > c.most {
			c.silent[0].Close()
			c.silent = c.silent[1:]
		}
	case http.StateIdle:
		c.silent = append(c.silent, conn)
	case http.StateClosed, http.StateHijacked:
		c.open--
	}
}
