package mesh

import (
	"net/netip"
	"time"

	"landfall"
	"landfall/mesh/wg"
)

// counters are guarded by Mesh.mu.
type counters struct {
	probesSent, probesAnswered, probesRefused uint64
	handshakes, opened, openFailed            uint64
}

// Stats are the mesh's numbers.
type Stats struct {
	Serial         uint64             `metric:"map_serial" help:"Serial of the map in use."`
	Peers          uint64             `metric:"peers" help:"Peers in the map."`
	PeersAlive     uint64             `metric:"peers_alive" help:"Peers that answer probes."`
	Streams        uint64             `metric:"streams" help:"Open streams, both directions."`
	Opened         uint64             `metric:"opened_total" help:"Streams that this node tried to open."`
	OpenFailed     uint64             `metric:"open_failures_total" help:"Streams that did not open."`
	Handshakes     uint64             `metric:"handshakes_started_total" help:"Handshakes started because a session was missing."`
	ProbesSent     uint64             `metric:"probes_sent_total" help:"Probes sent."`
	ProbesAnswered uint64             `metric:"probes_answered_total" help:"Probes that were answered."`
	ProbesRefused  uint64             `metric:"probes_refused_total" help:"Datagrams that were no genuine, fresh probe; the first of a peer is none."`
	RTT            map[string]float64 `metric:"rtt_seconds" label:"peer" help:"Smoothed round-trip time."`
	Loss           map[string]float64 `metric:"loss_ratio" label:"peer" help:"Smoothed share of probes lost."`
	Received       map[string]uint64  `metric:"received_bytes_total" label:"peer" help:"Bytes from the peer, on the wire."`
	Sent           map[string]uint64  `metric:"sent_bytes_total" label:"peer" help:"Bytes to the peer, on the wire."`
}

// Stats tells the numbers of now.
func (m *Mesh) Stats() Stats {
	paths := m.Paths()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{
		Peers: uint64(len(paths)), Opened: m.count.opened, OpenFailed: m.count.openFailed,
		Handshakes: m.count.handshakes, ProbesSent: m.count.probesSent,
		ProbesAnswered: m.count.probesAnswered, ProbesRefused: m.count.probesRefused,
		RTT: map[string]float64{}, Loss: map[string]float64{},
		Received: map[string]uint64{}, Sent: map[string]uint64{},
	}
	if m.current != nil {
		s.Serial = uint64(m.current.Serial)
	}
	if m.dev != nil {
		s.Streams = uint64(m.dev.Streams())
	}
	for _, p := range paths {
		if p.Alive {
			s.PeersAlive++
		}
		id := string(p.Peer)
		s.RTT[id], s.Loss[id] = p.RTT.Seconds(), p.Loss
		s.Received[id], s.Sent[id] = p.RxBytes, p.TxBytes
	}
	return s
}

// Path is what is known about the way to one peer, for status.
type Path struct {
	Peer      landfall.NodeID
	Endpoint  netip.AddrPort // in use; invalid if none is known
	RTT       time.Duration  // smoothed; 0 is unknown
	Loss      float64        // smoothed, from 0 to 1
	Alive     bool
	Handshake time.Time // WireGuard's last; zero if none
	RxBytes   uint64    // from the peer, on the wire
	TxBytes   uint64
}

// Paths tells about all peers, in the order of their names.
func (m *Mesh) Paths() []Path {
	m.mu.Lock()
	dev := m.dev
	m.mu.Unlock()
	var sessions map[landfall.PublicKey]wg.Session
	if dev != nil {
		sessions = dev.Sessions() // takes WireGuard's locks: not with ours held
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Path
	for _, peer := range m.list {
		p := m.peers[peer.Node]
		if p == nil {
			continue
		}
		s, _ := m.table.Status(p.Node)
		w := sessions[p.Key]
		out = append(out, Path{
			Peer: p.Node, Endpoint: s.Addr, RTT: s.RTT, Loss: s.Loss, Alive: s.Alive,
			Handshake: w.Handshake, RxBytes: w.RxBytes, TxBytes: w.TxBytes,
		})
	}
	return out
}
