package wg

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/device"

	"landfall"
	"landfall/mesh/fragment"
	"landfall/mesh/path"
	"landfall/mesh/relay"
)

// idleAfter is how long a pair is active after its last data.
const idleAfter = 10 * time.Second

// sureAfter is how long a pair must have been active, and its primary the same,
// before what it carries is taken for the truth.
const sureAfter = 3 * time.Second

// What ways are taken to carry, as UDP payload.
const (
	leastMTU  = 1200 // whose route does not say
	narrowMTU = 900  // whose first hop has just refused less than it should carry
)

// partsLabel is what keys of fragments are derived for.
const partsLabel = "landfall fragment v2"

// peer is one as WireGuard sees it: who, never where. It implements
// conn.Endpoint.
type peer struct {
	Peer
	number uint32 // short for the name, in tags; never 0, never used again

	wg       atomic.Pointer[device.Peer] // the same, for WireGuard
	route    atomic.Pointer[path.Route]  // never nil
	lastData atomic.Int64                // nanoseconds since 1970; 0 is never
	begun    atomic.Int64                // when a handshake was last begun, likewise
	woken    atomic.Int64                // when the pair was last idle
	widened  atomic.Int64                // when the primary or its MTU last changed
	traffic  traffic
	memory   memory
	spare    allowance // of duplicates
	flow     flow
	relayed  relayed

	partsTo, partsFrom fragment.Key // of fragments to and from it
}

func (p *peer) ClearSrc()           {}
func (p *peer) SrcToString() string { return "" }
func (p *peer) SrcIP() netip.Addr   { return netip.Addr{} }
func (p *peer) DstIP() netip.Addr   { return p.Addr }
func (p *peer) DstToString() string { return string(p.Node) }

func (p *peer) DstToBytes() []byte {
	b, _ := p.Addr.MarshalBinary() // never fails
	return b
}

// straight is the direct way to the peer, and what it carries.
func (p *peer) straight() (to netip.AddrPort, mtu int) {
	r := p.route.Load()
	switch {
	case r.Direct.IsValid():
		return r.Direct, r.DirectMTU
	case r.Primary.Addr.IsValid():
		return r.Primary.Addr, r.MTU
	case r.Backup.Addr.IsValid():
		return r.Backup.Addr, r.BackupMTU
	}
	return netip.AddrPort{}, 0
}

// fits is how long a packet to the peer may be whose datagram needs no
// fragments; 0 where that is no bound, as most is the MTU inside, or not yet
// known for sure. WireGuard pads to 16 bytes, but not beyond the MTU.
//
// Widths are searched for while a pair is active, and until then taken to be
// less than they mostly are. Kernels remember for ten minutes what they are
// told, and connections for ever: fragments for a moment cost less.
func (p *peer) fits(most int, now time.Time) int {
	room := p.route.Load().MTU - overhead
	if room <= 0 || room >= most {
		return 0
	}
	if since := max(p.woken.Load(), p.widened.Load()); now.UnixNano()-since < int64(sureAfter) {
		return 0
	}
	return room &^ 15
}

// touch notes data to or from the peer, and reports whether the pair was idle
// before.
func (p *peer) touch(now time.Time) (woken bool) {
	n := now.UnixNano()
	if n-p.lastData.Swap(n) <= int64(idleAfter) {
		return false
	}
	p.woken.Store(n)
	return true
}

// directory finds peers.
type directory struct {
	mu     sync.RWMutex
	last   uint32
	byID   map[landfall.NodeID]*peer
	byKey  map[landfall.PublicKey]*peer
	byAddr map[netip.Addr]*peer
	byName map[relay.Name]*peer
	byHop  map[relay.ID]*peer
	number map[uint32]*peer
	known  map[netip.AddrPort][]*peer // by the addresses in their routes, once for each

	remembered atomic.Int64 // blocks of all memories
}

func newDirectory() *directory {
	return &directory{
		byID: map[landfall.NodeID]*peer{}, byKey: map[landfall.PublicKey]*peer{},
		byAddr: map[netip.Addr]*peer{}, byName: map[relay.Name]*peer{},
		byHop: map[relay.ID]*peer{}, number: map[uint32]*peer{}, known: map[netip.AddrPort][]*peer{},
	}
}

