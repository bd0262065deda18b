package server

import (
	"net/http"
	"sync"
)

// desk is where operators ask, whichever node stands behind it at the moment.
type desk struct {
	mu     sync.Mutex
	clerk  http.Handler  // nil: between two nodes
	seated chan struct{} // closed when there is a clerk
}

func newDesk() *desk { return &desk{seated: make(chan struct{})} }

// seat lets another handler answer from now on; nil lets whoever asks wait.
func (d *desk) seat(h http.Handler) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clerk == nil && h != nil {
		close(d.seated)
	}
	if d.clerk != nil && h == nil {
		d.seated = make(chan struct{})
	}
	d.clerk = h
}

// ServeHTTP implements http.Handler.
func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for {
		d.mu.Lock()
		clerk, seated := d.clerk, d.seated
		d.mu.Unlock()
		if clerk != nil {
			clerk.ServeHTTP(w, r)
			return
		}
		select {
		case <-seated:
		case <-r.Context().Done():
			return
		}
	}
}
