package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// foreignError says that an upstream is there but speaks something else than
// its URL says.
type foreignError struct {
	err  error
	cure string
}

func (e *foreignError) Error() string { return e.err.Error() }
func (e *foreignError) Unwrap() error { return e.err }

// wary is a connection to an upstream. Its first octets have to be HTTP's:
// net/http would wait a minute for the end of a line that never comes.
type wary struct {
	net.Conn
	head []byte // what has come so far, until that is enough
	sure bool
}

const greeting = "HTTP/1." // RFC 9112, 2.3

// Read implements net.Conn.
func (w *wary) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.sure || n == 0 {
		return n, err
	}
	w.head = append(w.head, b[:min(n, len(greeting)-len(w.head))]...)
	if !bytes.HasPrefix([]byte(greeting), w.head) {
		return 0, foreign(b[:n])
	}
	w.sure = len(w.head) == len(greeting)
	return n, err
}

// CloseWrite is for WebSockets, whose ends half-close.
func (w *wary) CloseWrite() error {
	if h, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return w.Conn.Close()
}

// foreign tells what an upstream may be by its first octets.
func foreign(first []byte) *foreignError {
	e := &foreignError{
		err:  fmt.Errorf("the upstream speaks no HTTP: it began with %q", first[:min(len(first), 40)]),
		cure: "point the service's upstream at the port where the application speaks HTTP, or give the service kind = \"tcp\"",
	}
	if len(first) > 1 && (first[0] == 0x15 || first[0] == 0x16) && first[1] == 3 { // an alert or handshake (RFC 8446, 5.1)
		e.cure = "the upstream speaks TLS: write https:// in the service's upstream"
	}
	return e
}

// secure shakes hands with an upstream whose URL begins with https.
func secure(ctx context.Context, c net.Conn, host string) (net.Conn, error) {
	t := tls.Client(c, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	err := t.HandshakeContext(ctx)
	if err == nil {
		return t, nil
	}
	c.Close()
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case plain:
		return nil, &foreignError{fmt.Errorf("the upstream does not speak TLS: %w", err), "write http:// in the service's upstream"}
	case distrusted:
		return nil, &foreignError{err, "let the upstream have a certificate for " + host + " from an authority that this server trusts (SSL_CERT_FILE names others), or write http:// if it is on this server"}
	case timedOut(err), errors.Is(err, syscall.ECONNRESET):
		return nil, &foreignError{fmt.Errorf("the upstream does not shake hands: %w", err), "see whether the upstream speaks TLS on this port"}
	}
	return nil, err
}
