package geodns

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"hash/maphash"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/geodns/cookie"
	"landfall/geodns/dnssec"
	"landfall/geodns/limit"
	"landfall/geodns/locate"
	"landfall/geodns/measure"
	"landfall/geodns/plan"
	"landfall/geodns/resolver"
	"landfall/geodns/tap"
	"landfall/geodns/traffic"
	"landfall/geodns/transfer"
	"landfall/geodns/tsig"
	"landfall/geodns/zone"
)

// Config is what a Server is made of.
type Config struct {
	// UDP and TCP are the sockets to answer on, at least one. Bind each to an
	// address of its own: answers from a socket on the wildcard address may
	// leave by another address than they were asked at. Run closes them.
	UDP []*net.UDPConn
	TCP []net.Listener
	// TLS and HTTPS are listeners for connections by TCP that are encrypted
	// (RFC 7858, RFC 8484). They need a Certificate, which is asked at each
	// connection. Run closes them.
	TLS, HTTPS  []net.Listener
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Secrets are the keys that secondaries sign messages with; nil: none.
	Secrets *tsig.Ring
	// Dial reaches a secondary by UDP, to tell it of a change; nil leaves by
	// whatever address the system chooses.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Version is the program's, for who asks by class CHAOS if the map wants
	// that answered.
	Version string
	// Atlas says where clients are. Without one nothing is known of any, and
	// all get the same answers.
	Atlas *locate.Table
	// Traffic counts queries for steered names by where their clients are; nil
	// counts none.
	Traffic *traffic.Counter
	// Resolvers learns who stands behind those who ask; nil learns nothing.
	Resolvers *resolver.Book
	// NSID is told to who asks which server answered (RFC 5001); empty tells
	// nobody.
	NSID string
	// Rate is how many answers of a kind (with records, without, errors) one
	// network, an IPv4 /24 or IPv6 /56, gets by UDP in a second, and as many
	// at once; see restrain for what becomes of more. Clients with a valid
	// cookie and those on TCP have no limit. 0 means DefaultRate, less than
	// 0 no limit.
	Rate int
	// CookieSecret makes the cookies (RFC 9018) of servers that answer at one
	// address valid at all of them, and after a restart. The zero secret
	// stands for one made at the start, for this server alone.
	CookieSecret [16]byte
	// Tap hears what is asked; nil hears nothing. It is run by whoever made it.
	Tap *tap.Tap
	// Log hears of what operators should know; nil discards it.
	Log *slog.Logger
}

// Server is a name server for the zone of a network map.
type Server struct {
	udp    []*net.UDPConn
	tcp    []net.Listener
	tls    []net.Listener
	https  []net.Listener
	nsid   []byte
	begun  time.Time    // what the limit counts time from
	limit  *limit.Table // nil: none
	secret atomic.Pointer[cookie.Secrets]
	tap    *tap.Tap // nil: nobody hears
	log    *slog.Logger
	count  counters
	conns  conns
	bodies bodies
	spare  atomic.Pointer[core] // for what comes by itself; nil while it is in use

	failing  seldom // a socket fails
	crowded  seldom // connections give way
	flooding seldom // answers are held back

	traffic   *traffic.Counter
	hearsay   *limit.Table // of what is counted on somebody's word, in grains
	resolvers *resolver.Book

	online     *online       // signatures for queries
	signatures *dnssec.Cache // those of steered names
	rekeyed    chan struct{} // has room for one: there are new keys
	expiring   seldom        // signatures of a KSK end soon

	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	version     string
	secrets     *tsig.Ring
	notifier    *transfer.Notifier
	handed      handed
	copied      atomic.Pointer[histories]

	current atomic.Pointer[snapshot]

	making sync.Mutex // held while a snapshot is made of in; before mu

	mu         sync.Mutex // guards what snapshots are made of
	in         inputs
	faults     []landfall.Fault
	challenges map[string][]string
	keys       []dnssec.Keys
	took       time.Duration // to make the last snapshot
	ledger     ledger
	applied    time.Time // when the map was
}

// New makes a Server. Until its first map it answers SERVFAIL.
func New(c Config) (*Server, error) {
	if len(c.UDP)+len(c.TCP)+len(c.TLS)+len(c.HTTPS) == 0 {
		return nil, errors.New("name server: no socket to answer on")
	}
	if len(c.TLS)+len(c.HTTPS) > 0 && c.Certificate == nil {
		return nil, errors.New("name server: no certificate to answer by TLS with")
	}
	if len(c.NSID) > 255 {
		return nil, errors.New("name server: the NSID is longer than 255 bytes")
	}
	s := &Server{
		udp: c.UDP, tcp: c.TCP, tls: c.TLS, https: c.HTTPS, nsid: []byte(c.NSID), log: c.Log,
		certificate: c.Certificate, version: c.Version, secrets: c.Secrets,
		notifier: transfer.NewNotifier(transfer.NotifierConfig{Keys: c.Secrets, Dial: c.Dial, Log: c.Log}),
		begun:    time.Now(), tap: c.Tap,
		hearsay: limit.New(grains, maphash.MakeSeed()),
		online:  newOnline(), signatures: dnssec.NewCache(rememberedSigs), rekeyed: make(chan struct{}, 1),
		traffic: c.Traffic, resolvers: c.Resolvers, in: inputs{Input: plan.Input{Atlas: c.Atlas}},
	}
	if c.Rate >= 0 {
		s.limit = limit.New(cmp.Or(c.Rate, DefaultRate), maphash.MakeSeed())
	}
	secret := cookie.Secret(c.CookieSecret)
	if secret == (cookie.Secret{}) {
		rand.Read(secret[:]) // never fails
	}
	s.SetCookies(cookie.Secrets{secret})
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.count.cores, s.count.asked = make([]figures, 1+len(s.udp)), make([]asked, 1+len(s.udp))
	return s, nil
}

