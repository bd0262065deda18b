package wg

import "sync/atomic"

// Stats are the device's numbers since it started.
type Stats struct {
	Sent         uint64            `metric:"data_datagrams_sent_total" help:"Data datagrams that WireGuard sent, once each."`
	Heard        uint64            `metric:"data_datagrams_authenticated_total" help:"Data datagrams of peers, authenticated."`
	Doubled      uint64            `metric:"doubled_total" help:"Datagrams sent on the backup way too while the primary was in doubt."`
	Resent       uint64            `metric:"resent_total" help:"Datagrams sent again on the backup way when doubt began."`
	Twins        uint64            `metric:"twins_total" help:"Second copies that were dropped before they were decrypted."`
	Relayed      uint64            `metric:"relayed_total" help:"WireGuard's datagrams forwarded for other nodes."`
	RelayedBytes uint64            `metric:"relayed_bytes_total" help:"Bytes of WireGuard's datagrams forwarded for other nodes."`
	Probes       uint64            `metric:"relayed_probes_total" help:"Probes forwarded for other nodes, which look whether there is a way here."`
	ProbeBytes   uint64            `metric:"relayed_probe_bytes_total" help:"Bytes of probes forwarded for other nodes."`
	Fragmented   uint64            `metric:"fragmented_total" help:"Datagrams sent in fragments."`
	TooBigTold   uint64            `metric:"too_big_told_total" help:"Packet Too Big messages given to the front."`
	Clamped      uint64            `metric:"segment_sizes_lowered_total" help:"TCP handshakes whose segment size was lowered."`
	Marked       uint64            `metric:"congestion_marks_total" help:"Congestion marks taken over from the outer header."`
	Inside       int64             `metric:"inside_bytes" help:"Bytes between the class queues and the socket."`
	Unmarked     uint64            `metric:"congestion_marks_left_out_total" help:"Congestion marks on datagrams whose packets cannot bear one; they pass without."`
	Queued       map[string]int64  `metric:"queued_bytes" label:"class" help:"Bytes that wait in a class queue."`
	QueueDropped map[string]uint64 `metric:"queue_dropped_total" label:"class" help:"Packets dropped because their class queue was full."`
	Dropped      map[string]uint64 `metric:"dropped_total" label:"reason" help:"Datagrams and packets dropped, by reason."`
}

// reason says why something was dropped.
type reason int

// The reasons.
const (
	tooLong        reason = iota // a datagram longer than maxDatagram
	unknownKind                  // a datagram of no kind that there is
	badFragment                  // see fragment.Stats
	handshakeAgain               // an initiation that was taken before
	unknownFrame                 // a relayed frame whose pair is not known
	forgedFrame                  // a relayed frame with a wrong MAC
	badPayload                   // a relayed frame with something in it that may not be
	unknownFar                   // a relayed frame from or to a node that is no peer
	notForUs                     // to be forwarded for a node that we do not relay for
	noDirectWay                  // to be forwarded where we have no direct way
	relayBusy                    // to be forwarded for a pair that has used up its rate, or by a socket that is busy
	repeated                     // to be forwarded once more
	noRoute                      // sent to a peer without a route
	unsendable                   // refused by the socket
	noPeer                       // a packet to an address that is nobody's
	notIP                        // a packet that is neither IPv4 nor IPv6, or too short
	packetTooLong                // a packet longer than the MTU
	reasons
)

var reasonNames = [reasons]string{
	"datagram_too_long", "datagram_unknown", "bad_fragment", "handshake_repeated", "relayed_pair_unknown", "relayed_forged", "relayed_malformed", "relayed_peer_unknown",
	"relay_refused", "relay_no_way", "relay_busy", "relay_repeated", "no_route", "unsendable", "no_peer", "not_ip", "packet_too_long",
}

// counters are Stats that are counted.
type counters struct {
	sent, heard, doubled, resent, twins   atomic.Uint64
	relayed, relayedBytes, fragmented     atomic.Uint64
	probes, probeBytes                    atomic.Uint64
	tooBigTold, clamped, marked, unmarked atomic.Uint64
	dropped                               [reasons]atomic.Uint64
}

func (c *counters) drop(r reason, n int) { c.dropped[r].Add(uint64(n)) }

func (c *counters) stats() Stats {
	s := Stats{
		Sent: c.sent.Load(), Heard: c.heard.Load(), Doubled: c.doubled.Load(), Resent: c.resent.Load(),
		Twins: c.twins.Load(), Relayed: c.relayed.Load(), RelayedBytes: c.relayedBytes.Load(), Probes: c.probes.Load(), ProbeBytes: c.probeBytes.Load(),
		Fragmented: c.fragmented.Load(), TooBigTold: c.tooBigTold.Load(), Clamped: c.clamped.Load(), Marked: c.marked.Load(), Unmarked: c.unmarked.Load(),
		Dropped: map[string]uint64{},
	}
	for r, name := range reasonNames {
		s.Dropped[name] = c.dropped[r].Load()
	}
	return s
}
