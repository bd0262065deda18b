// Package probe is the wire form of what nodes ask each other to learn which
// path works: small authenticated datagrams beside WireGuard's, on the same
// socket.
//
// Keys come from the X25519 secret that two nodes share, one pair for each
// direction, so nobody else can make a probe and none can be turned back on
// its sender. A message goes in and 44 bytes come out, and the reverse; a
// Window tells a fresh ping from an old one. The package opens no socket and asks
// no clock: when to probe is package mesh's business, what the answers mean
// is package path's.
//
//	 0        1         2      3       4     12      20     28      44
//	+--------+---------+------+-------+------+-------+------+-------+
//	| 'L'    | version | kind | flags | id   | stamp | pass | MAC   |
//	+--------+---------+------+-------+------+-------+------+-------+
//
// A pong is fresh if it answers a ping under way. A ping is fresh if it shows
// the pass that the receiver hands out in its pongs, and was not heard before.
// The first ping cannot: it is answered, as every authentic ping is, and no
// more. So nothing is believed that was recorded before a restart, and no
// clock need be right:
//
//	| ------- ping, no pass ------> |  just restarted: believes nothing of it
//	| <------ pong, pass 7 -------- |
//	| ------- ping, pass 7 -------> |  believes it
//
// WireGuard's own messages begin with a byte from 1 to 4.
package probe
