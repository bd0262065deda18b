package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"landfall/edge/route"
)

// handover is a Handover with what the handshake needs of it.
type handover struct {
	Handover
	taken atomic.Uint64
}

// handovers checks what a configuration has of them.
func handovers(protocols map[string]Handover) (map[string]*handover, error) {
	hands := make(map[string]*handover, len(protocols))
	for name, h := range protocols {
		if name == "" || slices.Contains(ours(), name) || h.TLS == nil || h.Serve == nil {
			return nil, fmt.Errorf("edge: protocol %q cannot be handed over (want a name of its own, TLS and Serve)", name)
		}
		h.TLS = h.TLS.Clone()
		h.TLS.NextProtos = []string{name}
		h.TLS.SessionTicketsDisabled = true // one from here is no word for a host
		hands[name] = &handover{Handover: h}
	}
	return hands, nil
}

// ours are the protocols that the edge speaks, best first (RFC 7301).
func ours() []string { return []string{"h2", "http/1.1"} }

// tlsConfig serves the hosts of the map and nobody else. Curves are Go's
// choice, which begins with the hybrid of X25519 and ML-KEM-768.
func (s *Server) tlsConfig() *tls.Config {
	// A configuration without any certificate is what makes crypto/tls send
	// unrecognized_name (RFC 6066, 3); an error from a callback would be
	// internal_error. Tickets are off, or else one from a host that we do
	// serve would get by without a certificate.
	nobody := &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	c := s.servingConfig(ours()...)
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		switch own, known := s.wish(hello); {
		case own != nil:
			return own, nil
		case known:
			return nil, nil
		}
		s.tally.refused.Add(1)
		s.log.Debug("handshake refused", "remote", hello.Conn.RemoteAddr(), "host", hello.ServerName)
		return nobody, nil
	}
	return c
}

// servingConfig is for handshakes of hosts that are served.
func (s *Server) servingConfig(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		GetCertificate: s.certificate,
		VerifyConnection: func(c tls.ConnectionState) error {
			s.tally.handshake(c.DidResume)
			return nil
		},
	}
}

// wish finds out what a hello asks for, and notes it with the connection if
// that is not HTTP. It answers with a configuration of its own where one is
// needed, and whether the hello is for anything that is served.
func (s *Server) wish(hello *tls.ClientHelloInfo) (own *tls.Config, known bool) {
	c, ok := hello.Conn.(*conn)
	if !ok {
		return nil, false
	}
	if c.port == 0 {
		for _, name := range hello.SupportedProtos {
			if h, ok := s.hands[name]; ok {
				c.wish.handover = h
				return h.TLS, true
			}
		}
	}
	host, _ := route.Host(hello.ServerName)
	table := s.view.Load().table
	if r, ok := table.Stream(c.port, host); ok {
		c.wish.stream = &r
		protocol := transparent(hello.SupportedProtos)
		if slices.Equal(protocol, nothing()) {
			s.tally.browsers.Add(1)
			s.log.Debug("handshake refused: HTTP for a service of kind tcp", "remote", c.RemoteAddr(), "host", host)
		}
		return s.servingConfig(protocol...), true
	}
	_, known = table.Find(host)
	return nil, known && c.port == 0
}

// transparent chooses the protocol of a service of kind tcp, which is between
// the client and the upstream: the client's first, and the upstream is told.
// Browsers have no business there: a page could make one say things that the
// upstream takes for commands. They always offer http/1.1, and nothing else
// but HTTP; that is answered with no_application_protocol. h2 alone is gRPC's.
// A claim to answer for an authority (RFC 8737) is not ours to make.
func transparent(offered []string) []string {
	var http []string
	for _, name := range offered {
		switch {
		case isHTTP(name):
			http = append(http, name)
		case name != "acme-tls/1" && !grease(name):
			return []string{name}
		}
	}
	if http == nil || slices.Equal(http, []string{"h2"}) {
		return http
	}
	return nothing()
}

// nothing is the protocol that nobody offers: crypto/tls then ends the
// handshake with the alert no_application_protocol (RFC 7301, 3.2).
func nothing() []string { return []string{"landfall-none"} }

// isHTTP knows what browsers speak, of today and before (IANA's ALPN ids).
func isHTTP(name string) bool {
	return name == "h2" || name == "h3" || strings.HasPrefix(name, "http/") || strings.HasPrefix(name, "spdy/")
}

// grease knows what is offered to be ignored (RFC 8701, 2).
func grease(name string) bool {
	return len(name) == 2 && name[0] == name[1] && name[0]&0x0f == 0x0a
}

func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host, _ := route.Host(hello.ServerName)
	if g, ok := hello.Conn.(*conn); ok && g.wish.stream != nil {
		host = g.wish.stream.Service.Host // which alone on its port needs no name
	}
	if host == "" {
		return nil, errors.New("no host to certify")
	}
	c, err := s.cfg.Certificates.Certificate(hello.Context(), host)
	if err != nil {
		s.tally.uncertified.Add(1)
		if times := s.bare.Count(time.Now()); times > 0 {
			s.log.Warn("no certificate", "host", host, "times", times, "err", err)
		}
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	return c, nil
}
