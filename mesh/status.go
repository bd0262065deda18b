package mesh

import (
	"errors"
	"net/netip"
	"reflect"
	"time"

	"landfall"
	"landfall/mesh/fragment"
	"landfall/mesh/path"
	"landfall/mesh/probe"
	"landfall/mesh/udp"
	"landfall/mesh/warm"
	"landfall/mesh/wg"
)

// counters are guarded by Mesh.mu.
type counters struct {
	probesSent, probesAnswered, probesForged, probesForeign, probesStale uint64
	handshakes, renewed, opened, openFailed                              uint64
	deaths                                                               uint64
}

// refuse counts a datagram that was no probe for us.
func (c *counters) refuse(err error) {
	if errors.Is(err, probe.ErrVersion) {
		c.probesForeign++
		return
	}
	c.probesForged++
}

// Stats are the mesh's numbers.
type Stats struct {
	Serial         uint64             `metric:"map_serial" help:"Serial of the map in use."`
	Peers          uint64             `metric:"peers" help:"Peers in the map."`
	PeersAlive     uint64             `metric:"peers_alive" help:"Peers that answer probes."`
	PeersRelayed   uint64             `metric:"peers_relayed" help:"Peers reached by way of another node."`
	PeersInDoubt   uint64             `metric:"peers_in_doubt" help:"Peers whose way owes an answer."`
	Doubts         map[string]uint64  `metric:"doubts_total" label:"outcome" help:"Doubts of a way in use: answered by it, left for another, or dropped undecided."`
	WaysMute       uint64             `metric:"ways_mute" help:"Ways that answer probes and carry nothing."`
	Deaths         uint64             `metric:"peer_deaths_total" help:"Times that a peer was given up."`
	Streams        uint64             `metric:"streams" help:"Open streams, both directions."`
	Opened         uint64             `metric:"streams_opened_total" help:"Streams that this node tried to open."`
	OpenFailed     uint64             `metric:"streams_not_opened_total" help:"Streams that did not open."`
	Strays         uint64             `metric:"strays_refused_total" help:"Accepted streams reset because they did not show the pass of their node: another program of that machine made them."`
	Handshakes     uint64             `metric:"handshakes_started_total" help:"Handshakes started because a session was missing."`
	Renewed        uint64             `metric:"peers_renewed_total" help:"Peers made known to WireGuard anew because no session came about."`
	ProbesSent     uint64             `metric:"probes_sent_total" help:"Probes sent."`
	ProbesAnswered uint64             `metric:"probes_answered_total" help:"Probes that were answered."`
	ProbesForged   uint64             `metric:"probes_forged_total" help:"Datagrams that were no genuine probe."`
	ProbesForeign  uint64             `metric:"probes_foreign_total" help:"Probes of another version."`
	ProbesStale    uint64             `metric:"probes_stale_total" help:"Genuine probes that were not fresh; the first of a peer is not."`
	RTT            map[string]float64 `metric:"rtt_seconds" label:"peer" help:"Smoothed round-trip time."`
	Jitter         map[string]float64 `metric:"jitter_seconds" label:"peer" help:"Smoothed variation of the round-trip time."`
	Loss           map[string]float64 `metric:"loss_ratio" label:"peer" help:"Share of datagrams lost."`
	MTU            map[string]float64 `metric:"path_mtu_bytes" label:"peer" help:"Largest UDP payload that passes."`
	Switches       map[string]uint64  `metric:"switches_total" label:"peer" help:"Changes to another way."`
	Received       map[string]uint64  `metric:"received_bytes_total" label:"peer" help:"Bytes from the peer, as WireGuard counts them."`
	Sent           map[string]uint64  `metric:"sent_bytes_total" label:"peer" help:"Bytes to the peer, as WireGuard counts them."`
}

// Stats tells the numbers of now.
func (m *Mesh) Stats() Stats {
	paths := m.Paths()
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &m.count
	s := Stats{
		Serial: uint64(m.serial()), Peers: uint64(len(paths)), Deaths: c.deaths,
		Opened: c.opened, OpenFailed: c.openFailed, Handshakes: c.handshakes, Renewed: c.renewed, Strays: m.stray.Load(),
		ProbesSent: c.probesSent, ProbesAnswered: c.probesAnswered,
		ProbesForged: c.probesForged, ProbesForeign: c.probesForeign, ProbesStale: c.probesStale,
		Doubts: m.doubts(), RTT: map[string]float64{}, Jitter: map[string]float64{}, Loss: map[string]float64{}, MTU: map[string]float64{},
		Switches: map[string]uint64{}, Received: map[string]uint64{}, Sent: map[string]uint64{},
	}
	if m.up != nil && m.up.streams != nil {
		s.Streams = uint64(m.up.streams.Streams())
	}
	for _, p := range paths {
		s.add(p)
	}
	return s
}

// doubts are how many ended how.
func (m *Mesh) doubts() map[string]uint64 {
	d := m.table.Doubts()
	return map[string]uint64{"answered": d.Answered, "left": d.Left, "dropped": d.Dropped}
}

