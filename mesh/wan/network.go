package wan

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Network is a set of sites and the links between them. Sites without a link
// between them, and addresses of no site, are reached at once.
type Network struct {
	seed  uint64
	stats counters

	mu       sync.RWMutex
	paths    map[way]*path
	sites    map[netip.AddrPort]Site
	prefixes []placed            // the longest first
	open     map[closer]struct{} // what Close has to end; nil once closed
}

// placed is where all addresses of a prefix are.
type placed struct {
	prefix netip.Prefix
	site   Site
}

type way struct{ from, to Site }

// closer is a front's end: abort must not wait for anything far away.
type closer interface{ abort() }

// New returns a network without links. The same seed gives the packets of
// each link the same fates.
func New(seed uint64) *Network {
	return &Network{
		seed:  seed,
		paths: map[way]*path{},
		sites: map[netip.AddrPort]Site{},
		open:  map[closer]struct{}{},
	}
}

// Connect makes the link between two sites the same in both directions.
func (n *Network) Connect(a, b Site, l Link) error {
	if err := n.SetLink(a, b, l); err != nil {
		return err
	}
	return n.SetLink(b, a, l)
}

// SetLink sets one direction of a link, also while it is in use. What is on
// its way already arrives as it would have; what Schedule has in force on the
// link stays in force.
func (n *Network) SetLink(from, to Site, l Link) error {
	if err := l.Check(); err != nil {
		return fmt.Errorf("link %s -> %s: %w", from, to, err)
	}
	n.path(from, to).set(func(Link) Link { return l })
	return nil
}

// Cut takes the link between two sites down, in both directions.
func (n *Network) Cut(a, b Site) { n.setDown(a, b, true) }

// Heal brings the link back after Cut. It does not end a cut of Schedule.
func (n *Network) Heal(a, b Site) { n.setDown(a, b, false) }

func (n *Network) setDown(a, b Site, down bool) {
	set := func(l Link) Link { l.Down = down; return l }
	n.path(a, b).set(set)
	n.path(b, a).set(set)
}

// Schedule has links change by themselves, at times counted from start. It
// adds to what was scheduled before and refuses all or nothing.
func (n *Network) Schedule(start time.Time, events ...Event) error {
	for _, e := range events {
		if err := e.Check(); err != nil {
			return fmt.Errorf("event at %v, %s - %s: %w", e.At, e.From, e.To, err)
		}
	}
	for _, e := range events {
		s := e.spell(start)
		n.path(e.From, e.To).plan(s)
		if !e.OneWay {
			n.path(e.To, e.From).plan(s)
		}
	}
	return nil
}

// SetSite says where an address is; port 0 stands for all its ports.
func (n *Network) SetSite(addr netip.AddrPort, s Site) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sites[unmap(addr)] = s
}

// SetPrefix says where all addresses of a prefix are, as far as neither
// SetSite nor a longer prefix says otherwise.
func (n *Network) SetPrefix(p netip.Prefix, s Site) {
	p = p.Masked()
	n.mu.Lock()
	defer n.mu.Unlock()
	i, found := slices.BinarySearchFunc(n.prefixes, p, func(e placed, p netip.Prefix) int {
		return cmp.Or(p.Bits()-e.prefix.Bits(), e.prefix.Addr().Compare(p.Addr()))
	})
	if !found {
		n.prefixes = slices.Insert(n.prefixes, i, placed{prefix: p})
	}
	n.prefixes[i].site = s
}

// dropSite forgets where an address is.
func (n *Network) dropSite(addr netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.sites, addr)
}

// site is where an address is.
func (n *Network) site(addr netip.AddrPort) (Site, bool) {
	addr = unmap(addr)
	n.mu.RLock()
	defer n.mu.RUnlock()
	if s, ok := n.sites[addr]; ok {
		return s, true
	}
	if s, ok := n.sites[netip.AddrPortFrom(addr.Addr(), 0)]; ok {
		return s, true
	}
	i := slices.IndexFunc(n.prefixes, func(e placed) bool { return e.prefix.Contains(addr.Addr()) })
	if i < 0 {
		return "", false
	}
	return n.prefixes[i].site, true
}

// siteOf is where a dialled address is. A host that is a name, not an
// address, is the site of that name.
func (n *Network) siteOf(address string) Site {
	if addr, err := netip.ParseAddrPort(address); err == nil {
		s, _ := n.site(addr)
		return s
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return Site(host)
}

// path is the way between two sites, made when first asked for.
func (n *Network) path(from, to Site) *path {
	w := way{from, to}
	n.mu.RLock()
	p := n.paths[w]
	n.mu.RUnlock()
	if p != nil {
		return p
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if p = n.paths[w]; p == nil {
		p = &path{wire: wire{seed: mix(n.seed) ^ hash64(string(from), string(to))}, changed: make(chan struct{})}
		n.paths[w] = p
	}
	return p
}

// adopt makes c one of those that Close ends; it refuses once closed.
func (n *Network) adopt(c closer) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open == nil {
		return fmt.Errorf("wide-area network: %w", net.ErrClosed)
	}
	n.open[c] = struct{}{}
	return nil
}

// release is told by what has ended by itself.
func (n *Network) release(c closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, c)
}

// Close ends every conn made by this network, at once and whatever is still
// under way, and returns when their goroutines have ended.
func (n *Network) Close() error {
	n.mu.Lock()
	open := n.open
	n.open = nil
	n.mu.Unlock()
	for c := range open {
		c.abort()
	}
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func hash64(a, b string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", a, b)
	return h.Sum64()
}
