package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"landfall"
	"landfall/edge/tunnel"
)

// wire is an edge on loopback with a tunnel's Front as its home, and an
// application behind that.
type wire struct {
	*Server
	t       *testing.T
	ca      *authority
	front   *tunnel.Front
	dark    func() // home is no more
	address string
	stop    func()

	mu    sync.Mutex
	ports map[uint16]string // where Listen has really listened
}

// wired are the services of kind tcp. Ports are opened by Listen, which takes
// any that is free in their place.
func wired(app string) *landfall.Map {
	m := network(landfall.Active)
	up := "tcp://" + app
	m.Services = append(m.Services,
		landfall.Service{Host: "db.landfall.test", Kind: landfall.TCP, Upstream: up},
		landfall.Service{Host: "bare.landfall.test", Kind: landfall.TCP, Upstream: up, Proxy: landfall.ProxyOff},
		landfall.Service{Host: "down.landfall.test", Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:1"},
		landfall.Service{Host: "alone.landfall.test", Kind: landfall.TCP, Port: 5432, Upstream: up},
		landfall.Service{Host: "one.landfall.test", Kind: landfall.TCP, Port: 8883, Upstream: up},
		landfall.Service{Host: "two.landfall.test", Kind: landfall.TCP, Port: 8883, Upstream: up},
	)
	return m
}

// introduced says what it is told of the client, and then sends back what it
// hears.
func introduced(c net.Conn) {
	h, err := tunnel.ReadHeader(c)
	if err != nil {
		fmt.Fprintln(c, err)
		return
	}
	fmt.Fprintln(c, h.Client.Addr(), h.Edge.Addr(), h.Host, h.ALPN, h.TLS, h.Cipher != "", len(h.ID) > 10)
	io.Copy(c, c)
}

func newWire(t *testing.T, app func(net.Conn)) *wire {
	t.Helper()
	w := &wire{t: t, ca: newAuthority(t), ports: make(map[uint16]string)}
	var running sync.WaitGroup
	back := accept(t, &running, app)
	var err error
	if w.front, err = tunnel.New(tunnel.Config{}); err != nil {
		t.Fatal(err)
	}
	home := listen(t)
	up, cut := context.WithCancel(t.Context())
	running.Go(func() { w.front.Serve(up, home) })
	w.dark = cut
	hosts := []string{"chat.landfall.test", "db.landfall.test", "bare.landfall.test", "down.landfall.test", "alone.landfall.test", "one.landfall.test", "two.landfall.test"}
	cert, certs := w.ca.leaf(t, hosts...), wallet{}
	for _, h := range hosts {
		certs[h] = cert
	}
	w.Server, err = New(Config{
		Self: "nyc1", Certificates: certs, Grace: 200 * time.Millisecond, Listen: w.listen,
		Dialer: dialFunc(func(ctx context.Context, to landfall.Target) (net.Conn, error) {
			if to.Service != landfall.MeshTCP {
				return nil, syscall.ECONNREFUSED
			}
			return new(net.Dialer).DialContext(ctx, "tcp", home.Addr().String())
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	m := wired(back.Addr().String())
	w.SetMap(m)
	w.front.SetMap(m)
	l := listen(t)
	w.address = l.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := w.Run(ctx, l); err != nil {
			t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		cut()
		back.Close()
		running.Wait()
	})
	t.Cleanup(w.stop)
	return w
}

// accept serves an application until its listener is closed.
func accept(t *testing.T, running *sync.WaitGroup, app func(net.Conn)) net.Listener {
	l := listen(t)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				app(c)
			})
		}
	})
	return l
}

// listen is the edge's Config.Listen.
func (w *wire) listen(port uint16) ([]net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ports[port] = l.Addr().String()
	return []net.Listener{l}, nil
}

