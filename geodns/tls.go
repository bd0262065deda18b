package geodns

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// untouched is what becomes of a connection without TLS.
func untouched(conn net.Conn) net.Conn { return conn }

// serveTLS answers by DNS over TLS (RFC 7858).
func (s *Server) serveTLS(ctx context.Context, l net.Listener) {
	conf := s.tlsConfig("dot") // RFC 7858, 11
	s.serveTCP(ctx, l, viaTLS, func(conn net.Conn) net.Conn {
		return &lateTLS{Conn: tls.Server(conn, conf), s: s}
	})
}

// tlsConfig is how connections by TLS are made. Clients that name no protocol
// are taken at their word that they want this one.
func (s *Server) tlsConfig(protocols ...string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, GetCertificate: s.certificate}
}

// lateTLS is a connection that shakes hands when it is first read, in the time
// that a first query may take.
type lateTLS struct {
	*tls.Conn
	s      *Server
	shaken bool
}

func (c *lateTLS) Read(b []byte) (int, error) {
	if !c.shaken {
		if err := c.shake(); err != nil {
			c.s.count.unshaken.Add(1)
			return 0, err
		}
		c.shaken = true
	}
	return c.Conn.Read(b)
}

// shake shakes hands. What is read until then has its deadline.
func (c *lateTLS) shake() error {
	if err := c.SetWriteDeadline(time.Now().Add(c.s.conns.patience())); err != nil {
		return err
	}
	return c.Handshake()
}
