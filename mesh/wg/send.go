package wg

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"landfall"
	"landfall/mesh/class"
	"landfall/mesh/fragment"
	"landfall/mesh/path"
	"landfall/mesh/relay"
	"landfall/mesh/udp"
)

// How many bytes are sent twice, per peer, while its primary is in doubt, and
// again when doubt begins: all that is remembered, once, and some more. When it
// is doubled Normal has to leave half of the burst to classes that are more
// urgent, and for all peers together there is no more of it than that for a
// few: when many are in doubt at once, the cause is near.
const (
	doubleBurst = memoryBytes + 512<<10
	doubleRate  = 4 << 20 // per second
	extraBurst  = 2 << 20
)

// How far what is sent twice may be ahead of the rate, where there is one: not
// longer than that does it keep back what is sent once.
const (
	aheadNormal = credit
	aheadUrgent = 20 * time.Millisecond
)

// hop is where a way begins.
type hop struct {
	to     netip.AddrPort
	end    *peer // who has the address
	via    *peer // the same, whose keys seal; nil for a direct way
	far    relay.Name
	limit  int // largest UDP payload
	origin origin
}

// hop finds out how to send on a way to a peer; false if that is not possible
// now. The MTU is the route's word for the way.
func (b *bind) hop(p *peer, w path.Way, mtu int) (hop, bool) {
	if mtu == 0 {
		mtu = leastMTU
	}
	if !w.Relayed() {
		return hop{to: w.Addr, end: p, limit: mtu, origin: direct(w.Addr)}, w.Addr.IsValid()
	}
	via := b.peers.node(w.Via)
	if via == nil {
		return hop{}, false
	}
	to, first := via.straight()
	if first == 0 {
		first = leastMTU
	}
	h := hop{to: to, end: via, via: via, far: p.Name, limit: min(mtu+relay.Overhead, first), origin: origin{via: via.number}}
	return h, to.IsValid()
}

// Send implements conn.Bind.
func (b *bind) Send(bufs [][]byte, ep conn.Endpoint) error {
	switch e := ep.(type) {
	case *peer:
		if bufs[0][0] == data {
			return b.sendData(e, bufs)
		}
		return b.sendHandshake(e, bufs[0])
	case *source: // a cookie
		p := e.peer
		if p == nil {
			return b.conn(e.way.Addr).Urgent(bufs[0], e.way.Addr, class.TOS(landfall.Control, 0))
		}
		return b.urgent(p, bufs[0], e.way)
	}
	return conn.ErrWrongEndpointType
}

// again is how soon after another an initiation is one more try.
const again = 10 * time.Second

// sendHandshake sends what is not data, on both ways unless it is a first try:
// what the primary does with data is only known once there is a session. An
// initiation that is not ours to send becomes a wish.
func (b *bind) sendHandshake(p *peer, d []byte) error {
	both := true
	switch d[0] {
	case response:
		b.initiations.answered(d)
	case initiation:
		if !p.Initiate {
			b.wanted(p.Node)
			return nil
		}
		now := time.Now().UnixNano()
		both = now-p.begun.Swap(now) < int64(again)
	}
	r := p.route.Load()
	err := b.urgent(p, d, r.Primary)
	if (both || r.Doubt || err != nil) && r.Backup.IsValid() {
		if second := b.urgent(p, d, r.Backup); err != nil {
			err = second
		}
	}
	return err
}

// probe sends one on a way that may be in no route.
func (b *bind) probe(d []byte, id landfall.NodeID, w path.Way) error {
	p := b.peers.node(id)
	if p == nil {
		return fmt.Errorf("probe to %s: no such peer", id)
	}
	if h, ok := b.hop(p, w, 0); ok {
		p.traffic.on(h.origin, w) // somebody has reason to think it is the peer's
	}
	return b.urgent(p, d, w)
}

