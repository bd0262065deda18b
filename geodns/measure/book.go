package measure

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"landfall"
)

// Book holds what is learnt. Its methods may be called by any number of
// goroutines.
type Book struct {
	cfg    Config
	mapped chan struct{} // there is a new map

	mu      sync.Mutex
	m       *landfall.Map // nil before the first
	sites   []site
	edges   []edge
	byID    map[landfall.NodeID]uint16 // index into edges, for as long as the Book lives
	entries map[key]*entry
	frozen  uint64 // the epoch of the last View
	view    *View
	stats   Stats
	dropped [reasons]uint64
}

// edge is a node that is or was an edge of the map.
type edge struct {
	id     landfall.NodeID
	site   uint16
	active bool
}

// site is a point where edges stand. All edges of a site are as far from
// everybody.
type site struct {
	place landfall.Place
	may   parts // what measurement may bring here in this epoch
}

// entry is what is known of one prefix.
type entry struct {
	cells  []cell
	order  []uint16 // edges, as Verdict.Order has them
	rival  uint16   // the site that would be first, if another
	streak uint8    // and for how many epochs, at most patience
	trial  uint16   // the edge on trial, plus one; 0: none
	tried  uint32   // the last epoch with one
	live   uint32   // last sample, in seconds since 1970

	// guests are sites, plus one, that answers lead to; see the constants.
	guests [told + 2 + also]uint16
}

// What guests hold: the first two sites of the order, the one on trial and
// the one that was on trial in the last epoch, and those of World.Also.
const (
	told  = 2
	also  = 2
	tries = told
	was   = told + 1
	more  = told + 2
)

// New makes an empty Book.
func New(c Config) (*Book, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	return &Book{cfg: c, mapped: make(chan struct{}, 1), byID: map[landfall.NodeID]uint16{}, entries: map[key]*entry{}}, nil
}

// SetMap says which edges there are: samples of others are dropped. Run makes
// a View at once.
func (b *Book) SetMap(m *landfall.Map) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setMap(m)
	select {
	case b.mapped <- struct{}{}:
	default: // Run will hear of both at once
	}
}

func (b *Book) setMap(m *landfall.Map) {
	b.m = m
	for i := range b.edges {
		b.edges[i].active = false
	}
	for n := range m.Having(landfall.RoleEdge) {
		region, _ := m.Region(n.Region)
		e := &b.edges[b.edge(n.ID)]
		e.active = n.EffectiveState() == landfall.Active
		e.site = b.site(region.Place)
	}
}

// edge is the index of a node, made if there is none.
func (b *Book) edge(id landfall.NodeID) uint16 {
	i, ok := b.byID[id]
	if !ok {
		i = uint16(len(b.edges))
		b.edges = append(b.edges, edge{id: id})
		b.byID[id] = i
	}
	return i
}

func (b *Book) site(p landfall.Place) uint16 {
	for i, s := range b.sites {
		if s.place == p {
			return uint16(i)
		}
	}
	b.sites = append(b.sites, site{place: p})
	return uint16(len(b.sites) - 1)
}

// epoch is the number of the epoch that a time is in.
func (b *Book) epoch(t time.Time) uint64 {
	return uint64(max(t.UnixNano(), 0)) / uint64(b.cfg.Epoch)
}

// key is a /24 or /48 in eight bytes; keys are in the order of prefixes.
type key uint64

// isV6 marks the keys of IPv6.
const isV6 = key(1) << 48

func keyOf(p netip.Prefix) key {
	if p.Addr().Is4() {
		a := p.Addr().As4()
		return key(binary.BigEndian.Uint32(a[:]) >> 8)
	}
	a := p.Addr().As16()
	return isV6 | key(binary.BigEndian.Uint64(a[:8])>>16)
}

func (k key) prefix() netip.Prefix {
	if k < isV6 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(k)<<8)
		return netip.PrefixFrom(netip.AddrFrom4(a), 24)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], uint64(k&^isV6)<<16)
	return netip.PrefixFrom(netip.AddrFrom16(a), 48)
}
