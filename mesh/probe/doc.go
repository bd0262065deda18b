// Package probe is the wire form of what nodes ask each other to learn which
// path works: small authenticated datagrams beside WireGuard's, on the same
// socket.
//
// Keys come from the X25519 secret that two nodes share, one pair for each
// direction, so nobody else can make a probe and none can be turned back on
// its sender. A message goes in and 64 bytes come out, more with reports or
// padding, and the reverse; a Window tells a fresh ping from an old one. The
// package opens no socket and asks no clock: when to probe is package mesh's
// business, what the answers mean is package path's.
//
//	0     1         2      3       4    12      20     28    32     36
//	+-----+---------+------+-------+----+-------+------+-----+-------+
//	| 'L' | version | kind | flags | id | stamp | pass | way | sent, |
//	|     |         |      |       |    |       |      |     | heard |
//	+-----+---------+------+-------+----+-------+------+-----+-------+
//	36        38      39  40       48
//	+---------+-------+---+--------+---------+---------+-----+
//	| size,   | count | 0 | serial | count   | a ping: | MAC |
//	| largest |       |   |        | reports | zeros   |     |
//	+---------+-------+---+--------+---------+---------+-----+
//
// The MAC, HMAC-SHA-256 cut to 128 bits, covers all that is before it. A
// message has one wire form and a wire form is one message.
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
// What is not authentic gets no answer, and a ping that is not fresh a plain
// pong of MinSize bytes, which no ping is smaller than: who repeats what he
// recorded, in whoever's name, gains nothing by it. Only the answer to a fresh
// ping has reports; pongs are never padded. A ping is fresh once, and not once
// much younger ones have been heard. From an address that has answered nothing
// yet, it gets a bare pong too, and a few pings: that is all that a peer gains
// which sends in the name of somebody else's address.
//
// Nodes of different versions refuse each other's probes. ErrVersion says so,
// that they may be counted apart from forgeries.
//
// WireGuard's own messages begin with a byte from 1 to 4.
package probe
