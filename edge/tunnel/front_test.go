package tunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
)

// stage is a Front on loopback with a listener in the place of the mesh and
// one in that of an application.
type stage struct {
	*Front
	t    *testing.T
	mesh net.Listener
	app  net.Listener
	stop func()

	mu  sync.Mutex
	log bytes.Buffer
}

func (s *stage) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *stage) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func newStage(t *testing.T, app func(net.Conn)) *stage {
	t.Helper()
	s := &stage{t: t, mesh: listen(t), app: listen(t)}
	f, err := New(Config{Self: "fra1", Streams: 6, Log: slog.New(slog.NewTextHandler(s, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.Front = f
	down := listen(t)
	down.Close()
	f.SetMap(&landfall.Map{Services: []landfall.Service{
		{Host: "db.landfall.test", Kind: landfall.TCP, Upstream: "tcp://" + s.app.Addr().String()},
		{Host: "bare.landfall.test", Kind: landfall.TCP, Upstream: "tcp://" + s.app.Addr().String(), Proxy: landfall.ProxyOff},
		{Host: "down.landfall.test", Kind: landfall.TCP, Upstream: "tcp://" + down.Addr().String()},
		{Host: "web.landfall.test", Upstream: "http://" + s.app.Addr().String()},
	}})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := s.app.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				app(c)
			})
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	running.Go(func() {
		if err := f.Serve(ctx, s.mesh); err != nil {
			t.Error(err)
		}
	})
	s.stop = sync.OnceFunc(func() {
		cancel()
		s.app.Close()
		running.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

// open is what an edge does.
func (s *stage) open(host string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.mesh.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	h := Header{Client: netip.MustParseAddrPort("192.0.2.7:50000"), Edge: netip.MustParseAddrPort("198.51.100.1:443"), Host: host, ID: "abc"}
	far, err := Open(c, h, func() {})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { far.Close() })
	return far
}

// told sends back what it has heard of the client, and then all it hears.
func told(c net.Conn) {
	h, err := ReadHeader(c)
	if err != nil {
		io.WriteString(c, err.Error())
		return
	}
	io.WriteString(c, h.Client.String()+" "+h.Host+" "+h.ID+"\n")
	io.Copy(c, c)
}

func TestUpstreamIsToldWhoTheClientIs(t *testing.T) {
	s := newStage(t, told)
	c := s.open("db.landfall.test")
	io.WriteString(c, "select 1")
	c.(interface{ CloseWrite() error }).CloseWrite()
	b, err := io.ReadAll(c)
	if want := "192.0.2.7:50000 db.landfall.test abc\nselect 1"; err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
	c.Close()
	s.stop()
	if n := s.Stats(); n.Streams != 1 || n.Open != 0 || n.Bytes["up"] != 8 || n.Bytes["down"] != 45 || n.Failed["edge"] != 0 {
		t.Errorf("%+v", n)
	}
}

func TestUpstreamMayBeToldNothing(t *testing.T) {
	s := newStage(t, func(c net.Conn) { io.Copy(c, c) })
	c := s.open("bare.landfall.test")
	io.WriteString(c, "PING\r\n")
	c.(interface{ CloseWrite() error }).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || string(b) != "PING\r\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestEdgeHearsWhyThereIsNoStream(t *testing.T) {
	s := newStage(t, told)
	for _, c := range []struct {
		host string
		want error
		log  string
	}{
		{"down.landfall.test", ErrUnreachable, "upstream=tcp://127.0.0.1:"},
		{"other.landfall.test", ErrUnknown, "service=other.landfall.test"},
		{"web.landfall.test", ErrUnknown, "service=web.landfall.test"}, // kind http
	} {
		far := s.open(c.host)
		io.WriteString(far, strings.Repeat("x", 100_000)) // what nobody reads must not drown the verdict
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.host, err, c.want)
		}
		if !strings.Contains(s.logged(), c.log) {
			t.Errorf("%s: the log does not say %q", c.host, c.log)
		}
		far.Close()
	}
	if n := s.Stats(); n.Failed["unreachable"] != 1 || n.Failed["unknown"] != 2 {
		t.Errorf("%+v", n)
	}
}

func TestStreamWithoutAHeaderIsCut(t *testing.T) {
	s := newStage(t, told)
	c, err := net.Dial("tcp", s.mesh.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: db.landfall.test\r\n\r\n")
	if b, err := io.ReadAll(c); len(b) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", b, err)
	}
	spare, err := net.Dial("tcp", s.mesh.Addr().String()) // ends unused
	if err != nil {
		t.Fatal(err)
	}
	spare.Close()
	s.stop()
	if n := s.Stats(); n.Failed["header"] != 1 || n.Streams != 0 {
		t.Errorf("%+v", n)
	}
}

// An end in order and a broken connection stay what they are, in both
// directions.
func TestWhatBreaksIsNotTakenForAnEnd(t *testing.T) {
	heard := make(chan error, 1)
	s := newStage(t, func(c net.Conn) {
		if h, err := ReadHeader(c); err != nil || h.Host != "db.landfall.test" {
			t.Error(h, err)
		}
		io.WriteString(c, "half")
		var b [1]byte
		if io.ReadFull(c, b[:]); b[0] == 'b' { // break
			Abort(c)
			return
		}
		_, err := c.Read(b[:])
		heard <- err
	})
	c := s.open("db.landfall.test")
	io.WriteString(c, "b")
	if b, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("of an upstream that broke: %q, %v", b, err)
	}
	c = s.open("db.landfall.test")
	io.WriteString(c, "w")
	io.ReadFull(c, make([]byte, 4))
	Abort(c)
	if err := <-heard; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("of a client that broke: %v", err)
	}
	s.stop()
	if n := s.Stats(); n.Failed["upstream"] != 1 || n.Failed["edge"] != 1 {
		t.Errorf("%+v", n)
	}
}