// SetMap makes all answers from now on those of m. Records that cannot be
// served are logged and left out; a map without a usable domain changes
// nothing.
func (s *Server) SetMap(m *landfall.Map) {
	s.set(func(in *inputs) { s.rebuild(m) })
}

// SetCookies replaces the secrets that cookies are made by, the first, and
// known by. There is one at least.
func (s *Server) SetCookies(secrets cookie.Secrets) { s.secret.Store(&secrets) }

// SetChallenges replaces the TXT records that prove our hold of names to a
// certificate authority, by name (RFC 8555, 8.4). Nil says that there are
// none.
func (s *Server) SetChallenges(values map[string][]string) { s.inform(values, true) }

// SetChallengesUnknown says that nobody can tell which challenges there are,
// as is so until the first SetChallenges. Questions for them then get
// SERVFAIL: an authority asks again or elsewhere, where "no such name" would
// end its order.
func (s *Server) SetChallengesUnknown() { s.inform(nil, false) }

func (s *Server) inform(values map[string][]string, informed bool) {
	s.set(func(in *inputs) {
		s.challenges, in.informed = maps.Clone(values), informed
		if in.Map != nil {
			s.rebuild(in.Map)
		}
	})
}

// SetHealth replaces the set of nodes that are down. A node that is not in it
// is taken to be up.
func (s *Server) SetHealth(down map[landfall.NodeID]bool) {
	s.mu.Lock()
	if maps.Equal(s.in.Down, down) {
		s.mu.Unlock()
		return
	}
	s.in.Down = maps.Clone(down)
	s.in.replanned()
	s.mu.Unlock()
	if s.making.TryLock() {
		s.making.Unlock()
	} else {
		s.hasten() // a dead edge must not wait for a new database
	}
	s.publish()
}

// SetAtlas makes a say where clients are, as when a newer database has been
// read; nil knows nothing of any.
func (s *Server) SetAtlas(a *locate.Table) {
	s.set(func(in *inputs) {
		in.Atlas = a
		in.upset()
	})
}

// Learned is what is known of clients and their number.
type Learned struct {
	Measured  *measure.View  // round trips
	Resolvers *resolver.View // who stands behind resolvers
	Weights   *traffic.View  // where queries come from
	Demand    float64        // requests a second; 0 is unknown
	Epoch     uint64         // which draw of edges at one place is in force, see steer.SpreadEpochs
}

// SetLearned replaces what is known of clients.
func (s *Server) SetLearned(l Learned) {
	s.set(func(in *inputs) {
		if now := (Learned{in.Measured, in.Resolvers, in.Weights, l.Demand, in.Epoch}); l != now {
			in.Measured, in.Resolvers, in.Weights, in.Epoch = l.Measured, l.Resolvers, l.Weights, l.Epoch
			in.upset()
		}
		if in.Demand != l.Demand {
			in.Demand = l.Demand
			in.replanned()
		}
	})
}

// set changes inputs, and returns when answers go by them.
func (s *Server) set(change func(*inputs)) {
	s.mu.Lock()
	change(&s.in)
	s.mu.Unlock()
	s.publish()
}

// Plan is what steered names are answered by; nil before the first map.
func (s *Server) Plan() *plan.Plan {
	if now := s.current.Load(); now != nil {
		return now.plan
	}
	return nil
}

// Try is the plan that there would be with another map and another atlas, and
// all else as it is.
func (s *Server) Try(m *landfall.Map, a *locate.Table) *plan.Plan {
	s.mu.Lock()
	in := s.in.Input
	s.mu.Unlock()
	in.Map, in.Atlas = m, a
	return plan.Compile(in)
}

// rebuild makes the zone anew, with s.mu held.
func (s *Server) rebuild(m *landfall.Map) {
	z, faults := zone.Build(m, s.challenges)
	for _, f := range faults {
		if !slices.Contains(s.faults, f) {
			s.log.Warn("zone: left out", "serial", m.Serial, "err", f)
		}
	}
	s.faults = faults
	if z == nil {
		return
	}
	s.in.plain, s.in.zones, s.in.counted = z, z.Numbered(s.in.serials), s.ledger.enter(z)
	if m != s.in.Map {
		s.in.access = transfer.NewAccess(m.Secondaries)
		s.unarmed(m)
		s.in.Map, s.applied = m, time.Now()
		s.in.upset()
		return
	}
	s.in.changed()
}
