package fleet

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const page = "https://" + App + "/"

// TestServers goes through the life of a network on real servers, in the
// order in which its operator would.
func TestServers(t *testing.T) {
	w := found(t)
	for _, step := range []struct {
		name string
		do   func(*world)
	}{
		{"users everywhere load the applications", (*world).users},
		{"edge killed", (*world).edgeKilled},
		{"node down at apply", (*world).nodeDownAtApply},
		{"home rebooted", (*world).homeRebooted},
		{"started from disk with home dark", (*world).homeDark},
	} {
		start := time.Now()
		if !t.Run(step.name, func(t *testing.T) {
			in := *w
			in.T = t
			step.do(&in)
		}) {
			t.FailNow()
		}
		t.Logf("%s: %v", step.name, time.Since(start))
	}
}

// users loads pages from each continent, each through the edge there.
func (w *world) users() {
	for i, u := range Users() {
		node := w.joined()[i]
		w.must2(w.Named(w.ctx, node, u))
		for _, host := range []string{App, "go." + Domain, Outside} {
			v, _, err := w.Served(w.ctx, u, "https://"+host+"/")
			w.must(err)
			if !strings.Contains(string(v.Body), "behind Landfall") {
				w.Errorf("%s loads %s: %.200s", u, host, v.Body)
			}
			if !slices.Contains(w.On(node).Addresses, v.Edge) {
				w.Errorf("%s loads %s from %v, not from %s", u, host, v.Edge, node)
			}
		}
	}
}

func (w *world) edgeKilled() {
	const user = "user-nyc"
	w.must2(w.Visit(w.ctx, user, page)) // the resolver has cached
	w.Running("nyc1").Kill()
	killed := time.Now()
	told, err := w.Unnamed(w.ctx, "nyc1", user, "nyc1")
	w.must(err)
	_, _, err = w.Served(w.ctx, user, page)
	w.must(err)
	w.Logf("resolvers told after %v, user served again after %v", told, time.Since(killed))
	if told > 5*time.Second {
		w.Errorf("resolvers were told after %v, want 5 s", told)
	}
}

func (w *world) nodeDownAtApply() {
	out, err := w.Apply(w.ctx, "[[record]]\nname = \"note.edge.example.com\"\ntype = \"TXT\"\ndata = '\"while nyc1 was down\"'\n")
	w.must(err)
	if !strings.Contains(out, "nyc1") {
		w.Errorf("map apply does not say who has yet to hear of it: %s", out)
	}
	w.must2(w.Start(w.ctx, "nyc1"))
	w.must2(w.Named(w.ctx, "nyc1", "user-nyc"))
	w.must(w.eventually(w.ctx, "nyc1 catching up", w.note("nyc1", "while nyc1 was down")))
}

// note checks that a node's name server tells of a note.
func (w *world) note(node, want string) func(context.Context) error {
	server := netip.AddrPortFrom(w.Host(node).Addresses[0], 53)
	return func(ctx context.Context) error {
		m, err := w.Host("user-nyc").Ask(ctx, server, "note."+Domain, dnsmessage.TypeTXT)
		if err != nil {
			return err
		}
		for _, r := range m.Answers {
			if txt, ok := r.Body.(*dnsmessage.TXTResource); ok && slices.Contains(txt.TXT, want) {
				return nil
			}
		}
		return fmt.Errorf("%s answers %v", node, m.Answers)
	}
}

// dark checks that the edge near a user says decently and soon that the home
// region cannot be reached.
func (w *world) dark(user, node string) {
	w.Helper()
	var v Visit
	var took time.Duration
	err := w.eventually(w.ctx, node+" saying that home is dark", func(ctx context.Context) (err error) {
		start := time.Now()
		v, err = w.Visit(ctx, user, page)
		if took = time.Since(start); err == nil && v.Status != http.StatusServiceUnavailable {
			err = fmt.Errorf("status %d: %.200s", v.Status, v.Body)
		}
		return err
	})
	w.must(err)
	if !slices.Contains(w.Host(node).Addresses, v.Edge) {
		w.Errorf("%s hears it from %v, not from %s", user, v.Edge, node)
	}
	if v.Header.Get("Retry-After") == "" || !strings.Contains(v.Header.Get("Content-Type"), "text/html") || v.Header.Get("X-Request-Id") == "" {
		w.Errorf("%s says it without manners: %v\n%s", node, v.Header, v.Body)
	}
	w.Logf("%s is told by %s after %v", user, node, took)
}

func (w *world) homeRebooted() {
	w.On(Home).Crash()
	w.dark("user-nyc", "nyc1")
	w.dark("user-sin", "sin1")
	w.must2(w.Unnamed(w.ctx, Home, "user-fra", Home))
	w.home()
}

// home starts the home server and its applications, and waits until users on
// all continents are served by their own edges.
func (w *world) home() {
	w.Helper()
	start := time.Now()
	w.must2(w.On(Home).StartResolver(w.ctx, w.Registry.Addr()))
	w.must(w.apps.Start(w.Fleet))
	w.must2(w.Start(w.ctx, Home))
	for _, u := range Users() {
		_, _, err := w.Served(w.ctx, u, page)
		w.must(err)
	}
	w.Logf("all users are served %v after home's start", time.Since(start))
	for i, n := range w.joined() {
		w.must2(w.Named(w.ctx, n, Users()[i]))
	}
}

func (w *world) homeDark() {
	for _, n := range w.joined() {
		w.On(n).Crash()
	}
	for _, s := range Joiners() {
		w.must2(w.On(s.Node).StartResolver(w.ctx, w.Registry.Addr()))
		w.must2(w.Start(w.ctx, s.Node))
	}
	w.dark("user-nyc", "nyc1")
	w.dark("user-sin", "sin1")
	w.home()
}
