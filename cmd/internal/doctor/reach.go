package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"

	"github.com/miekg/dns"
)

// tryTime bounds each try, and maxTries how many there are of one node.
const (
	tryTime  = 4 * time.Second
	maxTries = 64
)

// Report is what one node could reach of another.
type Report struct {
	From  landfall.NodeID `json:"from"` // who tried
	To    landfall.NodeID `json:"to"`   // whose addresses
	Tries []Try           `json:"tries,omitempty"`
	Error string          `json:"error,omitempty"` // why there is nothing else in it
}

// Try is one address and port that was tried. What the one who tried was told
// there stays with him, in his log: it may be of anybody's making.
type Try struct {
	Network string             `json:"network"` // "tcp" or "udp"
	Addr    netip.AddrPort     `json:"addr"`
	What    string             `json:"what"`            // what should answer there: "http", "https", "dns", or the host of a service
	Fault   Fault              `json:"fault,omitempty"` // empty: it answered
	Took    admin.Milliseconds `json:"took_ms"`
}

// Fault is a kind of way in which a try fails.
type Fault string

// The faults.
const (
	Silent  Fault = "silent"  // nothing came back
	Refused Fault = "refused" // nobody listens there
	NoRoute Fault = "noroute" // who tried has no way there, such as no IPv6
	Wrong   Fault = "wrong"   // something answers, but not as it should
)

// known reports whether a fault is none or one of those above.
func (f Fault) known() bool {
	switch f {
	case "", Silent, Refused, NoRoute, Wrong:
		return true
	}
	return false
}

// ReachConfig says who tries whom.
type ReachConfig struct {
	Map      *landfall.Map
	From, To landfall.NodeID
	// Roots are who should have vouched for the edges' certificates; nil
	// means the system's.
	Roots *x509.CertPool
	// Log hears what failed tries were told; nil discards it.
	Log *slog.Logger
}

// Reach tries everything that users and resolvers need of a node, at the
// addresses and ports that the map gives, and at no others. It takes eight
// seconds at most.
func Reach(ctx context.Context, cfg ReachConfig) Report {
	r := Report{From: cfg.From, To: cfg.To}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	to, ok := cfg.Map.Node(cfg.To)
	if !ok || !to.Joined() {
		r.Error = fmt.Sprintf("the map of %s has no node %q that has joined", cfg.From, cfg.To)
	} else {
		r.Tries = tries(cfg.Map, to)
	}
	var trying sync.WaitGroup
	for i := range r.Tries {
		trying.Go(func() { r.Tries[i].run(ctx, cfg) })
	}
	trying.Wait()
	return r
}

// tries are what there is to try of a node.
func tries(m *landfall.Map, n landfall.Node) (out []Try) {
	for _, a := range n.Advertised {
		add := func(network, what string, port uint16) {
			t := Try{Network: network, Addr: netip.AddrPortFrom(a.Unmap(), port), What: what}
			if len(out) < maxTries {
				out = append(out, t)
			}
		}
		if n.Has(landfall.RoleEdge) {
			add("tcp", "http", m.Ports.EffectiveHTTP())
			add("tcp", "https", m.Ports.EffectiveHTTPS())
			for _, s := range m.Services {
				if s.Kind == landfall.TCP && s.Port != 0 && s.Port != m.Ports.EffectiveHTTPS() {
					add("tcp", s.Host, s.Port)
				}
			}
		}
		if n.Has(landfall.RoleDNS) {
			add("udp", "dns", m.Ports.EffectiveDNS())
			add("tcp", "dns", m.Ports.EffectiveDNS())
		}
	}
	return out
}

func (t *Try) run(ctx context.Context, cfg ReachConfig) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	start := time.Now()
	var err error
	switch t.What {
	case "dns":
		err = t.dns(ctx, cfg.Map.Domain)
	case "https":
		err = t.tls(ctx, firstWebHost(cfg.Map), cfg)
	case "http":
		err = t.connect(ctx)
	default:
		err = t.tls(ctx, t.What, cfg)
	}
	t.Took = admin.Milliseconds(time.Since(start))
	if err != nil {
		t.Fault = faultOf(err)
		cfg.Log.Debug("another node was tried, for its doctor", "node", cfg.To, "remote", t.Addr, "fault", t.Fault, "err", err)
	}
}

// firstWebHost is a host that every edge has a certificate for.
func firstWebHost(m *landfall.Map) string {
	for _, s := range m.Services {
		if s.Kind != landfall.TCP {
			return s.Host
		}
	}
	return ""
}

func (t *Try) connect(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, t.Network, t.Addr.String())
	if err == nil {
		c.Close()
	}
	return err
}

// tls tries a handshake as users of the host do; without a host it connects
// and no more.
func (t *Try) tls(ctx context.Context, host string, cfg ReachConfig) error {
	if host == "" {
		return t.connect(ctx)
	}
	d := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: cfg.Roots}}
	c, err := d.DialContext(ctx, t.Network, t.Addr.String())
	if err != nil {
		return err
	}
	return c.Close()
}

// errLame is what a name server that does not know our zone is.
var errLame = errors.New("it does not answer for the domain")

func (t *Try) dns(ctx context.Context, domain string) error {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(domain), dns.TypeSOA)
	m.RecursionDesired = false
	var r *dns.Msg
	var err error
	for range askTries {
		c := dns.Client{Net: t.Network, Timeout: askTime}
		if r, _, err = c.ExchangeContext(ctx, m, t.Addr.String()); err == nil {
			break
		}
	}
	if err == nil && (!r.Authoritative || len(owned[*dns.SOA](r.Answer, domain)) == 0) {
		err = fmt.Errorf("%w: %s", errLame, dns.RcodeToString[r.Rcode])
	}
	return err
}

// faultOf sorts the errors of tries.
func faultOf(err error) Fault {
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
		return NoRoute
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.EHOSTUNREACH), isNet && timeout.Timeout():
		return Silent
	}
	return Wrong
}
