package wg

import (
	"time"

	"landfall"
	"landfall/mesh/front"
)

// injected is how many of our own packets may wait for the front; more are
// not made.
const injected = 16

// Packet Too Big messages are limited (RFC 4443, 2.4 f): so many bytes.
const (
	tellRate  = 64 << 10 // per second
	tellBurst = 64 << 10
)

// ingress is the way of authentic packets to the front.
type ingress struct {
	front  front.Packets
	mtu    int
	peers  *directory
	count  *counters
	twins  *twins
	active func(landfall.NodeID)
	told   allowance
	inject chan []byte
}

func newIngress(cfg Config, peers *directory, count *counters, twins *twins) *ingress {
	return &ingress{
		front: cfg.Front, mtu: cfg.MTU, peers: peers, count: count, twins: twins, active: cfg.Active,
		inject: make(chan []byte, injected),
	}
}

// Write implements tun.Device. All packets of one call are from one peer, and
// each peer has one goroutine that calls.
func (i *ingress) Write(bufs [][]byte, offset int) (int, error) {
	p := i.peers.addr(sourceOf(bufs[0][offset:]))
	if p == nil { // it has just gone
		i.count.drop(noPeer, len(bufs))
		return len(bufs), nil
	}
	now := time.Now()
	if p.touch(now) {
		i.active(p.Node)
	}
	i.heard(p, bufs, now.UnixNano())
	for _, b := range bufs {
		i.accept(p, b, offset, now)
	}
	_, err := i.front.Write(bufs, offset)
	return len(bufs), err
}

// heard counts what has come on each way.
func (i *ingress) heard(p *peer, bufs [][]byte, now int64) {
	i.count.heard.Add(uint64(len(bufs)))
	i.twins.learn(bufs[0], p, getIn(bufs[0]).way, now)
	p.traffic.answered()
	for len(bufs) > 0 {
		first := getIn(bufs[0])
		n, largest := 0, 0
		for n < len(bufs) {
			t := getIn(bufs[n])
			if t.way != first.way {
				break
			}
			if t.sum != 0 {
				i.twins.proved(t.sum, now)
			}
			largest = max(largest, t.size)
			n++
		}
		bufs = bufs[n:]
		l := p.traffic.find(first.way)
		if l == nil {
			l = p.traffic.on(first.way, i.peers.way(first.way))
		}
		l.hear(n, largest, now)
	}
}

// accept takes the outer header's mark over and lowers the segment size of a
// new connection.
func (i *ingress) accept(p *peer, b []byte, offset int, now time.Time) {
	packet := b[offset:]
	if outer := getIn(b).ecn; outer != notECT {
		inner := ecnOf(packet)
		switch merged := mergeECN(inner, outer); {
		case merged != inner:
			setECN(packet, merged)
			i.count.marked.Add(1)
		case outer == ce && inner == notECT:
			i.count.unmarked.Add(1)
		}
	}
	i.clamp(p, packet, now)
}

// clamp lowers the segment size of a new connection with a peer.
func (i *ingress) clamp(p *peer, packet []byte, now time.Time) {
	if syn(packet) == nil {
		return
	}
	if fits := p.fits(i.mtu, now); fits > 0 && clampMSS(packet, fits) {
		i.count.clamped.Add(1)
	}
}

// measure tells the front when a packet to a peer is too long to go out in
// one datagram. It never waits: the front may be waiting for our reader.
func (i *ingress) measure(p *peer, packet []byte, now time.Time) {
	if len(packet) <= minV4 || packet[0]>>4 == 6 && len(packet) <= minMTU {
		return
	}
	fits := p.fits(i.mtu, now)
	if fits == 0 || len(packet) <= fits || !i.told.take(minMTU, 0, tellRate, tellBurst, now) {
		return
	}
	m := tooBig(packet, fits, overhead)
	if m == nil {
		return
	}
	select {
	case i.inject <- m:
		i.count.tooBigTold.Add(1)
	default:
	}
}

// tell gives the front what measure has to say, until it is over.
func (i *ingress) tell(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case m := <-i.inject:
			// An error is the front's end, which its reader tells of.
			_, _ = i.front.Write([][]byte{m}, overhead)
		}
	}
}
