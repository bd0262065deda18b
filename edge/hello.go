package edge

import (
	"crypto/tls"
	"fmt"

	"landfall/edge/route"
)

// tlsConfig serves the hosts of the map and nobody else. Curves are Go's
// choice, which begins with the hybrid of X25519 and ML-KEM-768.
func (s *Server) tlsConfig() *tls.Config {
	// A configuration without any certificate is what makes crypto/tls send
	// unrecognized_name (RFC 6066, 3); an error from a callback would be
	// internal_error. Tickets are off, or else one from a host that we do
	// serve would get by without a certificate.
	nobody := &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"}, // RFC 7301
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if s.serves(hello.ServerName) {
				return nil, nil
			}
			s.tally.refused.Add(1)
			s.cfg.Log.Debug("handshake refused", "node", s.cfg.Self, "remote", hello.Conn.RemoteAddr(), "host", hello.ServerName)
			return nobody, nil
		},
		GetCertificate: s.certificate,
		VerifyConnection: func(c tls.ConnectionState) error {
			s.tally.handshake(c.DidResume)
			return nil
		},
	}
}

// serves reports whether the map has a service for a server name.
func (s *Server) serves(name string) bool {
	host, ok := route.Host(name)
	if !ok {
		return false
	}
	_, ok = s.view.Load().table.Find(host)
	return ok
}

func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host, _ := route.Host(hello.ServerName)
	c, err := s.cfg.Certificates.Certificate(hello.Context(), host)
	if err != nil {
		s.tally.uncertified.Add(1)
		s.cfg.Log.Warn("no certificate", "node", s.cfg.Self, "host", host, "err", err)
		return nil, fmt.Errorf("certificate for %s: %w", host, err)
	}
	return c, nil
}