// at is where a port is, once it is open.
func (w *wire) at(port uint16) string {
	w.t.Helper()
	if port == 0 {
		return w.address
	}
	var at string
	eventually(w.t, "the port is open", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		at = w.ports[port]
		return at != ""
	})
	return at
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !is(); <-tick.C {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

func (w *wire) dial(port uint16, name string, protocols ...string) (*tls.Conn, error) {
	config := &tls.Config{RootCAs: w.ca.pool, ServerName: name, NextProtos: protocols}
	if name == "" { // crypto/tls sends none for an address
		config.InsecureSkipVerify, config.ServerName = true, "127.0.0.1"
	}
	return tls.Dial("tcp", w.at(port), config)
}

func TestStreamsGoByNameAndPort(t *testing.T) {
	w := newWire(t, introduced)
	for _, c := range []struct {
		port       uint16
		name, host string // empty host: refused
	}{
		{0, "db.landfall.test", "db.landfall.test"},
		{0, "DB.landfall.test", "db.landfall.test"},
		{0, "alone.landfall.test", ""}, // it has a port of its own
		{0, "", ""},
		{5432, "alone.landfall.test", "alone.landfall.test"},
		{5432, "", "alone.landfall.test"},
		{5432, "db.landfall.test", ""},
		{5432, "chat.landfall.test", ""}, // kind http
		{8883, "one.landfall.test", "one.landfall.test"},
		{8883, "two.landfall.test", "two.landfall.test"},
		{8883, "", ""},
	} {
		conn, err := w.dial(c.port, c.name)
		if c.host == "" {
			if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("%q on %d: %v, want the alert unrecognized_name", c.name, c.port, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q on %d: %v", c.name, c.port, err)
			continue
		}
		io.WriteString(conn, "select 1")
		conn.CloseWrite()
		b, err := io.ReadAll(conn)
		if want := "127.0.0.1 127.0.0.1 " + c.host + "  TLSv1.3 true true\nselect 1"; err != nil || string(b) != want {
			t.Errorf("%q on %d: %q, %v; want %q", c.name, c.port, b, err, want)
		}
		conn.Close()
	}
	w.stop()
	if s := w.Stats(); s.Streams != 6 || s.StreamsOpen != 0 || s.StreamBytes["up"] != 6*8 || s.Refused != 5 || s.Requests != 0 {
		t.Errorf("%+v", s)
	}
	for f, n := range w.Stats().StreamFaults {
		if n != 0 {
			t.Errorf("%d faults of %s", n, f)
		}
	}
}

func TestStreamMayBeBare(t *testing.T) {
	w := newWire(t, func(c net.Conn) { io.Copy(c, c) })
	conn, err := w.dial(0, "bare.landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "PING\r\n")
	conn.CloseWrite()
	if b, err := io.ReadAll(conn); err != nil || string(b) != "PING\r\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestProtocolOfAStreamIsTheClientsChoice(t *testing.T) {
	w := newWire(t, introduced)
	for _, c := range []struct {
		offered []string
		want    string
	}{
		{nil, ""},
		{[]string{"postgresql"}, "postgresql"},       // libpq insists on it
		{[]string{"mqtt", "x-amzn-mqtt-ca"}, "mqtt"}, // the first
		{[]string{"h2", "http/1.1", "mqtt"}, "mqtt"}, // the first that is no HTTP
		{[]string{"h2"}, "h2"},                       // gRPC insists on it
		{[]string{"acme-tls/1"}, ""},                 // RFC 8737
		{[]string{"acme-tls/1", "dot"}, "dot"},
	} {
		conn, err := w.dial(0, "db.landfall.test", c.offered...)
		if err != nil {
			t.Errorf("%q: %v", c.offered, err)
			continue
		}
		var addresses [2]string
		var host string
		fmt.Fscan(conn, &addresses[0], &addresses[1], &host)
		var b [30]byte
		n, _ := conn.Read(b[:])
		if got := conn.ConnectionState().NegotiatedProtocol; got != c.want || !strings.HasPrefix(strings.TrimSpace(string(b[:n])), strings.TrimSpace(c.want+" TLSv1.3")) {
			t.Errorf("%q: %q, and the upstream heard %q", c.offered, got, b[:n])
		}
		conn.Close()
	}
}

// A page must not make a browser talk to a database.
func TestBrowsersDoNotGetStreams(t *testing.T) {
	w := newWire(t, introduced)
	for _, offered := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}, {"http/1.0"}, {"http/1.1", "acme-tls/1"}, {"\x2a\x2a", "h2", "http/1.1", "h3", "spdy/3"}} {
		conn, err := w.dial(5432, "alone.landfall.test", offered...)
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("%q: %v, want the alert no_application_protocol", offered, err)
		}
	}
	w.stop()
	if s := w.Stats(); s.Browsers != 5 || s.Streams != 0 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
}

