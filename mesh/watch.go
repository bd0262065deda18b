package mesh

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/probe"
	"landfall/mesh/wg"
)

// sessionLife is how long a session lasts that is not renewed (WireGuard's
// Reject-After-Time).
const sessionLife = 180 * time.Second

// letter is a datagram to send once no lock is held.
type letter struct {
	body [probe.Size]byte
	to   netip.AddrPort
}

// watch probes the peers until ctx ends.
func (m *Mesh) watch(ctx context.Context, dev *wg.Device) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-dev.Failed():
			return err
		case <-m.kick:
		case <-timer.C:
		}
		m.tick(dev)
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

// tick sends the probes that are due and starts the handshakes that are
// missing.
func (m *Mesh) tick(dev *wg.Device) {
	m.refresh(dev)
	now := time.Now()
	m.mu.Lock()
	probes, events := m.table.Tick(now)
	m.note(events)
	var letters []letter
	for _, ping := range probes {
		p := m.peers[ping.Peer]
		m.count.probesSent++
		body := p.keys.Seal(probe.Message{Kind: probe.Ping, Initiate: p.asks(now), Stamp: ping.Stamp, Pass: p.pass})
		letters = append(letters, letter{body, ping.Addr})
	}
	var begin []landfall.PublicKey
	for _, p := range m.peers {
		s, _ := m.table.Status(p.Node)
		if (p.asked || s.Alive && p.sessionless(now)) && m.mayBegin(p, now) {
			begin = append(begin, p.Key)
		}
		p.asked = false
	}
	m.mu.Unlock()
	for i := range letters {
		// A probe that cannot be sent is a probe without an answer.
		_ = dev.SendTo(letters[i].body[:], letters[i].to)
	}
	for _, key := range begin {
		dev.Initiate(key)
	}
}

// wait is how long tick has nothing to do.
func (m *Mesh) wait() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	wait := path.Interval
	if next := m.table.Next(); !next.IsZero() {
		wait = min(wait, next.Sub(now))
	}
	for _, p := range m.peers {
		if s, _ := m.table.Status(p.Node); s.Alive && p.sessionless(now) {
			wait = min(wait, path.Hurry)
		}
	}
	return max(wait, time.Millisecond)
}

// hear takes a datagram that is not WireGuard's. It runs where WireGuard
// receives, and must not wait for WireGuard: what needs that, tick does.
func (m *Mesh) hear(b []byte, from netip.AddrPort) {
	p, msg, err := m.authentic(b)
	if err != nil {
		m.mu.Lock()
		m.count.probesRefused++
		m.mu.Unlock()
		return
	}
	if dev, answer := m.weigh(p, msg, from); answer != nil {
		_ = dev.SendTo(answer[:], from)
	}
}

// authentic finds out who made a probe. It does not hold the lock while it
// computes, which anybody can make us do.
func (m *Mesh) authentic(b []byte) (*peer, probe.Message, error) {
	id, err := probe.Peek(b)
	if err != nil {
		return nil, probe.Message{}, err
	}
	m.mu.Lock()
	p := m.probes[id]
	m.mu.Unlock()
	if p == nil {
		return nil, probe.Message{}, probe.ErrForged
	}
	msg, err := p.keys.Open(b)
	return p, msg, err
}

// weigh acts on an authentic probe and says what to answer, if anything.
func (m *Mesh) weigh(p *peer, msg probe.Message, from netip.AddrPort) (dev *wg.Device, answer *[probe.Size]byte) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dev == nil || m.peers[p.Node] != p {
		return nil, nil
	}
	var fresh bool
	switch msg.Kind {
	case probe.Ping:
		if fresh = p.window.Fresh(msg); fresh {
			m.table.Heard(p.Node, from, now)
		}
		pong := p.keys.Seal(probe.Message{
			Kind: probe.Pong, Initiate: p.asks(now), Stamp: msg.Stamp, Pass: p.window.Pass(),
		})
		answer = &pong
	case probe.Pong:
		fresh = m.answered(p, msg, now)
	}
	if !fresh {
		m.count.probesRefused++
		return m.dev, answer
	}
	p.asked = p.asked || msg.Initiate
	if p.asked || !m.table.Next().After(now) || p.sessionless(now) {
		m.look()
	}
	return m.dev, answer
}

