package mesh

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/probe"
	"landfall/mesh/udp"
	"landfall/mesh/wg"
)

const (
	// hurry is how often to look at a session that is missing.
	hurry = 20 * time.Millisecond
	// moment is how long to look away after a kick, so that what goes on then is
	// over, and what comes of it is the same in whatever order it went on.
	moment = time.Microsecond
	// rest is how long to look at nothing at most.
	rest = 20 * time.Second
)

// watch probes the peers until ctx ends.
func (m *Mesh) watch(ctx context.Context, up *running) error {
	attending, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	work.Go(func() { m.attend(attending, up) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-up.dev.Failed():
			return err
		case <-m.kick:
			timer.Reset(moment)
			continue
		case <-timer.C:
		}
		m.tick(up.dev)
		m.forget(up)
		timer.Reset(m.wait())
	}
}

// look makes watch look at once.
func (m *Mesh) look() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// active is told that there is data for a peer that was quiet.
func (m *Mesh) active(id landfall.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.table.Active(id, time.Now())
	m.look()
}

// letter is a datagram to send once no lock is held.
type letter struct {
	path.Probe
	body []byte
}

// tick sends the probes that are due and starts the handshakes that are
// missing.
func (m *Mesh) tick(dev *wg.Device) {
	m.refresh(dev)
	m.observe(dev)
	now := time.Now()
	m.mu.Lock()
	probes, events := m.table.Tick(now)
	m.note(events)
	var letters []letter
	for _, ping := range probes {
		if p := m.peers[ping.Peer]; p != nil {
			m.count.probesSent++
			letters = append(letters, letter{ping, m.ping(p, ping, now)})
		}
	}
	begin, anew := m.beginnings(now)
	m.mu.Unlock()
	m.send(dev, letters)
	for _, id := range begin {
		dev.Initiate(id)
	}
	for _, p := range anew {
		m.renew(dev, p)
	}
}

// observe tells the path table what the device saw, of the peers that it
// wants to know of.
func (m *Mesh) observe(dev *wg.Device) {
	now := time.Now()
	m.mu.Lock()
	due := m.table.Due(now)
	m.mu.Unlock()
	seen := make([][]path.Traffic, len(due))
	for i, id := range due {
		seen[i] = dev.Traffic(id)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, id := range due {
		if p := m.peers[id]; p != nil {
			m.saw(p, seen[i], now)
		}
	}
}

// ping is the wire form of a probe.
func (m *Mesh) ping(p *peer, ping path.Probe, now time.Time) []byte {
	return p.keys.AppendSeal(nil, probe.Message{
		Kind: probe.Ping, Initiate: p.asks(now), Doubt: ping.Doubt, Stamp: ping.Stamp, Pass: p.pass,
		Way: m.number(ping.Stamp), Sent: ping.Sent, Size: uint16(min(ping.Size, math.MaxUint16)), Serial: m.serial(),
	})
}

// send sends probes. One that cannot be sent is one without an answer; but
// that it was too big, is known at once.
func (m *Mesh) send(dev *wg.Device, letters []letter) {
	for _, l := range letters {
		if err := dev.SendTo(l.body, l.Peer, l.Way); errors.Is(err, udp.ErrTooBig) {
			m.mu.Lock()
			m.table.TooBig(l.Peer, l.Way, l.Size, time.Now())
			m.mu.Unlock()
		}
	}
}

// wait is how long tick has nothing to do.
func (m *Mesh) wait() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	wait := rest
	if next := m.table.Next(); !next.IsZero() {
		wait = min(wait, next.Sub(now))
	}
	for _, p := range m.peers {
		if !p.sessionless(now) {
			wait = min(wait, p.held.Add(sessionLife+1).Sub(now))
		} else if s, _ := m.table.Status(p.Node, now); s.Alive || !s.Known {
			wait = min(wait, p.every())
		}
		if !p.asked.IsZero() {
			wait = min(wait, hurry)
		}
	}
	return max(wait, time.Millisecond)
}

// note acts on what the path table decided.
func (m *Mesh) note(events []path.Event) {
	for _, e := range events {
		p := m.peers[e.Peer]
		if p == nil {
			continue
		}
		switch e.Kind {
		case path.Routed:
			m.routed(p, e)
			continue
		case path.Alive:
			p.life, p.die = context.WithCancelCause(context.Background())
			m.log.Info("peer alive", "peer", e.Peer, "remote", e.Route.Primary)
		case path.Dead:
			p.window = m.newWindow() // it may come back with another clock
			p.die(m.unreachable(p))
			m.strangers = append(m.strangers, p.Node)
			m.log.Warn("peer not reachable", "peer", e.Peer, "remote", e.Route.Primary)
		}
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// routed has the device send another way.
func (m *Mesh) routed(p *peer, e path.Event) {
	if m.up != nil {
		m.up.dev.Use(p.Node, e.Route)
	}
	if e.Route.Primary != p.way {
		if p.way.IsValid() {
			p.switches++
		}
		m.log.Info("peer routed", "peer", e.Peer, "remote", e.Route.Primary, "before", p.way, "why", e.Why)
	} else {
		m.log.Debug("route changed", "peer", e.Peer, "route", e.Route, "why", e.Why)
	}
	p.way = e.Route.Primary
}

// forget drops connections that stand ready for peers which are not what they
// were.
func (m *Mesh) forget(up *running) {
	m.mu.Lock()
	ids := m.strangers
	m.strangers = nil
	m.mu.Unlock()
	for _, id := range ids {
		if up.pool != nil {
			up.pool.Forget(id)
		}
	}
}

// unreachable says why a peer cannot be reached.
func (m *Mesh) unreachable(p *peer) error {
	s, _ := m.table.Status(p.Node, time.Now())
	if !s.Route.Primary.IsValid() {
		return faultf("peer %s not reachable: the map names no endpoint of it, and it has not called", p.Node)
	}
	silent := time.Since(s.Heard).Round(100 * time.Millisecond)
	return faultf("peer %s not reachable: no answer from %v for %v", p.Node, s.Route.Primary, silent)
}