// add counts one peer.
func (s *Stats) add(p Path) {
	for _, one := range []struct {
		is    bool
		count *uint64
	}{{p.Alive, &s.PeersAlive}, {p.Alive && p.Way.Relayed(), &s.PeersRelayed}, {p.Alive && p.Doubt != "", &s.PeersInDoubt}} {
		if one.is {
			*one.count++
		}
	}
	for _, w := range p.Ways {
		if w.Life == path.Mute {
			s.WaysMute++
		}
	}
	id := string(p.Peer)
	s.RTT[id], s.Jitter[id], s.Loss[id], s.MTU[id] = p.RTT.Seconds(), p.Jitter.Seconds(), p.Loss, float64(p.MTU)
	s.Switches[id], s.Received[id], s.Sent[id] = p.Switches, p.RxBytes, p.TxBytes
}

// Path is what is known about the way to one peer, for status.
type Path struct {
	Peer      landfall.NodeID
	Way       path.Way       // in use; the zero Way if none is known
	Backup    path.Way       // taken if that fails; the zero Way where there is none
	Endpoint  netip.AddrPort // of the way in use; invalid if it is relayed or unknown
	Why       string         // why this way was taken, in words; empty for the first
	RTT       time.Duration  // smoothed; 0 is unknown
	Jitter    time.Duration
	Loss      float64 // from 0 to 1
	MTU       int     // largest UDP payload that passes
	Alive     bool
	Doubt     string // why the way is in doubt, so that what is urgent goes both ways; empty if it is not
	Switches  uint64
	Ways      []path.WayStatus // all that are known
	Serial    landfall.Serial  // of the map that the peer goes by; 0 is unknown
	Handshake time.Time        // WireGuard's last; zero if none
	RxBytes   uint64           // from the peer, as WireGuard counts them
	TxBytes   uint64
}

// Paths tells about all peers, in the order of their names.
func (m *Mesh) Paths() []Path {
	var sessions map[landfall.NodeID]wg.Session
	if up := m.now(); up != nil {
		sessions = up.dev.Sessions() // takes WireGuard's locks: not with ours held
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Path
	for _, peer := range m.list {
		if p := m.peers[peer.Node]; p != nil {
			out = append(out, m.pathTo(p, sessions[peer.Node]))
		}
	}
	return out
}

func (m *Mesh) pathTo(p *peer, w wg.Session) Path {
	now := time.Now()
	s, _ := m.table.Status(p.Node, now)
	return Path{
		Peer: p.Node, Way: s.Route.Primary, Backup: s.Route.Backup, Endpoint: s.Route.Primary.Addr, Why: s.Why,
		RTT: s.RTT, Jitter: s.Jitter, Loss: s.Loss, MTU: s.Route.MTU, Alive: s.Alive, Doubt: s.Doubt,
		Switches: p.switches, Ways: m.table.Ways(p.Node, now), Serial: p.serial,
		Handshake: w.Handshake, RxBytes: w.RxBytes, TxBytes: w.TxBytes,
	}
}

// now is what runs; nil while nothing does.
func (m *Mesh) now() *running {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up
}

// Front tells what streams are made of; false while Run has not brought it up.
func (m *Mesh) Front() (f Front, ok bool) {
	if up := m.now(); up != nil {
		return up.front, true
	}
	return Front{}, false
}

// WarmStats are the numbers of connections that stand ready.
func (m *Mesh) WarmStats() warm.Stats {
	if up := m.now(); up != nil && up.pool != nil {
		return up.pool.Stats()
	}
	return warm.Stats{}
}

// DoorStats are the numbers of connections that peers have begun.
func (m *Mesh) DoorStats() warm.DoorStats {
	if up := m.now(); up != nil && up.door != nil {
		return up.door.Stats()
	}
	return warm.DoorStats{}
}

// DeviceStats are the numbers of the data plane: datagrams sent both ways,
// sent again, relayed, fragmented and dropped.
func (m *Mesh) DeviceStats() wg.Stats {
	if up := m.now(); up != nil {
		return up.dev.Stats()
	}
	return wg.Stats{}
}

// FragmentStats tell what became of fragments that were received.
func (m *Mesh) FragmentStats() fragment.Stats {
	if up := m.now(); up != nil {
		return up.dev.Fragments()
	}
	return fragment.Stats{}
}

// SocketStats are the numbers of the sockets, together.
func (m *Mesh) SocketStats() (sum udp.Stats) {
	up := m.now()
	if up == nil {
		return sum
	}
	for _, s := range up.dev.Sockets() {
		add(&sum, s)
	}
	return sum
}

// add adds up numbers of the same kind, field by field.
func add(sum *udp.Stats, s udp.Stats) {
	to, more := reflect.ValueOf(sum).Elem(), reflect.ValueOf(s)
	for i := range to.NumField() {
		if f := to.Field(i); f.CanUint() {
			f.SetUint(f.Uint() + more.Field(i).Uint())
		} else {
			f.SetInt(f.Int() + more.Field(i).Int())
		}
	}
}
