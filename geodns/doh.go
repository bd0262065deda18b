package geodns

import (
	"container/list"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// dohPath is where queries by HTTPS are answered; so do most servers.
	dohPath = "/dns-query"
	// dohType is the media type of a message (RFC 8484, 6).
	dohType = "application/dns-message"
	// dohHeader bounds the header of a request: it may hold the longest query.
	dohHeader = 8 << 10
	// dohStreams are the requests that one connection has open at most. What
	// takes them long is the network, not us, and each holds memory meanwhile.
	dohStreams = 16
)

// serveHTTPS answers by DNS over HTTPS (RFC 8484), until ctx ends.
func (s *Server) serveHTTPS(ctx context.Context, l net.Listener) {
	var open sync.WaitGroup
	web := &http.Server{
		Handler:     http.HandlerFunc(s.serveQuery),
		ReadTimeout: idle, WriteTimeout: idle, IdleTimeout: idle,
		MaxHeaderBytes: dohHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          dohStreams,
			MaxReceiveBufferPerConnection: 64 << 10, // the least that there is
			MaxReceiveBufferPerStream:     2 * maxQuery,
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, holder{}, c.(*tls.Conn).NetConn())
		},
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Done()
			}
		},
	}
	_ = web.Serve(tls.NewListener(&admitting{l, ctx, s}, s.tlsConfig("h2", "http/1.1")))
	parting, stop := context.WithTimeout(context.WithoutCancel(ctx), maxSilence)
	defer stop()
	_ = web.Shutdown(parting) // who is being answered hears the answer
	open.Wait()               // or until Run has had enough of it
}

// holder is the key that a request's connection is known by.
type holder struct{}

// admitting is a listener whose connections are held to the limits of all
// others by TCP. It fails when there will be no more of them.
type admitting struct {
	net.Listener
	ctx context.Context
	s   *Server
}

func (a *admitting) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			if a.s.broken(a.ctx, "accept", err) {
				return nil, err
			}
			continue
		}
		if held := a.s.admit(conn, viaHTTPS); held != nil {
			return &admitted{held, a.s}, nil
		}
	}
}

// Close leaves the listener to whom it belongs.
func (a *admitting) Close() error { return nil }

// admitted is a connection that leaves room for others when it is closed.
type admitted struct {
	*tcpConn
	s *Server
}

func (a *admitted) Close() error {
	a.s.conns.remove(a.tcpConn)
	return nil
}

// serveQuery answers one request.
func (s *Server) serveQuery(w http.ResponseWriter, r *http.Request) {
	held := r.Context().Value(holder{}).(*admitted)
	s.conns.asked(held.tcpConn)
	req, status := s.readQuery(w, r)
	if status != http.StatusOK {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, HEAD, POST")
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	msg := s.respond(req, held.client, viaHTTPS, nil)
	if len(msg) == 0 {
		http.Error(w, "not a DNS query", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", dohType)
	w.Header().Set("Content-Length", fmt.Sprint(len(msg)))
	// RFC 8484, 5.1. What is told may hang on who asks: caches that others
	// share are to leave it alone.
	w.Header().Set("Cache-Control", fmt.Sprintf("private, max-age=%d", smallestTTL(msg)))
	w.Write(msg)
}

// readQuery takes the query out of a request (RFC 8484, 4.1).
func (s *Server) readQuery(w http.ResponseWriter, r *http.Request) (req []byte, status int) {
	if r.URL.Path != dohPath {
		return nil, http.StatusNotFound
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		req, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
		if err != nil || len(req) == 0 {
			return nil, http.StatusBadRequest
		}
		return req, http.StatusOK
	case http.MethodPost:
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != dohType {
			return nil, http.StatusUnsupportedMediaType
		}
		return s.readBody(w, r)
	}
	return nil, http.StatusMethodNotAllowed
}

// readBody waits for the query that a request tells of.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (req []byte, status int) {
	if r.ContentLength > maxQuery {
		return nil, http.StatusRequestEntityTooLarge
	}
	defer s.bodies.wait(func() {
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) // fails where it has ended
	})()
	req, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, http.StatusRequestEntityTooLarge
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout
	case err != nil:
		return nil, http.StatusBadRequest
	}
	return req, http.StatusOK
}

// maxBodies are the requests at once whose queries have not come as a whole.
const maxBodies = 64

// bodies are those requests. There is always room for one more: the one that
// has waited longest gives way, as a query comes right behind its header.
type bodies struct {
	mu    sync.Mutex
	order list.List // of func(), which end the waiting; the longest first
}

// wait takes a request in, whose waiting end ends, until it is done.
func (b *bodies) wait(end func()) (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.order.Len() >= maxBodies {
		b.order.Remove(b.order.Front()).(func())()
	}
	place := b.order.PushBack(end)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.order.Remove(place) // nothing, where it gave way
	}
}

// smallestTTL is how long an answer of ours may be kept: as long as each of its
// records. One without records is not to be kept at all.
func smallestTTL(msg []byte) uint32 {
	r := reader{msg: msg, off: headerSize}
	for range binary.BigEndian.Uint16(msg[4:]) {
		r.skipName(false)
		r.off += 4
	}
	smallest, some := uint32(math.MaxUint32), false
	records := int(binary.BigEndian.Uint16(msg[6:])) + int(binary.BigEndian.Uint16(msg[8:])) + int(binary.BigEndian.Uint16(msg[10:]))
	for range records {
		rr, ok := r.record()
		if !ok {
			return 0
		}
		if rr.rrtype != dns.TypeOPT && rr.rrtype != dns.TypeTSIG {
			smallest, some = min(smallest, rr.ttl), true
		}
	}
	if !some {
		return 0
	}
	return smallest
}
