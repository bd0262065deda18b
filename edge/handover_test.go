package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"landfall"
)

const joining = "landfall-join/1"

func request(t *testing.T, host string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+host+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// run starts a server and returns how to stop it.
func run(t *testing.T, s *Server, listeners ...net.Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx, listeners...); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// nobody has no certificate, as a home that is brand-new.
type nobody struct{}

func (nobody) Certificate(context.Context, string) (*tls.Certificate, error) {
	return nil, errors.New("none yet")
}

func handing(t *testing.T, serve func(context.Context, *tls.Conn)) (s *Server, address string, stop func()) {
	t.Helper()
	ca := newAuthority(t)
	s, err := New(Config{
		Self: "fra1", Certificates: nobody{}, Dialer: dialFunc(func(context.Context, landfall.Target) (net.Conn, error) { return nil, io.EOF }),
		Grace:     200 * time.Millisecond,
		Protocols: map[string]Handover{joining: {TLS: &tls.Config{Certificates: []tls.Certificate{*ca.leaf(t, "join.test")}}, Serve: serve}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	return s, l.Addr().String(), run(t, s, l)
}

// No map, no certificate of a host, no server name: a protocol of its own is
// served all the same, and no other.
func TestProtocolIsHandedOver(t *testing.T) {
	s, address, _ := handing(t, func(_ context.Context, c *tls.Conn) {
		io.WriteString(c, "hello "+c.ConnectionState().NegotiatedProtocol)
	})
	for _, name := range []string{"", "127.0.0.1", "home.example.com"} {
		c, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", joining}})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if b, err := io.ReadAll(c); err != nil || string(b) != "hello "+joining || c.ConnectionState().PeerCertificates[0].DNSNames[0] != "join.test" {
			t.Errorf("%q: %q, %v", name, b, err)
		}
		c.Close()
	}
	if c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		c.Close()
		t.Error("another protocol was served")
	}
	if n := s.Stats(); n.Handed[joining] != 3 || n.Refused != 1 {
		t.Errorf("%+v", n)
	}
}

func TestHandedConnectionsEndWithTheEdge(t *testing.T) {
	ended := make(chan error, 2)
	s, address, stop := handing(t, func(ctx context.Context, c *tls.Conn) {
		_, err := c.Read(make([]byte, 1))
		ended <- errors.Join(err, context.Cause(ctx))
	})
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{joining}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the handler has it", func() bool { return s.Stats().Handed[joining] == 1 })
	stop()
	if err := <-ended; err == nil {
		t.Error("the handler was not told")
	}
	if n := s.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func TestHandlerThatPanicsHarmsNobody(t *testing.T) {
	s, address, _ := handing(t, func(context.Context, *tls.Conn) { panic("a bug") })
	for range 2 {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{joining}})
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(c); len(b) > 0 {
			t.Errorf("%q", b)
		}
		c.Close()
	}
	eventually(t, "both were counted and are gone", func() bool {
		n := s.Stats()
		return n.Panics == 2 && n.Connections == 0
	})
}

func TestProtocolsThatCannotBeHandedOver(t *testing.T) {
	serve := func(context.Context, *tls.Conn) {}
	for name, h := range map[string]Handover{"h2": {new(tls.Config), serve}, "": {new(tls.Config), serve}, "x": {nil, serve}, "y": {new(tls.Config), nil}} {
		_, err := New(Config{Self: "fra1", Certificates: nobody{}, Dialer: dialFunc(nil), Protocols: map[string]Handover{name: h}})
		if err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

// A handshake that is not one, in the ways that happen.
func TestWhoSpeaksNoTLS(t *testing.T) {
	s := newStage(t, nil)
	for sent, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: chat.landfall.test\r\n\r\n": "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nThis port is for HTTPS.\n",
		"SSH-2.0-OpenSSH_9.2p1\r\n":                          "",
	} {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, sent)
		b, _ := io.ReadAll(c)
		if len(b) > 0 && b[0] == 0x15 { // an alert
			b = nil
		}
		if string(b) != want {
			t.Errorf("%q: %q", sent, b)
		}
		c.Close()
	}
}
