package fleet

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"landfall"
)

// often is how often something is looked at that is waited for.
const often = 50 * time.Millisecond

// Visit is one try to load a page.
type Visit struct {
	Edge   netip.Addr // that answered, if one did
	Status int
	Body   []byte // its first megabyte
	Header http.Header
}

// Visit loads a page as a user: a new connection, by name.
func (f *Fleet) Visit(ctx context.Context, user, url string) (Visit, error) {
	client, err := f.Host(user).HTTPClient()
	if err != nil {
		return Visit{}, err
	}
	return visit(ctx, client, url)
}

// VisitFirst is Visit for a user whose program knows the first address of an
// answer only.
func (f *Fleet) VisitFirst(ctx context.Context, user, url string) (Visit, error) {
	h := f.Host(user)
	client, err := h.HTTPClient()
	if err != nil {
		return Visit{}, err
	}
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		name, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addrs, err := h.Resolve(ctx, name)
		if err != nil {
			return nil, err
		}
		return h.Dial(ctx, network, netip.AddrPortFrom(addrs[0], 443))
	}
	return visit(ctx, client, url)
}

func visit(ctx context.Context, client *http.Client, url string) (v Visit, err error) {
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		v.Edge = c.Conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	req.Header.Set("Accept", "text/html")
	resp, err := client.Do(req)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	v.Status, v.Header = resp.StatusCode, resp.Header
	v.Body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return v, err
}

// Served waits until a user's visit is a success, and returns it and how long
// that took.
func (f *Fleet) Served(ctx context.Context, user, url string) (v Visit, took time.Duration, err error) {
	start := time.Now()
	err = f.eventually(ctx, fmt.Sprintf("%s served %s", user, url), func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if v, err = f.Visit(ctx, user, url); err == nil && v.Status != http.StatusOK {
			err = fmt.Errorf("status %d: %.200s", v.Status, v.Body)
		}
		return err
	})
	return v, time.Since(start), err
}

// Knows waits until a user's resolver knows some number of addresses of the
// application's, of one family.
func (f *Fleet) Knows(ctx context.Context, user string, addrs int) error {
	return f.eventually(ctx, fmt.Sprintf("%s knowing %d addresses", user, addrs), func(ctx context.Context) error {
		m, err := f.Host(user).Ask(ctx, netip.MustParseAddrPort("127.0.0.1:53"), App, dnsmessage.TypeA)
		if err == nil && len(m.Answers) != addrs {
			err = fmt.Errorf("it knows %d", len(m.Answers))
		}
		return err
	})
}

// Healed returns when a user is served who tries the first address of an
// answer only. He tries again and again, without waiting for earlier tries:
// one to an address that is silent ends by itself.
func (f *Fleet) Healed(ctx context.Context, user, url string) error {
	trying, cancel := context.WithCancel(ctx)
	defer cancel()
	var tries sync.WaitGroup
	defer tries.Wait()
	served := make(chan struct{}, 1)
	tick := time.NewTicker(2 * often)
	defer tick.Stop()
	for {
		tries.Go(func() {
			if v, err := f.VisitFirst(trying, user, url); err == nil && v.Status == http.StatusOK {
				select {
				case served <- struct{}{}:
				default:
				}
				cancel()
			}
		})
		select {
		case <-served:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to be served: %w", user, ctx.Err())
		}
	}
}

// Named waits until all name servers but some name a node to a user's
// resolver, and returns how long that took.
func (f *Fleet) Named(ctx context.Context, node landfall.NodeID, user string, but ...landfall.NodeID) (time.Duration, error) {
	return f.naming(ctx, node, user, true, but)
}

// Unnamed waits until no name server but some names a node to a user's
// resolver any more, and returns how long that took.
func (f *Fleet) Unnamed(ctx context.Context, node landfall.NodeID, user string, but ...landfall.NodeID) (time.Duration, error) {
	return f.naming(ctx, node, user, false, but)
}

func (f *Fleet) naming(ctx context.Context, node landfall.NodeID, user string, want bool, but []landfall.NodeID) (time.Duration, error) {
	start := time.Now()
	for _, server := range f.joined() {
		if slices.Contains(but, server) {
			continue
		}
		what := fmt.Sprintf("%s naming %s: %v", server, node, want)
		if err := f.eventually(ctx, what, func(ctx context.Context) error {
			names, err := f.names(ctx, server, node, user)
			if err == nil && names != want {
				err = fmt.Errorf("names it: %v", names)
			}
			return err
		}); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// names asks a name server for the application, as a user's resolver does,
// and tells whether the answer holds an address of a node.
func (f *Fleet) names(ctx context.Context, server, node landfall.NodeID, user string) (bool, error) {
	m, err := f.Host(user).Ask(ctx, netip.AddrPortFrom(f.On(server).Addresses[0], 53), App, dnsmessage.TypeA)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(m.Answers, func(r dnsmessage.Resource) bool {
		a, ok := r.Body.(*dnsmessage.AResource)
		return ok && netip.AddrFrom4(a.A) == f.On(node).Addresses[0]
	}), nil
}

// eventually tries something until it works.
func (f *Fleet) eventually(ctx context.Context, what string, try func(context.Context) error) error {
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w, last: %w", what, ctx.Err(), err)
		}
	}
}