func TestServeCutsWhatIsOpenAtItsEnd(t *testing.T) {
	s := newStage(t, told)
	c := s.open("db.landfall.test")
	io.ReadFull(c, make([]byte, 10))
	idle, err := net.Dial("tcp", s.mesh.Addr().String()) // without a header
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	began := time.Now()
	s.stop()
	if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if n := s.Stats(); n.Open != 0 || n.Failed["stopped"] != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("%+v after %v", n, time.Since(began))
	}
}

func TestOpenStreamsOutliveTheirService(t *testing.T) {
	s := newStage(t, told)
	c := s.open("db.landfall.test")
	io.ReadFull(c, make([]byte, 37))
	s.SetMap(&landfall.Map{})
	io.WriteString(c, "on")
	b := make([]byte, 2)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "on" {
		t.Errorf("%q, %v", b, err)
	}
}

// An edge that opens streams and says nothing, or next to nothing, holds few
// of them, and not for long.
func TestStreamsWithoutAHeaderAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := New(Config{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }})
		if err != nil {
			t.Fatal(err)
		}
		var streams sync.WaitGroup
		open := func(from string, n int) (ends []net.Conn) {
			for range n {
				near, far := net.Pipe()
				streams.Go(func() { f.serve(t.Context(), peer{far, from}) })
				ends = append(ends, near)
			}
			synctest.Wait()
			return ends
		}
		for _, c := range open("[fd6c::1]:1000", 2*headless) {
			c.SetWriteDeadline(time.Now())
			c.Write([]byte(signature)[:1])
		}
		if n := f.greeting.Taken(); n != headless || f.Stats().Failed["crowded"] != headless {
			t.Errorf("%d wait, %v", n, f.Stats().Failed)
		}
		honest := open("[fd6c::2]:1000", 1)[0]
		honest.SetDeadline(time.Now().Add(time.Second))
		var verdict [1]byte
		if _, err := honest.Write(Header{Host: "x"}.Append(nil)); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(honest, verdict[:]); err != nil || verdict[0] != byte(unknown) {
			t.Errorf("%q, %v", verdict, err)
		}
		honest.Close()
		began := time.Now()
		streams.Wait()
		if time.Since(began) > headerTimeout || f.greeting.Taken() != 0 {
			t.Errorf("after %v %d still wait", time.Since(began), f.greeting.Taken())
		}
	})
}

// peer is a connection from somebody on the mesh.
type peer struct {
	net.Conn
	from string
}

func (p peer) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.from))
}
