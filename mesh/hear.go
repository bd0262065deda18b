package mesh

import (
	"hash/maphash"
	"math"
	"time"

	"landfall"
	"landfall/mesh/path"
	"landfall/mesh/probe"
	"landfall/mesh/wg"
)

// hear takes a probe, the way back to where it came from, and whose it is by
// the word of the node that relayed it. It runs where WireGuard receives, and
// must not wait for WireGuard: what needs that, tick does.
func (m *Mesh) hear(b []byte, from path.Way, whose landfall.NodeID) {
	p, msg, err := m.authentic(b)
	if err == nil && from.Relayed() && p.Node != whose {
		err = probe.ErrForged
	}
	if err != nil {
		m.mu.Lock()
		m.count.refuse(err)
		m.mu.Unlock()
		return
	}
	if dev, pong := m.weigh(p, msg, from); pong != nil {
		_ = dev.SendTo(p.keys.AppendSeal(nil, *pong), p.Node, from) // lost, if it cannot be sent
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
func (m *Mesh) weigh(p *peer, msg probe.Message, from path.Way) (dev *wg.Device, pong *probe.Message) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.up == nil || m.peers[p.Node] != p {
		return nil, nil
	}
	dev = m.up.dev
	var fresh bool
	if msg.Kind == probe.Ping {
		if fresh = m.believes(p, msg); fresh && !p.quota.take(now) {
			fresh = false
		} else {
			pong = m.pong(dev, p, msg, from, fresh, now)
		}
	} else {
		fresh = m.answered(p, msg, now)
	}
	if !fresh {
		m.count.probesStale++
		return dev, pong
	}
	p.serial = msg.Serial
	if msg.Initiate && p.asked.IsZero() {
		p.asked = now
	}
	if msg.Initiate || !m.table.Next().After(now) || p.sessionless(now) {
		m.look()
	}
	return dev, pong
}

// believes reports whether a ping is fresh. If the peer has restarted, and its
// clock was set back, it is from the next pass on.
func (m *Mesh) believes(p *peer, ping probe.Message) bool {
	if p.window.Fresh(ping) {
		return true
	}
	if p.reborn && ping.Pass == p.window.Pass() {
		p.window, p.reborn = m.newWindow(), false
	}
	return false
}

// pong is the answer to a ping: a bare one where it is not to be believed, or
// perhaps goes to somebody else.
func (m *Mesh) pong(dev *wg.Device, p *peer, ping probe.Message, from path.Way, fresh bool, now time.Time) *probe.Message {
	pong := probe.Message{
		Kind: probe.Pong, Stamp: ping.Stamp, Way: ping.Way, Pass: p.window.Pass(),
		Initiate: p.asks(now), Serial: m.serial(), NoRelay: m.cfg.NoRelay,
	}
	if fresh {
		m.table.Heard(p.Node, from, ping.Doubt, now)
	}
	if pong.Bare = !fresh || !m.table.Proven(p.Node, from); pong.Bare {
		return &pong
	}
	m.saw(p, dev.Traffic(p.Node), now)
	seen := p.seen[from]
	pong.Heard = seen.heard
	pong.Largest = uint16(min(max(seen.largest, ping.Len()), math.MaxUint16))
	pong.Reports = m.reports(p, now)
	p.seen[from] = seen.told()
	return &pong
}

// seen is what a peer is told of a way that its datagrams came by.
type seen struct {
	heard   uint32 // data datagrams
	largest int    // UDP payload since it was last told
}

// told is what is left to tell.
func (s seen) told() seen { return seen{heard: s.heard} }

// saw takes what the device saw of a peer. The device goes by the wall clock,
// which may be set at any time; how long ago something was is all that counts.
func (m *Mesh) saw(p *peer, list []path.Traffic, now time.Time) {
	wall := now.Round(0)
	for i := range list {
		for _, t := range []*time.Time{&list[i].LastSent, &list[i].LastHeard, &list[i].Unanswered} {
			if !t.IsZero() {
				*t = now.Add(-max(wall.Sub(*t), 0))
			}
		}
	}
	before := p.seen
	p.seen = make(map[path.Way]seen, len(list))
	for _, t := range list {
		p.seen[t.Way] = seen{t.Heard, max(t.LargestHeard, before[t.Way].largest)}
	}
	m.table.Traffic(p.Node, list, now)
}

// serial is that of the map in use.
func (m *Mesh) serial() landfall.Serial {
	if m.current == nil {
		return 0
	}
	return m.current.Serial
}

// reports are what to tell a peer about our ways to others.
func (m *Mesh) reports(to *peer, now time.Time) (out []probe.Report) {
	for _, r := range m.table.Reports(to.Node, probe.MaxReports, now) {
		if p := m.peers[r.Node]; p != nil {
			out = append(out, probe.Report{Node: p.short, RTT: r.RTT, Loss: uint8(math.Round(min(max(r.Loss, 0), 1) * 255))})
		}
	}
	return out
}

// reported takes what a peer tells about its ways to others.
func (m *Mesh) reported(p *peer, told []probe.Report, now time.Time) {
	var list []path.Report
	for _, r := range told {
		if about := m.shorts[r.Node]; about != nil && about != p {
			list = append(list, path.Report{Node: about.Node, RTT: r.RTT, Loss: float64(r.Loss) / 255})
		}
	}
	if len(list) > 0 {
		m.table.Reported(p.Node, list, now)
	}
}

// answered takes a pong; false if it answers no ping under way.
func (m *Mesh) answered(p *peer, pong probe.Message, now time.Time) bool {
	if pong.Way != m.number(pong.Stamp) {
		return false // it has not heard the ping
	}
	fresh, events := m.table.Answered(p.Node, path.Answer{
		Stamp: pong.Stamp, Heard: pong.Heard, Largest: int(pong.Largest), Bare: pong.Bare,
	}, now)
	if !fresh {
		return false
	}
	m.count.probesAnswered++
	m.note(events)
	m.table.Refuse(p.Node, pong.NoRelay)
	m.reported(p, pong.Reports, now)
	if p.pass != pong.Pass {
		if p.pass != 0 && probe.Life(p.pass) != probe.Life(pong.Pass) {
			m.restarted(p, now)
		}
		p.pass = pong.Pass
		m.table.Ask(p.Node, now) // so that it soon hears a ping to believe
	}
	return true
}

// restarted notes that a peer has: it knows of no connection and no session,
// and may have another clock.
func (m *Mesh) restarted(p *peer, now time.Time) {
	m.strangers = append(m.strangers, p.Node)
	p.reborn, p.renewSoon, p.wished = true, true, now
	m.look()
}

// number is a ping's, which nobody can guess from those of others.
func (m *Mesh) number(stamp int64) uint32 { return uint32(maphash.Comparable(m.seed, stamp)) }
