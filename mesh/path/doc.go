// Package path decides which way datagrams to a peer take.
//
// Which probes were sent and which were answered goes in, what the data plane
// saw and what other nodes report, each with its time; out comes, for every
// peer, the Route in use, whether the peer is alive, and which probes to send
// next. A Table holds
//
//	peer -> ways (straight to an address, or through a third node) -> a primary and a backup
//
// A way's life:
//
//	       pong                     late probe
//	new ---------> alive  <------------------------> suspect
//	 |               ^  ^           pong                |
//	 |          pong |  | a minute, doubling            | DeadAfter late, and another way
//	 |               |  v                               v answers or a second has passed
//	 +------------> dead  mute <- it answers,          dead
//	  DeadAfter late              but carries nothing
//
// While a pair has data to send, every way in use is probed once an Interval;
// an idle pair costs less than 2 kB a minute. What the data plane sees counts
// for more than probes: if data goes without answer for longer than it should,
// the route is in doubt. Interactive datagrams then go both ways, and probes
// decide within one round trip: cleared, or dead and left for the backup. With
// 150 ms between two nodes, that is 290 ms after a busy path was cut.
//
// Ways through third nodes come from reports: each pong tells how its sender's
// own ways to other nodes are, so the sum of two halves proposes the best
// relays. Whether one is used, its own probes decide, end to end.
//
// The choice is free while a way is new and reluctant afterwards: see
// DESIGN.md, which also says how costs are reckoned and why.
//
// The caller tells the Traffic of the peers in Due, then calls Tick, whenever
// Next says so; and Active, Heard, Answered and Reported as things happen,
// after which Next may be sooner. Routes go to the data plane as they come.
//
// The package is pure: it asks no clock, opens no socket and sends nothing
// itself. It does not know how probes and reports are written, who may relay,
// or what the data is.
package path
