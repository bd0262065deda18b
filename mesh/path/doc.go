// Package path decides which way datagrams to a peer take.
//
// Which probes were sent and which were answered goes in, what the data plane
// saw and what other nodes report, each with its time; out comes, for every
// peer, the Route in use, whether the peer is alive, and which probes to send
// next. The package is pure: it asks no clock, opens no socket and sends
// nothing itself.
//
// The methods of a Table:
//
//	SetPeer(id, endpoints []netip.AddrPort, now) []Event
//	RemovePeer(id)
//	Heard(id, way Way, doubt bool, now)             a fresh ping came
//	Answered(id, Answer, now) (fresh bool, []Event) a pong came
//	Reported(from, []Report, now)                   what it said beside
//	Reports(to, n int, now) []Report                what to say in a pong
//	Traffic(id, []Traffic, now)                     before Tick, for those in Due
//	Active(id, now)                                 data on an idle pair
//	Ask(id, now)                                    probe the primary soon
//	TooBig(id, way Way, size int, now)              the socket refused the size
//	Due(now) []landfall.NodeID                      whose Traffic Tick wants
//	Tick(now) ([]Probe, []Event)
//	Next() time.Time
//	Status(id) (Status, bool)
//	Ways(id) []WayStatus
package path
