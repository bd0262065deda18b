package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/edge/forward"
	"landfall/edge/room"
	"landfall/edge/route"
)

// Dialer opens byte streams to services of nodes; the mesh is one.
type Dialer = forward.Dialer

// Certificates finds the certificate to show to clients that ask for a host,
// given in lower case without a final dot. An error ends their handshake.
type Certificates interface {
	Certificate(ctx context.Context, host string) (*tls.Certificate, error)
}

// Locator says where an address is, and for which addresses around it that
// holds too.
type Locator interface {
	Locate(addr netip.Addr) (landfall.Location, netip.Prefix)
}

// Handover takes over connections whose hello offers a protocol that is not
// the edge's own (RFC 7301), whatever host it names.
type Handover struct {
	// TLS is what such handshakes are answered with: it brings a certificate.
	// The protocol is added, and session tickets are not offered.
	TLS *tls.Config
	// Serve owns the connection, whose handshake is over, until it returns;
	// then it is closed. It is cut when ctx ends: see Config.Grace.
	Serve func(ctx context.Context, c *tls.Conn)
}

// DefaultGrace is how long requests may still take when the edge stops.
const DefaultGrace = time.Second

// DefaultConnections is a quarter of the descriptors that the process may have
// open, for each client may cost one for an upstream as well; one for 128 KiB
// of memory; and 32768 at most. See package room.
func DefaultConnections() int { return room.Here().Clients }

// Config is what a Server needs.
type Config struct {
	Self         landfall.NodeID
	Certificates Certificates
	Dialer       Dialer
	Locator      Locator      // nil: origins are not told where clients are
	Log          *slog.Logger // nil discards

	// Protocols are taken over on the port of HTTPS, by their name in ALPN. They
	// need neither a map nor Certificates.
	Protocols map[string]Handover
	// Listen opens a port of its own for services of kind tcp, when a map asks
	// for it; nil: such services are not served. It is called by one goroutine
	// of Run, which closes what it returns.
	Listen func(port uint16) ([]net.Listener, error)

	// Grace is how long requests in flight may still take once the context of
	// Run has ended; 0 means DefaultGrace. Streams that last longer are cut.
	Grace time.Duration
	// Connections is how many connections clients may have open, and how many
	// requests may be under way; 0 means DefaultConnections(). Every
	// connection costs a descriptor and some 50 KiB; with HTTP/2, 30 KiB while
	// it is idle.
	Connections int
	// Spares is how many connections to each target wait for a request; 0
	// means forward.DefaultSpares.
	Spares int
	// HeaderTimeout bounds the wait for the head of an origin's answer; 0
	// means forward.DefaultHeaderTimeout.
	HeaderTimeout time.Duration
	// Between is whose fault it is when an origin cannot be reached; empty
	// means forward.Mesh.
	Between forward.Fault
}

// Server is one edge.
type Server struct {
	cfg     Config
	log     *slog.Logger // names this node
	forward *forward.Forwarder
	hands   map[string]*handover // by protocol
	guests  guests
	gate    gate
	tally   tally
	streams streams
	bare    room.Seldom                       // handshakes for hosts without a certificate
	broken  room.Seldom                       // streams that failed, not by their clients
	ports   atomic.Pointer[map[string]uint64] // of services of kind tcp: 1 open, 0 not
	look    chan struct{}                     // tells keepPorts that the map is another

	mu   sync.Mutex // guards replacing view
	view atomic.Pointer[view]
}

// New checks the configuration. Until the first SetMap the server refuses
// every handshake.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Self == "":
		return nil, errors.New("edge: no name for this node")
	case cfg.Certificates == nil:
		return nil, errors.New("edge: no Certificates")
	case cfg.Dialer == nil:
		return nil, errors.New("edge: no Dialer")
	case cfg.Connections < 0:
		return nil, fmt.Errorf("edge: %d connections (want a positive number, or 0 for the default)", cfg.Connections)
	}
	hands, err := handovers(cfg.Protocols)
	if err != nil {
		return nil, err
	}
	cfg.fill()
	fwd, err := forward.New(forward.Config{
		Self:          cfg.Self,
		Dialer:        cfg.Dialer,
		Log:           cfg.Log,
		Spares:        cfg.Spares,
		HeaderTimeout: cfg.HeaderTimeout,
		Between:       cfg.Between,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log.With("node", cfg.Self), forward: fwd, hands: hands, look: make(chan struct{}, 1)}
	s.ports.Store(&map[string]uint64{})
	s.guests.init(cfg.Connections)
	s.view.Store(newView(&landfall.Map{}, cfg.Self, nil, time.Time{}))
	return s, nil
}

// fill puts the defaults in.
func (c *Config) fill() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	if c.Connections == 0 {
		c.Connections = DefaultConnections()
	}
	c.Between = cmp.Or(c.Between, forward.Mesh)
}

// SetMap replaces the network that the edge serves. Requests under way keep
// the routes they have.
func (s *Server) SetMap(m *landfall.Map) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := newView(m, s.cfg.Self, s.view.Load(), time.Now())
	s.forward.SetTargets(next.targets)
	s.view.Store(next)
	s.lookAgain()
}

// view is all that the edge knows at one moment.
type view struct {
	serial   landfall.Serial
	table    *route.Table
	targets  []landfall.Target
	outside  map[netip.Addr]netip.Addr // by the address that is bound, where the two differ
	draining time.Time                 // since when the map drains this node; zero: it does not
	ttl      time.Duration             // how long resolvers may still send clients here
}

func newView(m *landfall.Map, self landfall.NodeID, before *view, now time.Time) *view {
	v := &view{serial: m.Serial, table: route.New(m), ttl: m.Steering.EffectiveTTL()}
	v.targets = v.table.Targets()
	n, _ := m.Node(self)
	v.outside = outside(n)
	if n.EffectiveState() == landfall.Draining {
		v.draining = now
		if before != nil && !before.draining.IsZero() {
			v.draining = before.draining
		}
	}
	return v
}

// goodbye reports whether clients should be asked to come back elsewhere: no
// resolver may then still hold an answer that names this node.
func (v *view) goodbye(now time.Time) bool {
	return !v.draining.IsZero() && now.Sub(v.draining) >= v.ttl
}
