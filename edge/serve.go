package edge

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"landfall"
	"landfall/edge/forward"
	"landfall/edge/route"
)

// HealthPath is answered by the edge itself, for every host: 200 with
// "ok NODE SERIAL" while it can serve, 503 with the reason when it cannot.
const HealthPath = "/.well-known/landfall/health"

// patience is how long no origin may be reachable before the edge calls
// itself unhealthy: users are then better off at another. It outlasts an
// origin's restart, which every edge would notice alike.
const patience = 5 * time.Second

// What a client may cost us before it has asked for anything.
const (
	headerTimeout  = 10 * time.Second // for a handshake, and for the head of a request
	idleTimeout    = 2 * time.Minute  // between requests
	maxHeaderBytes = 64 << 10
	maxStreams     = 250 // of one HTTP/2 connection
)

// Run serves the listeners until ctx ends, and then drains: see Config.Grace.
// It closes them, and returns early only if one of them breaks.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	srv := s.httpServer(requests)
	carry, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	open, shut := context.WithCancel(ctx)
	defer shut()
	d := &door{Server: s, requests: requests, config: s.tlsConfig(), lobby: newLobby(listeners)}
	var forwarding, serving sync.WaitGroup
	forwarding.Go(func() { s.forward.Run(carry) })
	serving.Go(func() { srv.Serve(d.lobby) })
	serving.Go(func() { d.keepPorts(open) })
	broken := make(chan error, len(listeners))
	for _, l := range listeners {
		serving.Go(func() {
			if err := d.accept(open, l, 0); err != nil {
				broken <- err
			}
		})
	}
	var err error
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	shut()
	s.drain(srv, &serving, cut)
	release()
	forwarding.Wait()
	return err
}

func (s *Server) httpServer(requests context.Context) *http.Server {
	return &http.Server{
		Handler:                      s,
		BaseContext:                  func(net.Listener) context.Context { return requests },
		ConnContext:                  withGuest,
		ConnState:                    s.guests.track,
		ErrorLog:                     slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true, // OPTIONS * is for the origin
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      30 * time.Second,
			PingTimeout:          15 * time.Second,
		},
	}
}

// ServeHTTP answers one request. It is meant for Run's server; whoever calls
// it from elsewhere brings a request that came over TLS.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.gate.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.gate.leave()
	defer s.rescue(r)
	defer lastCall(w, r)
	v := s.view.Load()
	switch {
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace:
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") // RFC 9110, 15.5.6
		s.refuse(w, r, http.StatusMethodNotAllowed, "This method is not for proxies like this one.")
	case !wellFormed(r, "https"):
		s.refuse(w, r, http.StatusBadRequest, "The method or the target of the request has an unusual form.")
	case r.URL.Path == HealthPath:
		s.health(w, v)
	default:
		s.pass(w, r, v)
	}
}

// lastCall gives the client a last time to take what net/http still holds of an
// answer in HTTP/2; over HTTP/1.1 conn does.
func lastCall(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(forward.Stall))
	}
}

// pass hands a request on by its host. The authority of the absolute form
// has then already replaced the Host header (RFC 9112, 3.2.2).
func (s *Server) pass(w http.ResponseWriter, r *http.Request, v *view) {
	host, ok := route.Host(r.Host)
	to, found := v.table.Find(host)
	if !ok || !found || !s.vouches(r, host) {
		s.tally.misdirected.Add(1)
		s.refuse(w, r, http.StatusMisdirectedRequest, "This host is not served on this connection.")
		return
	}
	hop := forward.Hop{Targets: to.Targets, Goodbye: v.goodbye(time.Now()) || ambiguous(r)}
	if s.cfg.Locator != nil {
		hop.Location = s.locate(r.RemoteAddr)
	}
	s.share(w, r, func() { s.forward.Serve(w, r, hop) })
}

// vouches reports whether the connection's certificate is good for a host. A
// client may reuse an HTTP/2 connection for all names of its certificate
// (RFC 9113, 9.1.1), and for no other.
func (s *Server) vouches(r *http.Request, host string) bool {
	if r.TLS == nil {
		return false
	}
	name, _ := route.Host(r.TLS.ServerName)
	if name == host {
		return true
	}
	c, err := s.cfg.Certificates.Certificate(r.Context(), name)
	if err != nil || len(c.Certificate) == 0 {
		return false
	}
	leaf := c.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return false
		}
	}
	return leaf.VerifyHostname(host) == nil
}

func (s *Server) locate(remote string) landfall.Location {
	client, ok := forward.ClientAddr(remote)
	if !ok {
		return landfall.Location{}
	}
	at, _ := s.cfg.Locator.Locate(client)
	return at
}

// Health answers as HealthPath does, for those who ask by other ways than TLS.
func (s *Server) Health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s.health(w, s.view.Load()) })
}

// health says whether clients do well to be sent here. An edge that cannot
// reach home does nothing for them that another edge would not do better.
func (s *Server) health(w http.ResponseWriter, v *view) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	since, down := s.forward.Unreachable(v.targets)
	if down && time.Since(since) >= patience {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "no origin can be reached %s %d\n", s.cfg.Self, v.serial)
		return
	}
	fmt.Fprintf(w, "ok %s %d\n", s.cfg.Self, v.serial)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, say string) {
	if s.view.Load().goodbye(time.Now()) || ambiguous(r) {
		w.Header().Set("Connection", "close")
	}
	forward.Answer{Status: status, Say: say, Fault: forward.Client, Node: s.cfg.Self, ID: forward.RequestID(r.Header)}.WriteTo(w, r)
}

// rescue keeps a bug in the handling of one request from being more than
// that.
func (s *Server) rescue(r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p != http.ErrAbortHandler {
		s.tally.panics.Add(1)
		s.log.Error("request panicked", "remote", r.RemoteAddr, "err", p, "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}
