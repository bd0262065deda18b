package join

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"time"

	"landfall/mesh/mapsync"
)

// ServerConfig is what a Server is made of.
type ServerConfig struct {
	Book *Book
	Key  mapsync.SigningKey // signs hellos
	Now  func() time.Time   // the clock that tokens are judged by; nil is time.Now
	Log  *slog.Logger       // nil is silent
}

// Server is the control's side of joining.
type Server struct {
	cfg    ServerConfig
	tls    *tls.Config
	gate   gate
	counts counts
}

// NewServer checks the configuration and makes the certificate, which lives
// as long as the Server. Nobody checks it: the signed hello says who we are.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Book == nil {
		return nil, errors.New("join: no book of invitations")
	}
	if cfg.Key.IsZero() || cfg.Key.Public() != cfg.Book.cfg.Key {
		return nil, errors.New("join: the signing key is not that of the book's tokens")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cert, err := certificate(cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("join: certificate: %w", err)
	}
	return &Server{cfg: cfg, tls: &tls.Config{
		Certificates:           []tls.Certificate{cert},
		NextProtos:             []string{ALPN},
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	}}, nil
}

func certificate(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: ALPN},
		NotBefore:    now.AddDate(-1, 0, 0),
		NotAfter:     now.AddDate(20, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// TLS is the configuration for connections whose client offers ALPN, for
// whoever accepts them and hands them to Serve.
func (s *Server) TLS() *tls.Config { return s.tls.Clone() }

// How long things may take.
const (
	firstTime    = 5 * time.Second  // until the handshake is done and the first request there, whole
	questionTime = 10 * time.Second // until the next one is
	answerTime   = time.Minute      // for an answer on its way: a map may be large
	retryAccept  = 200 * time.Millisecond
)

// Serve talks with one server that wants to join, and closes the connection.
// It returns when all is said, or soon after ctx ends.
func (s *Server) Serve(ctx context.Context, c *tls.Conn) {
	defer c.Close()
	// Under Close lies an alert that may wait for a peer who does not read.
	defer context.AfterFunc(ctx, func() { c.NetConn().Close() })()
	from := addressOf(c.RemoteAddr())
	visit, ok := s.gate.enter(from, s.cfg.Now(), func() {
		s.counts.gaveWay.Add(1)
		c.NetConn().Close()
	})
	if !ok {
		s.counts.busy.Add(1)
		return
	}
	defer visit.leave()
	s.counts.open.Add(1)
	defer s.counts.open.Add(-1)
	c.SetDeadline(time.Now().Add(firstTime))
	if err := c.HandshakeContext(ctx); err != nil {
		s.cfg.Log.Debug("handshake failed", "remote", from, "err", err)
		return
	}
	t, err := newTalk(s, c, from, visit)
	if err == nil {
		err = t.run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Debug("conversation broke off", "remote", from, "err", err)
	}
}

// Run serves a listener of its own, for a control whose node is no edge,
// until ctx ends. It closes the listener, and returns when all conversations
// have ended.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var work sync.WaitGroup
	defer work.Wait()
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("join: %w", err)
		case err != nil: // too many open files, or the like: it may pass
			s.cfg.Log.Warn("cannot accept connections", "err", err)
			pause(ctx, retryAccept)
		default:
			work.Go(func() { s.Serve(ctx, tls.Server(c, s.tls)) })
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