// urgent sends one small datagram ahead of data that waits.
func (b *bind) urgent(p *peer, d []byte, w path.Way) error {
	h, ok := b.hop(p, w, 0)
	if !ok {
		return b.lost(p, 1)
	}
	if h.via != nil {
		d = h.via.Relay.SealAppend(nil, relay.First, h.far, d)
	}
	return b.conn(h.to).Urgent(d, h.to, class.TOS(landfall.Control, 0))
}

func (b *bind) lost(p *peer, n int) error {
	b.count.drop(noRoute, n)
	return fmt.Errorf("peer %s: no way to it is known", p.Node)
}

// sendData sends one batch to a peer.
func (b *bind) sendData(p *peer, bufs [][]byte) error {
	now := time.Now()
	b.account(p, bufs, now)
	backup := p.route.Load().Backup.IsValid()
	if backup {
		p.memory.mu.Lock()
		for run := range runs(bufs) {
			if run.class != landfall.Bulk && run.payloads > 0 {
				p.memory.keep(run.bufs, run.tos, run.class != landfall.Normal, now)
			}
		}
		p.memory.mu.Unlock()
	}
	// Only now: when doubt begins meanwhile, either we see it, or what we have
	// just kept is sent again.
	r := p.route.Load()
	err := b.sendOn(p, bufs, r.Primary, r.MTU, now, nil)
	switch {
	case !r.Backup.IsValid():
	case err != nil:
		err = b.sendOn(p, bufs, r.Backup, r.BackupMTU, now, nil)
	case r.Doubt:
		err = b.sendOn(p, bufs, r.Backup, r.BackupMTU, now, func(run run) int { return b.mayDouble(p, run, now) })
	}
	return err
}

// account tells the window how far the peer's data has come.
func (b *bind) account(p *peer, bufs [][]byte, now time.Time) {
	n := 0
	var seq uint64
	for _, d := range bufs {
		if len(d) > keepaliveSize && spacious(d) {
			n++
			seq = getOut(d).seq
		}
	}
	if n > 0 {
		b.count.sent.Add(uint64(n))
		b.passed(p, seq)
		p.lastData.Store(now.UnixNano())
	}
}

// mayDouble tells how many datagrams of a run may be sent twice.
func (b *bind) mayDouble(p *peer, r run, now time.Time) (n int) {
	if r.class == landfall.Bulk {
		return 0
	}
	for n < len(r.bufs) && b.spare(p, len(r.bufs[n]), r.class, doubleBurst/2, now) {
		n++
	}
	b.count.doubled.Add(uint64(n))
	return n
}

// spare uses what may be sent twice to a peer for n bytes of a class. Normal
// keeps so much of the burst.
func (b *bind) spare(p *peer, n int, c landfall.Class, keep int, now time.Time) bool {
	ahead := aheadUrgent
	if c == landfall.Normal {
		ahead = aheadNormal
		if !b.extra.take(n, 0, doubleRate, extraBurst, now) {
			return false
		}
	} else {
		keep = 0
	}
	return p.spare.take(n, keep, doubleRate, doubleBurst, now) && b.afford(n, ahead)
}

// sendOn sends a batch on one way, in runs of one class; only as much of each
// as pick says, if it is given.
func (b *bind) sendOn(p *peer, bufs [][]byte, w path.Way, mtu int, now time.Time, pick func(run) int) error {
	h, ok := b.hop(p, w, mtu)
	if !ok {
		return b.lost(p, len(bufs))
	}
	var first error
	sent, largest := 0, 0
	for run := range runs(bufs) {
		if pick != nil {
			run = newRun(run.bufs[:pick(run)])
		}
		if len(run.bufs) == 0 {
			continue
		}
		if err := b.write(h, run.bufs, run.tos); err != nil {
			first = err
			continue
		}
		sent += run.payloads
		largest = max(largest, h.payload(longest(run.bufs)))
	}
	if sent > 0 {
		p.traffic.on(h.origin, w).send(sent, largest, now.UnixNano())
	}
	return first
}

