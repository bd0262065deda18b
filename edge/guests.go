package edge

import (
	"container/heap"
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landfall/edge/forward"
	"landfall/edge/tunnel"
)

// guests are the connections that clients have open, and how the room for
// them is shared among addresses.
//
//	                      over its share, none idle
//	accept -> welcome ------------------------------> turned away
//	             |
//	             v      request                    room is short
//	           idle <-------------> active,   idle --------------> shed
//	                                 upgraded
//
// Whoever has no request under way is idle, and so is a stream of kind tcp
// that is quiet (tunnel.Lull). No address may have more than is
// still free: one alone gets half, two a third each, and another always finds
// room. When four fifths are taken, each newcomer costs the address with most
// idle connections the longest idle of them, so that the time a connection
// may idle gets shorter as the room fills.
type guests struct {
	limit  int
	serve  sync.WaitGroup // the goroutines that greet, or net/http's, one for each connection
	total  atomic.Uint64
	shed   atomic.Uint64
	turned atomic.Uint64

	greedy, hasty atomic.Uint64 // requests refused
	cancelled     atomic.Uint64 // connections closed for what they cancelled

	mu      sync.Mutex // guards what follows, and the fields of parties
	inside  int        // requests under way
	swept   time.Time
	conns   map[*conn]struct{}
	parties map[netip.Prefix]*party
	idlers  idlers
}

// sweepEvery is how often parties are looked at of whom nobody is left.
const sweepEvery = time.Minute

// party are the guests from one address.
type party struct {
	from  netip.Prefix
	conns int
	idle  list.List // of *conn, longest idle first
	rank  int       // in idlers

	inside  int  // requests under way
	cancels calm // outlasts the connections
}

func (g *guests) init(limit int) {
	g.limit = limit
	g.conns = make(map[*conn]struct{})
	g.parties = make(map[netip.Prefix]*party)
}

// originOf is the address that a connection is counted for: a household or a
// server has a /64 of IPv6 to itself (RFC 6177).
func originOf(c net.Conn) netip.Prefix {
	addr, _ := forward.ClientAddr(c.RemoteAddr().String())
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	from, _ := addr.Prefix(bits) // whoever has no address is of one party with its like
	return from
}

// welcome makes a guest of a connection, unless there is no room for it.
func (g *guests) welcome(c net.Conn) (*conn, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep(time.Now())
	if g.limit-len(g.conns) <= g.limit/5 {
		g.makeRoom()
	}
	p := g.party(originOf(c))
	if p.conns >= g.limit-len(g.conns) && !g.dismiss(p) {
		g.turned.Add(1)
		g.forget(p)
		return nil, false
	}
	g.total.Add(1)
	p = g.party(p.from) // dismiss may have been the end of it
	guest := &conn{Conn: c, guests: g, party: p}
	g.conns[guest] = struct{}{}
	p.conns++
	g.rest(guest)
	return guest, true
}

// relieve sheds one idle connection when descriptors have run out.
func (g *guests) relieve() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoom()
}

// makeRoom sheds one idle connection, if there is any.
func (g *guests) makeRoom() {
	if len(g.idlers) > 0 {
		g.dismiss(g.idlers[0])
	}
}

// dismiss closes the longest idle connection of a party, if there is one.
func (g *guests) dismiss(p *party) bool {
	first := p.idle.Front()
	if first == nil {
		return false
	}
	c := first.Value.(*conn)
	g.remove(c)
	if c.stream {
		tunnel.Abort(c.Conn) // nobody may take half a stream for a whole one
	} else {
		c.Conn.Close()
	}
	g.shed.Add(1)
	return true
}

func (g *guests) party(from netip.Prefix) *party {
	p, ok := g.parties[from]
	if !ok {
		p = &party{from: from}
		g.parties[from] = p
		heap.Push(&g.idlers, p)
	}
	return p
}

// forget drops a party of nobody, unless there is something to remember.
func (g *guests) forget(p *party) {
	gone := p.conns == 0 && p.inside == 0 && !p.cancels.lost(time.Now(), 0, 0)
	if gone && g.parties[p.from] == p {
		heap.Remove(&g.idlers, p.rank)
		delete(g.parties, p.from)
	}
}

// sweep forgets those whom forget had to remember.
func (g *guests) sweep(now time.Time) {
	if now.Sub(g.swept) < sweepEvery {
		return
	}
	g.swept = now
	for _, p := range g.parties {
		g.forget(p)
	}
}

// rest counts a connection as idle.
func (g *guests) rest(c *conn) {
	if _, open := g.conns[c]; open && c.idle == nil {
		c.idle = c.party.idle.PushBack(c)
		heap.Fix(&g.idlers, c.party.rank)
	}
}

// rouse counts it as active.
func (g *guests) rouse(c *conn) {
	if c.idle != nil {
		c.party.idle.Remove(c.idle)
		c.idle = nil
		heap.Fix(&g.idlers, c.party.rank)
	}
}

func (g *guests) remove(c *conn) {
	if _, open := g.conns[c]; open {
		g.rouse(c)
		delete(g.conns, c)
		c.party.conns--
		g.forget(c.party)
	}
}

// cut closes every connection at once.
func (g *guests) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.conns {
		c.Conn.Close()
	}
}

func (g *guests) open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// track is the http.Server's ConnState; whoever handed it the connection has
// counted that. An upgraded one is waited for through the handler that took
// it.
func (g *guests) track(nc net.Conn, s http.ConnState) {
	switch s {
	case http.StateClosed, http.StateHijacked:
		g.serve.Done()
	}
	c, ok := guestBelow(nc)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch s {
	case http.StateIdle:
		g.rest(c)
	case http.StateActive, http.StateHijacked:
		g.rouse(c)
	}
}

// engage counts a connection that is no HTTP as active, to its end.
func (g *guests) engage(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rouse(c)
}

// follow counts a connection as a stream of kind tcp, active until it is
// quiet. What it returns hears what moves, and is told of the end.
func (g *guests) follow(c *conn) *tunnel.Lull {
	g.mu.Lock()
	c.stream = true
	g.rouse(c)
	g.mu.Unlock()
	return tunnel.Follow(&g.mu, func() { g.rest(c) }, func() { g.rouse(c) })
}

// guestBelow finds the guest, under TLS or not.
func guestBelow(nc net.Conn) (*conn, bool) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, ok := nc.(*conn)
	return c, ok
}

// idlers is a heap (container/heap) of parties, that with most idle
// connections on top.
type idlers []*party

// Len implements heap.Interface.
func (h idlers) Len() int { return len(h) }

// Less implements heap.Interface.
func (h idlers) Less(a, b int) bool { return h[a].idle.Len() > h[b].idle.Len() }

// Swap implements heap.Interface.
func (h idlers) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].rank, h[b].rank = a, b
}

// Push implements heap.Interface.
func (h *idlers) Push(x any) {
	p := x.(*party)
	p.rank = len(*h)
	*h = append(*h, p)
}

// Pop implements heap.Interface.
func (h *idlers) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}