// One edge, one certificate, one port: what is HTTP stays HTTP.
func TestPagesAndStreamsShareAPort(t *testing.T) {
	s := newStage(t, nil)
	m := network(landfall.Active)
	m.Services = append(m.Services, landfall.Service{Host: "db.landfall.test", Kind: landfall.TCP, Upstream: "tcp://127.0.0.1:1"})
	s.SetMap(m)
	if res, body := get(t, s.client("chat.landfall.test", true), "chat.landfall.test", "/"); res.StatusCode != 200 {
		t.Errorf("%s %q", res.Status, body)
	}
	res, err := s.client("chat.landfall.test", true).Do(request(t, "db.landfall.test"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 421 {
		t.Errorf("a request for a service of kind tcp: %s", res.Status)
	}
}

// What did not end in order looks so to the client.
func TestStreamWithoutAnOriginIsReset(t *testing.T) {
	w := newWire(t, func(c net.Conn) {
		tunnel.ReadHeader(c)
		io.WriteString(c, "half")
		io.ReadFull(c, make([]byte, 4))
		tunnel.Abort(c)
	})
	read := func(name string) (string, error) {
		conn, err := w.dial(0, name)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, wrong := io.WriteString(conn, "data") // whoever looks first hears of the reset, alone
		b, err := io.ReadAll(conn)
		return string(b), errors.Join(wrong, err)
	}
	if b, err := read("down.landfall.test"); b != "" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an upstream that is down: %q, %v", b, err)
	}
	if _, err := read("db.landfall.test"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an upstream that broke: %v", err)
	}
	w.front.SetMap(&landfall.Map{})
	if b, err := read("db.landfall.test"); b != "" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a home that does not know the service: %q, %v", b, err)
	}
	w.dark()
	eventually(t, "home is dark", func() bool { return w.forward.Stats().SparesReady == 0 })
	if b, err := read("db.landfall.test"); b != "" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a dark home: %q, %v", b, err)
	}
	w.stop()
	if f := w.Stats().StreamFaults; f["origin"] != 2 || f["ours"] != 1 || f["mesh"] != 1 || f["client"] != 0 {
		t.Errorf("%v", f)
	}
}

func TestStopCutsStreamsAfterTheGrace(t *testing.T) {
	w := newWire(t, introduced)
	conn, err := w.dial(5432, "alone.landfall.test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.ReadFull(conn, make([]byte, 20))
	if s := w.Stats(); s.StreamsOpen != 1 || s.Connections != 1 {
		t.Errorf("before: %+v", s)
	}
	began := time.Now()
	w.stop()
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	if s := w.Stats(); s.StreamsOpen != 0 || s.Connections != 0 || s.StreamFaults["ours"] != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %+v", time.Since(began), s)
	}
	if c, err := net.Dial("tcp", w.at(5432)); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// A stream is a request under way: its address has a share of those.
func TestAddressHasAShareOfTheStreams(t *testing.T) {
	w := newWire(t, introduced)
	w.guests.mu.Lock()
	w.guests.limit = 10
	w.guests.mu.Unlock()
	for i := range 5 {
		conn, err := w.dial(0, "db.landfall.test")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, 20)); err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
	}
	if conn, err := w.dial(0, "db.landfall.test"); err == nil {
		conn.Close()
		t.Error("a sixth of ten for one address")
	}
	if s := w.Stats(); s.Turned != 1 || s.StreamsOpen != 5 {
		t.Errorf("%+v", s)
	}
}