// write sends datagrams to the same hop under the same mark.
func (b *bind) write(h hop, bufs [][]byte, tos uint8) error {
	c := b.conn(h.to)
	var err error
	if h.via == nil && longest(bufs) <= h.limit {
		err = c.Write(bufs, h.to, tos)
	} else {
		err = b.writeInstead(c, h, bufs, tos, b.pack)
	}
	// A link of ours may have become narrower than the path was.
	if errors.Is(err, udp.ErrTooBig) && h.limit > narrowMTU {
		err = b.writeInstead(c, h, bufs, tos, b.narrow)
	}
	return b.unsent(err, len(bufs))
}

// writeInstead sends what is made from datagrams in their place.
func (b *bind) writeInstead(c udp.Conn, h hop, bufs [][]byte, tos uint8, from func([][]byte, hop, [][]byte) [][]byte) error {
	list := b.lists.Get().(*[][]byte)
	defer b.lists.Put(list)
	*list = from((*list)[:0], h, bufs)
	err := c.Write(*list, h.to, tos)
	clear(*list)
	return err
}

// pack appends what goes over a hop in place of the datagrams.
func (b *bind) pack(out [][]byte, h hop, bufs [][]byte) [][]byte {
	for _, d := range bufs {
		if h.via != nil {
			d = h.via.Relay.SealAppend(room(d), relay.First, h.far, d)
		}
		out = b.fit(out, d, h)
	}
	return out
}

// narrow appends what goes over a hop that has just refused something, in place
// of those datagrams that may have been refused.
func (b *bind) narrow(out [][]byte, h hop, bufs [][]byte) [][]byte {
	h.limit = narrowMTU
	over := 0
	if h.via != nil {
		over = relay.Overhead
	}
	for i, d := range bufs {
		if len(d)+over > narrowMTU {
			out = b.pack(out, h, bufs[i:i+1])
		}
	}
	return out
}

// payload is the UDP payload that the peer will at least count for a datagram:
// its own size, without a frame's, or that of its last part. 0 is unknown: a
// relay may cut into other parts than we do.
func (h hop) payload(size int) int {
	if h.via != nil {
		if size+relay.Overhead > h.limit {
			return 0
		}
		return size
	}
	n, err := fragment.Count(size, h.limit)
	if err != nil || n == 1 {
		return size
	}
	return size - (n-1)*((size+n-1)/n) + fragment.Overhead
}

func (b *bind) unsent(err error, n int) error {
	if err != nil {
		b.count.drop(unsendable, n)
	}
	return err
}

// fit appends a datagram, in fragments if it is longer than the hop's limit.
func (b *bind) fit(out [][]byte, d []byte, h hop) [][]byte {
	n, err := fragment.Count(len(d), h.limit)
	if err != nil || n == 1 {
		return append(out, d) // too narrow a path is one we have no fragments for
	}
	id := b.partID.Add(1)
	space := room(d)
	if cap(space) < (n+1)*slabSize {
		space = make([]byte, 0, (n+1)*slabSize)
	}
	space = space[:0:cap(space)]
	for i := range n {
		at := (i + 1) * slabSize
		out = append(out, fragment.Append(space[at:at:at+slabSize], d, &h.end.partsTo, id, i, n))
	}
	b.count.fragmented.Add(1)
	return out
}

// room is where something may be made from a datagram, with a length of 0: the
// free end of its own buffer. It has no capacity if the buffer has no end.
func room(d []byte) []byte {
	if !spacious(d) {
		return nil
	}
	return d[roomAt:roomAt:cap(d)]
}

// use gives a peer another route. What was lately sent goes again on the
// backup when doubt begins, and on the primary when that takes the place of
// one that is given up without having been in doubt. It never waits.
func (b *bind) use(id landfall.NodeID, r path.Route) {
	p, old := b.peers.use(id, r)
	if p == nil || old.Doubt {
		return
	}
	w, mtu := r.Backup, r.BackupMTU
	if !r.Doubt {
		if old.Primary == r.Primary || old.Primary == r.Backup || !old.Primary.IsValid() {
			return
		}
		w, mtu = r.Primary, r.MTU
	}
	b.detours.note(p, detour{way: w, mtu: mtu})
}
