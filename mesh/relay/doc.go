// Package relay is the wire form of datagrams that travel through a third
// node.
//
// A datagram for a peer goes in and a frame for the node in between comes
// out; there the frame is opened, the same datagram sealed for the peer, and
// opened again at its end. The datagram itself is WireGuard's ciphertext, a
// probe or a fragment of one: the node in between learns who talks to whom,
// and no more.
//
//	source                   relay                  destination
//	  | -- first hop, far = destination --> |                 |
//	  |                      | -- second hop, far = source -> |
//
//	 0        1         2       10      18      34
//	+--------+---------+-------+-------+-------+---------
//	| 'R'    | version | id    | far   | MAC   | payload
//	+--------+---------+-------+-------+-------+---------
//
// The id tells which pair of nodes, direction and hop a frame belongs to, and
// so which key opens it; far is the short name of the node that is not on this
// hop. The keys come from the X25519 secret of the two nodes on the hop, one
// for each direction and hop. So nobody else makes a frame, none can be turned
// back on its sender, and none that has been relayed is relayed again: what
// arrives on a second hop is for the node itself, always.
//
// The MAC covers the header and the whole payload, for else a datagram of
// anybody's could be put into a recorded header and a relay made to send it.
// A recorded frame may be sent again: Open takes it again, and whoever relays
// has to know it for a repetition, by its MAC. One that slips through goes to
// the node it was meant for, where WireGuard and package probe know it.
//
// The MAC is HMAC-SHA-256 cut to 128 bits (RFC 2104, 5): about 1.1 µs for 1400
// bytes on a processor with SHA instructions and 2.9 µs without, and nothing
// is allocated. Measured beside it on the same machine: keyed BLAKE2s 4.0 µs;
// AES-CBC-MAC, which cannot run in parallel, 1.5 µs; GMAC 0.24 µs and Poly1305
// 0.37 µs, but each of these two gives its key away when a number is used
// twice, and two nodes that restart at any moment have no number that surely
// never was. BenchmarkOpen repeats the measurement.
//
// The package does not decide who relays for whom, nor which frames to send.
package relay