// add makes a peer known. Nothing about it may be another's.
func (d *directory) add(c Peer) (*peer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first, second := c.Relay.From(relay.First), c.Relay.From(relay.Second)
	if d.byID[c.Node] != nil || d.byKey[c.Key] != nil || d.byAddr[c.Addr] != nil || d.byName[c.Name] != nil ||
		d.byHop[first] != nil || d.byHop[second] != nil {
		return nil, fmt.Errorf("add peer %s: its name, key or address is a peer's already", c.Node)
	}
	toPeer, fromPeer, err := c.Relay.Derive(partsLabel)
	if err != nil {
		return nil, fmt.Errorf("add peer %s: %w", c.Node, err)
	}
	d.last++
	p := &peer{Peer: c, number: d.last, partsTo: toPeer, partsFrom: fromPeer}
	p.memory.blocks = &d.remembered
	p.route.Store(&path.Route{})
	p.flow.stuck.Store(true)
	d.byID[c.Node], d.byKey[c.Key], d.byAddr[c.Addr], d.byName[c.Name] = p, p, p, p
	d.byHop[first], d.byHop[second], d.number[p.number] = p, p, p
	return p, nil
}

// remove forgets a peer; nil if there is none.
func (d *directory) remove(id landfall.NodeID) *peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.byID[id]
	if p == nil {
		return nil
	}
	d.reroute(p, &path.Route{})
	delete(d.byID, p.Node)
	delete(d.byKey, p.Key)
	delete(d.byAddr, p.Addr)
	delete(d.byName, p.Name)
	delete(d.byHop, p.Relay.From(relay.First))
	delete(d.byHop, p.Relay.From(relay.Second))
	delete(d.number, p.number)
	return p
}

// use gives a peer another route and returns the old one; nil if there is no
// such peer.
func (d *directory) use(id landfall.NodeID, r path.Route) (*peer, *path.Route) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.byID[id]
	if p == nil {
		return nil, nil
	}
	return p, d.reroute(p, &r)
}

// reroute is called with mu held.
func (d *directory) reroute(p *peer, r *path.Route) (old *path.Route) {
	old = p.route.Swap(r)
	if r.Primary != old.Primary || r.MTU != old.MTU {
		p.widened.Store(time.Now().UnixNano())
	}
	for _, a := range []netip.AddrPort{r.Primary.Addr, r.Backup.Addr, r.Direct} {
		if a.IsValid() {
			d.known[a] = append(d.known[a], p)
		}
	}
	for _, a := range []netip.AddrPort{old.Primary.Addr, old.Backup.Addr, old.Direct} {
		list := d.known[a]
		if i := slices.Index(list, p); i >= 0 {
			list = slices.Delete(list, i, i+1)
			d.known[a] = list
		}
		if len(list) == 0 {
			delete(d.known, a)
		}
	}
	return old
}

func (d *directory) node(id landfall.NodeID) *peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byID[id]
}

func (d *directory) key(k landfall.PublicKey) *peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byKey[k]
}

func (d *directory) addr(a netip.Addr) *peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byAddr[a]
}

func (d *directory) name(n relay.Name) *peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byName[n]
}

func (d *directory) hop(id relay.ID) *peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byHop[id]
}

// way is the way that an origin stands for; the zero Way if its relay has gone.
func (d *directory) way(o origin) path.Way {
	if o.via == 0 {
		return path.Way{Addr: o.addrPort()}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if p := d.number[o.via]; p != nil {
		return path.Way{Via: p.Node}
	}
	return path.Way{}
}

// sentPart reports whether a fragment is of a peer's that has this address in
// its route.
func (d *directory) sentPart(from netip.AddrPort, b []byte) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, p := range d.known[from] {
		if fragment.Genuine(b, &p.partsFrom) {
			return true
		}
	}
	return false
}

// all lists the peers, in no order.
func (d *directory) all() []*peer {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]*peer, 0, len(d.byID))
	for _, p := range d.byID {
		out = append(out, p)
	}
	return out
}
