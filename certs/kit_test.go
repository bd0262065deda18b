package certs

import (
	"context"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"landfall"
)

// notary is an authority that can be told to refuse, and remembers.
type notary struct {
	name string
	own  *Authority

	mu      sync.Mutex
	refuse  map[string]error // by host
	revoke  error
	orders  [][]string
	revoked []string
}

func newNotary(a *Authority, name string) *notary {
	return &notary{name: name, own: a, refuse: map[string]error{}}
}

func (n *notary) Name() string { return n.name }

func (n *notary) Sign(ctx context.Context, csr *x509.CertificateRequest, hosts []string) ([]byte, error) {
	if err := n.admit(hosts); errors.Is(err, errHang) {
		<-ctx.Done()
		return nil, ctx.Err()
	} else if err != nil {
		return nil, err
	}
	return n.own.Sign(ctx, csr, hosts)
}

// errHang makes a notary never answer.
var errHang = errors.New("hang")

func (n *notary) admit(hosts []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.orders = append(n.orders, hosts)
	for _, h := range hosts {
		if err := n.refuse[h]; err != nil {
			return err
		}
	}
	return nil
}

func (n *notary) Revoke(_ context.Context, leaf *x509.Certificate) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.revoke == nil {
		n.revoked = append(n.revoked, leaf.SerialNumber.String())
	}
	return n.revoke
}

func (n *notary) set(host string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse[host] = err
}

func (n *notary) setRevoke(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.revoke = err
}

func (n *notary) ordered() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.orders)
}

func (n *notary) tookBack() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.revoked)
}

// wideAuthority signs for every name under "test".
func wideAuthority(t *testing.T) *Authority {
	t.Helper()
	a, err := OpenAuthority(openRoot(t, t.TempDir()), "test", "test")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// background runs a part until stop is called.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// runKeeper starts a keeper in a directory.
func runKeeper(t *testing.T, dir string, s Signer, m *landfall.Map) (*Keeper, func()) {
	t.Helper()
	k, err := NewKeeper(KeeperConfig{Dir: openRoot(t, dir), Signer: func(*landfall.Map) (Signer, error) { return s, nil }})
	if err != nil {
		t.Fatal(err)
	}
	k.SetMap(m)
	return k, background(t, k.Run)
}

func newSealing(t testing.TB) *SealingPrivate {
	t.Helper()
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	kem, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSealingPrivate(x, kem)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// home is a server that can be out of reach, over pipes.
type home struct {
	server *Server

	mu    sync.Mutex
	down  bool
	dials int
	conns []net.Conn
}

func newHome(t *testing.T, k *Keeper, m *landfall.Map) *home {
	t.Helper()
	s, err := NewServer(ServerConfig{Keeper: k, Caller: func(*http.Request) (landfall.NodeID, bool) { return "nyc1", true }})
	if err != nil {
		t.Fatal(err)
	}
	s.SetMap(m)
	h := &home{server: s}
	t.Cleanup(func() { h.set(true) })
	return h
}

// set takes home away or brings it back.
func (h *home) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
	for _, c := range h.conns {
		c.Close()
	}
	h.conns = nil
}

func (h *home) dialed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dials
}

func (h *home) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials++
	if h.down {
		return nil, errors.New("no path to fra1")
	}
	near, far := net.Pipe()
	h.conns = append(h.conns, near)
	l := &once{conn: make(chan net.Conn, 1)}
	l.conn <- far
	go http.Serve(l, h.server)
	return near, nil
}

// once is a listener with one connection.
type once struct{ conn chan net.Conn }

func (o *once) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	default:
		return nil, net.ErrClosed
	}
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// runSource starts an edge's source.
func runSource(t *testing.T, dir string, key *SealingPrivate, h *home, m *landfall.Map) (*Source, func()) {
	t.Helper()
	s, err := NewSource(SourceConfig{Dir: openRoot(t, dir), Network: "test", Self: "nyc1", Key: key, Dial: h.dial})
	if err != nil {
		t.Fatal(err)
	}
	s.SetMap(m)
	return s, background(t, s.Run)
}

// sealed is a map with the key of its edge and the authority that users trust.
func sealed(m *landfall.Map, key *SealingPrivate, a *Authority) *landfall.Map {
	m = m.Clone()
	for i := range m.Nodes {
		if m.Nodes[i].ID == "nyc1" {
			m.Nodes[i].Sealing = key.Public()
		}
	}
	m.Authority = a.PEM()
	m.Serial++
	return m
}

func trusting(m *landfall.Map, a *Authority) *landfall.Map {
	m = m.Clone()
	m.Authority = a.PEM()
	return m
}

func serial(t *testing.T, s *Source, host string) string {
	t.Helper()
	c, err := s.Certificate(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

// within waits for a channel in real time.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("no " + what)
	}
}