// answered takes a pong; false if it answers no ping under way.
func (m *Mesh) answered(p *peer, pong probe.Message, now time.Time) bool {
	fresh, events := m.table.Answered(p.Node, pong.Stamp, now)
	if !fresh {
		return false
	}
	m.count.probesAnswered++
	m.note(events)
	if p.pass != pong.Pass {
		p.pass = pong.Pass
		m.table.Ask(p.Node, now) // so that it soon hears a ping to believe
	}
	return true
}

// wish is told that WireGuard wants a handshake which the peer has to start.
func (m *Mesh) wish(key landfall.PublicKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, p := range m.peers {
		if p.Key == key {
			p.wished = now
			m.table.Ask(p.Node, now)
			m.look()
		}
	}
}

// refresh asks WireGuard about its sessions, if one is missing or a peer owes
// an answer to a probe. Else nothing is to be learned from them. It must not
// be called with mu held, for WireGuard may wait for us meanwhile in wish, nor
// where WireGuard receives, for it waits for that when it closes.
func (m *Mesh) refresh(dev *wg.Device) {
	now := time.Now()
	m.mu.Lock()
	curious := false
	for _, p := range m.peers {
		s, _ := m.table.Status(p.Node)
		curious = curious || p.sessionless(now) || s.Alive && s.Late
	}
	m.mu.Unlock()
	if !curious {
		return
	}
	sessions := dev.Sessions()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		s := sessions[p.Key]
		if s.RxBytes > p.session.RxBytes && now.Sub(p.looked) < 2*path.Interval {
			m.table.Spoke(p.Node, now)
		}
		p.session, p.looked = s, now
	}
}

// sessionless reports whether there is no session that both sides confirmed.
func (p *peer) sessionless(now time.Time) bool {
	h := p.session.Handshake
	return h.IsZero() || now.Sub(h) > sessionLife || p.wished.After(h)
}

// asks reports whether our probes shall ask the peer for a handshake.
func (p *peer) asks(now time.Time) bool { return !p.Initiate && p.sessionless(now) }

// mayBegin reports whether to start a handshake now, and notes that it is.
// One under way is given three round trips and a tick on either side, for
// restarting it sooner would only undo it: the peer has confirmed a session
// one and a half round trips after the initiation, notices it a tick later,
// and stops asking for one.
func (m *Mesh) mayBegin(p *peer, now time.Time) bool {
	patience := time.Second
	if s, _ := m.table.Status(p.Node); s.RTT > 0 {
		patience = 3*s.RTT + 2*path.Hurry
	}
	if !p.Initiate || now.Sub(p.began) < patience {
		return false
	}
	p.began = now
	m.count.handshakes++
	return true
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
			if m.dev != nil {
				m.dev.Use(p.Key, e.Addr)
			}
			m.log.Debug("peer routed", "peer", e.Peer, "remote", e.Addr)
			continue
		case path.Alive:
			p.life, p.die = context.WithCancelCause(context.Background())
			m.log.Info("peer alive", "peer", e.Peer, "remote", e.Addr)
		case path.Dead:
			p.window = newWindow() // it may come back with another clock
			p.die(m.unreachable(p))
			m.log.Warn("peer not reachable", "peer", e.Peer, "remote", e.Addr)
		}
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// newWindow makes one with a pass that nobody can know.
func newWindow() probe.Window {
	var pass [8]byte
	_, _ = rand.Read(pass[:]) // never fails
	return probe.NewWindow(binary.NativeEndian.Uint64(pass[:]))
}

// unreachable says why a peer cannot be reached.
func (m *Mesh) unreachable(p *peer) error {
	s, _ := m.table.Status(p.Node)
	if !s.Addr.IsValid() {
		return faultf("peer %s not reachable: the map names no endpoint of it, and it has not called", p.Node)
	}
	silent := time.Since(s.Heard).Round(100 * time.Millisecond)
	return faultf("peer %s not reachable: no answer from %v for %v", p.Node, s.Addr, silent)
}
