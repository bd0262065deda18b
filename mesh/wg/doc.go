// Package wg is one node's end of the encrypted mesh: a WireGuard device in
// user space between a front, which packets come from and go to, and sockets.
//
// A key, a front and sockets go in, and then peers, each with a route; packets
// of those peers come out, authentic, and what was seen on each way to them.
// With mesh/tun it is the only importer of golang.zx2c4.com/wireguard.
//
//	front.Packets
//	   |                                ^
//	egress: class queues, window        | ingress: marks, segment sizes,
//	   |    (queue.go, window.go)       |          counts of each way
//	   v                                |
//	wireguard-go device  (tunnel.go and bind.go are what it sees of us)
//	   |                                ^
//	send: runs of one mark, second      | receive: sorts by the first byte,
//	   |    ways, fragments             |          unwraps, puts together
//	   |                                |
//	   |          forward  <------------+ frames for other nodes
//	   v             v                  |
//	udp.Conn                            udp.Conn
//
// WireGuard sees peers, never addresses: how a peer's datagrams go is told to
// Use, by an owner who proves ways with probes of its own. What arrives is
// WireGuard's to authenticate, whatever way it came, and changes no route;
// WireGuard's cookies hold off floods of handshakes. Probes are handed to that
// owner. The front hands over whole packets, with finished checksums.
//
// The package decides neither who is a peer nor which way is best, and it does
// not know what the packets carry. DESIGN.md says why it is as it is.
package wg
