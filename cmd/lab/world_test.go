package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landfall/geodns/locate"
)

func TestWorldAnswers(t *testing.T) {
	ctx, l := open(t)
	world, sin := l.Host("world"), l.Host("sin1")
	registry, err := world.StartRegistry(ctx, map[string]string{
		"example.com":  "www 2 A 192.0.2.1\nwww 2 AAAA 2001:db8:1::1\nedge NS ns.edge\nns.edge A 198.51.100.7",
		"shop.example": "www CNAME www.example.com.",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*Host{"sin1": sin, "nyc1": l.Host("nyc1")} {
		if _, err := h.StartResolver(ctx, registry.Addr()); err != nil {
			t.Fatal(name, err)
		}
	}
	resolves := func(h *Host, name, want string) {
		t.Helper()
		// A resolver on a busy machine gives up now and then, as they do.
		err := registry.Until(ctx, name+" as "+want, func(ctx context.Context) error {
			got, err := h.Resolve(ctx, name)
			if said := fmt.Sprint(got, " ", err); !strings.Contains(said, want) {
				return errors.New(said)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	resolves(sin, "www.shop.example", "[2001:db8:1::1 192.0.2.1]")
	resolves(l.Host("nyc1"), "www.shop.example", "[192.0.2.1]") // it has no IPv6
	resolves(sin, "nothing.example.com", "NameError")
	if err := registry.Set(ctx, "example.com", "www 2 A 192.0.2.2"); err != nil {
		t.Fatal(err)
	}
	resolves(sin, "www.example.com", "[192.0.2.2]") // when it has forgotten the other
}

// The directory of the authority is reached from another continent, by the
// trust that each host has in it.
func TestAuthorityIsTrusted(t *testing.T) {
	ctx, l := open(t)
	pebble, err := PebbleBinary(ctx, "../../bench")
	if err != nil {
		t.Fatal(err)
	}
	registry, err := l.Host("world").StartRegistry(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Host("fra1").StartAuthority(ctx, pebble, registry.Addr())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Host("sin1").get(ctx, a.Directory)
	var directory struct{ NewOrder string }
	if err == nil {
		err = json.Unmarshal(b, &directory)
	}
	if err != nil || directory.NewOrder == "" {
		t.Errorf("directory %q, %v", b, err)
	}
	if out, err := l.Host("nyc1").Run(ctx, "curl", "-sS", a.Directory); err != nil || !strings.Contains(out, "newOrder") {
		t.Errorf("curl: %q, %v", out, err)
	}
	if bare, err := http.Get("https://192.0.2.1:14000/dir"); err == nil {
		bare.Body.Close()
		t.Error("the lab's network can be reached from outside")
	}
}

// A real browser trusts what its host trusts, and nothing else.
func TestBrowserLoadsAPage(t *testing.T) {
	ctx, l := open(t)
	fra, sin := l.Host("fra1"), l.Host("sin1")
	registry, err := l.Host("world").StartRegistry(ctx, map[string]string{"example.com": "www A 192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sin.StartResolver(ctx, registry.Addr()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, err := selfSigned(dir, netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := fra.Listen("tcp", netip.MustParseAddrPort("0.0.0.0:443"))
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<title>for %s</title>", r.Host)
	}), ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(ln, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")) }()
	t.Cleanup(func() { srv.Close(); <-done })
	wary, err := sin.StartBrowser(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wary.Open(ctx, "https://192.0.2.1/"); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Errorf("a page that nobody vouches for: %v", err)
	}
	if _, err := wary.Open(ctx, "https://www.example.com:444/"); err == nil || !strings.Contains(err.Error(), "ERR_CONNECTION_REFUSED") {
		t.Errorf("a port where nobody listens: %v", err)
	}
	wary.Kill()
	if err := l.Trust(cert); err != nil {
		t.Fatal(err)
	}
	b, err := sin.StartBrowser(ctx)
	if err != nil {
		t.Fatal(err)
	}
	took, err := b.Open(ctx, "https://192.0.2.1/")
	if title, said := b.Eval(ctx, "document.title"); err != nil || title != "for 192.0.2.1" || took < 480*time.Millisecond {
		t.Errorf("page %v after %v, %v, %v", title, took, err, said)
	}
	if _, err := b.Eval(ctx, "nonsense("); err == nil || !strings.Contains(err.Error(), "SyntaxError") {
		t.Errorf("nonsense: %v", err)
	}
}

func TestDatabaseKnowsTheHosts(t *testing.T) {
	l := &Lab{config: config("dir")}
	b, err := l.Database()
	if err != nil {
		t.Fatal(err)
	}
	table, err := locate.Load(locate.Data{Places: b}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.config.Hosts {
		for _, a := range s.Addresses {
			if got, _ := table.Locate(a); got.Place.Distance(l.config.Places[s.Place]) > 30 {
				t.Errorf("%s, %v: at %v", s.Name, a, got.Place)
			}
		}
	}
}
