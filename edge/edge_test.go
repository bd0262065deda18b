package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"landfall"
)

// authority makes certificates for tests.
type authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	var der []byte
	a.key, der = sign(t, template, template, nil)
	var err error
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.root)
	return a
}

func sign(t *testing.T, template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func (a *authority) leaf(t *testing.T, hosts ...string) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * time.Hour), DNSNames: hosts}
	key, der := sign(t, template, a.root, a.key)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// wallet is a Certificates by host.
type wallet map[string]*tls.Certificate

func (w wallet) Certificate(_ context.Context, host string) (*tls.Certificate, error) {
	if c, ok := w[host]; ok {
		return c, nil
	}
	return nil, errors.New("none")
}

// dialFunc is a Dialer.
type dialFunc func(context.Context, landfall.Target) (net.Conn, error)

func (f dialFunc) Dial(ctx context.Context, to landfall.Target) (net.Conn, error) { return f(ctx, to) }

// locator puts everybody into one place.
type locator landfall.Location

func (l locator) Locate(netip.Addr) (landfall.Location, netip.Prefix) {
	return landfall.Location(l), netip.Prefix{}
}

func network(state landfall.State) *landfall.Map {
	return &landfall.Map{
		Network: "test", Domain: "landfall.test", Serial: 7,
		Regions: []landfall.Region{{ID: "fra", Home: true}, {ID: "nyc"}},
		Nodes: []landfall.Node{
			{ID: "fra1", Region: "fra", Roles: []landfall.Role{landfall.RoleOrigin}},
			{ID: "nyc1", Region: "nyc", Roles: []landfall.Role{landfall.RoleEdge}, State: state},
		},
		Services: []landfall.Service{
			{Host: "chat.landfall.test", Upstream: landfall.UpstreamChat},
			{Host: "shop.landfall.test", Upstream: "http://127.0.0.1:3000"},
			{Host: "lone.landfall.test", Upstream: landfall.UpstreamChat},
		},
	}
}

// stage is an edge on loopback with its origin.
type stage struct {
	*Server
	t       *testing.T
	address string
	ca      *authority
	stop    func() time.Duration // ends Run and says how long that took
}

// newStage starts an edge. Chat and shop share one certificate, lone has its
// own. The origin says which service was asked for.
func newStage(t *testing.T, origin http.Handler) *stage {
	t.Helper()
	if origin == nil {
		origin = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, r.RequestURI) })
	}
	up := listen(t)
	back := &http.Server{Handler: origin}
	go back.Serve(up)
	t.Cleanup(func() { back.Close() })
	s := &stage{t: t, ca: newAuthority(t)}
	both, lone := s.ca.leaf(t, "chat.landfall.test", "shop.landfall.test"), s.ca.leaf(t, "lone.landfall.test")
	srv, err := New(Config{
		Self:         "nyc1",
		Certificates: wallet{"chat.landfall.test": both, "shop.landfall.test": both, "lone.landfall.test": lone},
		Dialer: dialFunc(func(ctx context.Context, _ landfall.Target) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", up.Addr().String())
		}),
		Locator: locator{Known: true, Continent: "NA", Country: "US"},
		Grace:   200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = srv
	srv.SetMap(network(landfall.Active))
	s.start()
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *stage) start() {
	l := listen(s.t)
	s.address = l.Addr().String()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	s.stop = sync.OnceValue(func() time.Duration {
		start := time.Now()
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
		return time.Since(start)
	})
	s.t.Cleanup(func() { s.stop() })
}

// tls is how a client trusts the stage's authority.
func (s *stage) tls(sni string, protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: s.ca.pool, ServerName: sni, NextProtos: protocols}
}

// client speaks HTTP/1.1 or HTTP/2 to the edge, with a given server name.
func (s *stage) client(sni string, h2 bool) *http.Client {
	tr := &http.Transport{TLSClientConfig: s.tls(sni), Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.address)
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func get(t *testing.T, c *http.Client, host, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}
