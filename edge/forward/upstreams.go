package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"

	"landfall"
	"landfall/edge/room"
)

// UpstreamsConfig is what an Upstreams needs.
type UpstreamsConfig struct {
	Self landfall.NodeID
	Log  *slog.Logger // nil discards
	// Dial reaches the hosts of the upstream URLs; nil means net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Connections is how many to upstreams may be open; 0 means room.Plan's.
	// No upstream may have more of them than are still free.
	Connections int
}

// Upstreams is the home region's end of landfall.MeshHTTP: it hands requests
// that edges forwarded to the upstream URL of the service whose host they
// name. It trusts what the edges say about clients: only the mesh may reach
// it.
type Upstreams struct {
	proxy  proxy
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	places room.Shares[string] // connections, by address
	carry  *http.Transport
	urls   atomic.Pointer[map[string]*url.URL]
}

// NewUpstreams checks the configuration.
func NewUpstreams(cfg UpstreamsConfig) (*Upstreams, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Connections < 0 {
		return nil, fmt.Errorf("forward: %d connections to upstreams (want a positive number, or 0 for the default)", cfg.Connections)
	}
	u := &Upstreams{dial: cfg.Dial, carry: newTransport(DefaultHeaderTimeout)}
	u.places.All = cmp.Or(cfg.Connections, room.Here().Upstreams)
	u.carry.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) { return u.connect(ctx, address, false) }
	u.carry.DialTLSContext = func(ctx context.Context, _, address string) (net.Conn, error) { return u.connect(ctx, address, true) }
	u.proxy.init(cfg.Self, cfg.Log, Origin)
	u.urls.Store(&map[string]*url.URL{})
	return u, nil
}

// connect reaches an upstream, with TLS if its URL asks for that.
func (u *Upstreams) connect(ctx context.Context, address string, encrypted bool) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := u.place(ctx, address)
	if err == nil && encrypted {
		host, _, _ := net.SplitHostPort(address) // the transport has joined them
		c, err = secure(ctx, c, host)
	}
	if err != nil {
		return nil, &dialError{address, err}
	}
	return &wary{Conn: c}, nil
}

// errFull says that there is no room for a connection to an upstream.
var errFull = errors.New("the upstream has its share of the connections to upstreams that this server may open")

// place dials an upstream, if it has not got its share of what is open.
// Connections that wait for another request make room.
func (u *Upstreams) place(ctx context.Context, address string) (net.Conn, error) {
	if !u.places.Take(address) {
		u.carry.CloseIdleConnections()
		if !u.places.Take(address) {
			return nil, errFull
		}
	}
	give := func() { u.places.Give(address) }
	c, err := u.dial(ctx, "tcp", address)
	if err != nil {
		give()
		return nil, err
	}
	return room.Hold(c, give), nil
}

// SetMap takes the upstreams from a map. Those that are no URL are left out;
// landfall.Map.Check says which.
func (u *Upstreams) SetMap(m *landfall.Map) {
	urls := make(map[string]*url.URL)
	for _, s := range m.Services {
		if s.Kind == landfall.TCP || s.Upstream == landfall.UpstreamChat {
			continue
		}
		if to, err := url.Parse(s.Upstream); err == nil && to.Host != "" {
			urls[s.Host] = to
		}
	}
	u.urls.Store(&urls)
}

// Run waits until ctx ends and then closes the connections that are idle.
// Requests are ended by the server that handed them in.
func (u *Upstreams) Run(ctx context.Context) error {
	<-ctx.Done()
	u.carry.CloseIdleConnections()
	return nil
}

// ServeHTTP implements http.Handler.
func (u *Upstreams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, ok := (*u.urls.Load())[landfall.CanonicalHost(r.Host)]
	if !ok {
		u.proxy.tally.requests.Add(1)
		u.proxy.tally.status(http.StatusMisdirectedRequest)
		say := fmt.Sprintf("Node %s has no upstream for this host.", u.proxy.self)
		Answer{Status: http.StatusMisdirectedRequest, Say: say, Fault: Ours, Node: u.proxy.self, ID: r.Header.Get(headerID)}.WriteTo(w, r)
		return
	}
	x := &exchange{proxy: &u.proxy, id: r.Header.Get(headerID), carry: u.roundTrip, service: landfall.CanonicalHost(r.Host), upstream: to.String()}
	x.rewrite = func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host // the application knows itself by its public name
		for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			if v, ok := p.In.Header[name]; ok {
				p.Out.Header[name] = v
			}
		}
		keepAsSent(p, u.proxy.self)
	}
	x.serve(w, r)
}

// roundTrip sends a request once more where that does no harm.
func (u *Upstreams) roundTrip(out *http.Request) (*http.Response, error) {
	res, err := u.carry.RoundTrip(out)
	_, unsent := errors.AsType[*dialError](err)
	_, garbled := errors.AsType[*foreignError](err)
	if err == nil || unsent || garbled || !replayable(out) || timedOut(err) || out.Context().Err() != nil {
		return res, err
	}
	u.proxy.tally.retries.Add(1)
	return u.carry.RoundTrip(out.Clone(out.Context())) // the failed attempt may still be looking at the old one
}

// Stats returns the counts so far.
func (u *Upstreams) Stats() Stats { return u.proxy.tally.stats() }
