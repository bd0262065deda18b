package forward

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

// Dialer opens byte streams to services of nodes.
type Dialer interface {
	Dial(ctx context.Context, to landfall.Target) (net.Conn, error)
}

// What Config means where it says nothing.
const (
	DefaultSpares        = 4
	DefaultHeaderTimeout = time.Minute
)

// KeepIdle is how long a connection that has carried a request is kept for
// the next one. Servers inside the mesh do best to wait longer than that, and
// to set no limit on the first request of a connection: spares are silent.
const KeepIdle = 5 * time.Minute

// ErrStopping is the cause (context.Cause) that ends requests which outlive
// the grace of a stop; what they lose is then counted as ours.
var ErrStopping = errors.New("this node is stopping")

// Config is what a Forwarder needs.
type Config struct {
	Self   landfall.NodeID // said in headers and in error answers
	Dialer Dialer
	Log    *slog.Logger // nil discards

	// Spares is how many connections wait, dialled, for each target and
	// class; 0 means DefaultSpares. More serve a larger burst from silence.
	Spares int
	// HeaderTimeout bounds the wait for the head of an answer, once the
	// request is sent; 0 means DefaultHeaderTimeout. What follows the head
	// may take for ever.
	HeaderTimeout time.Duration
	// Between is whose fault it is when a target cannot be reached; empty
	// means Mesh.
	Between Fault
}

// Hop is what the edge knows about a request.
type Hop struct {
	Targets  []landfall.Target // where it may go, best first
	Location landfall.Location // where the client is
	Goodbye  bool              // ask the client to open its next connection elsewhere
}

// Forwarder carries requests to targets.
type Forwarder struct {
	cfg   Config
	proxy proxy
	dials dials
	ended context.Context // over when Run is: dials do not outlive it
	end   context.CancelFunc

	mu      sync.Mutex // guards replacing links
	links   atomic.Pointer[map[landfall.Target]*link]
	changed chan struct{} // tells Run that links was replaced
}

// New checks the configuration.
func New(cfg Config) (*Forwarder, error) {
	if cfg.Dialer == nil {
		return nil, errors.New("forward: no Dialer")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Spares == 0 {
		cfg.Spares = DefaultSpares
	}
	if cfg.HeaderTimeout == 0 {
		cfg.HeaderTimeout = DefaultHeaderTimeout
	}
	f := &Forwarder{cfg: cfg, changed: make(chan struct{}, 1)}
	f.proxy.init(cfg.Self, cfg.Log, cmp.Or(cfg.Between, Mesh))
	f.ended, f.end = context.WithCancel(context.Background())
	f.links.Store(&map[landfall.Target]*link{})
	return f, nil
}

// SetTargets says which targets requests may name from now on. Connections
// to those that stay are kept.
func (f *Forwarder) SetTargets(targets []landfall.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, next := *f.links.Load(), make(map[landfall.Target]*link)
	for _, t := range targets {
		for _, class := range classes(t.Service) {
			t.Class = class
			if l, ok := old[t]; ok {
				next[t] = l
			} else {
				next[t] = newLink(f, t)
			}
		}
	}
	f.links.Store(&next)
	select {
	case f.changed <- struct{}{}:
	default: // Run has not yet seen the change before, and will see both
	}
}

// classes are those that a service is asked for in.
func classes(s landfall.MeshService) []landfall.Class {
	if s == landfall.MeshTCP {
		return []landfall.Class{landfall.Normal}
	}
	return []landfall.Class{landfall.Normal, landfall.Interactive}
}

// Run keeps spare connections to all targets until ctx ends. Requests should
// have ended by then: what they are still dialling is given up.
func (f *Forwarder) Run(ctx context.Context) error {
	var keepers sync.WaitGroup
	running := make(map[*link]context.CancelFunc)
	for ctx.Err() == nil {
		wanted := make(map[*link]bool)
		for l := range maps.Values(*f.links.Load()) {
			wanted[l] = true
			if running[l] == nil {
				life, stop := context.WithCancel(ctx)
				running[l] = stop
				keepers.Go(func() { l.pulse(life) })
				for range f.cfg.Spares {
					keepers.Go(func() { l.keep(life) })
				}
			}
		}
		for l, stop := range running {
			if !wanted[l] {
				stop()
				l.carry.CloseIdleConnections()
				delete(running, l)
			}
		}
		select {
		case <-f.changed:
		case <-ctx.Done():
		}
	}
	f.end()
	keepers.Wait()
	for l, stop := range running {
		stop()
		l.carry.CloseIdleConnections()
	}
	return nil
}

// Serve carries one request to the first of the hop's targets that can be
// reached, and the answer back.
func (f *Forwarder) Serve(w http.ResponseWriter, r *http.Request, hop Hop) {
	r = plain(r)
	x := &exchange{proxy: &f.proxy, id: RequestID(r.Header), goodbye: hop.Goodbye, edge: true}
	client, _ := ClientAddr(r.RemoteAddr)
	x.rewrite = func(p *httputil.ProxyRequest) {
		describe(p, x.id, f.cfg.Self, client, hop.Location)
	}
	class := classOf(r.Header)
	x.carry = func(out *http.Request) (*http.Response, error) {
		return f.roundTrip(out, hop.Targets, class)
	}
	x.serve(w, r)
}

// Open connects to the first of the targets that can be reached, on a spare
// connection where one waits. It is for what is no HTTP. Until heard is
// called, because the target has said something or the connection is over, it
// is closed when the path to the target is found to be gone.
func (f *Forwarder) Open(ctx context.Context, targets []landfall.Target) (c net.Conn, heard func(), err error) {
	err = &dialError{"home", errNoTarget}
	for _, l := range f.order(targets, landfall.Normal) {
		if c, err = l.connect(ctx, "", ""); err == nil {
			return c, l.waiting.add(func(error) { c.Close() }), nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, nil, err
}

// Unreachable says since when none of the targets could be dialled. A target
// nobody has tried yet counts as reachable.
func (f *Forwarder) Unreachable(targets []landfall.Target) (since time.Time, yes bool) {
	links := *f.links.Load()
	for _, t := range targets {
		t.Class = landfall.Normal
		l, ok := links[t]
		if !ok {
			continue
		}
		down, is := l.down()
		if !is {
			return time.Time{}, false
		}
		if since.IsZero() || down.After(since) {
			since = down
		}
	}
	return since, true
}

// ClientAddr is the address in an http.Request's RemoteAddr: an IPv4 one as
// itself, and without a zone.
func ClientAddr(remote string) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(remote)
	return ap.Addr().Unmap().WithZone(""), err == nil
}
