// Package path decides which way datagrams to a peer take.
//
// Which probes were sent and which were answered goes in, each with its time;
// out comes, for every peer, the endpoint in use, its round-trip time and
// loss, whether it is alive, and which probes to send next. A Table holds
//
//	peer -> candidates (endpoints that may lead to it) -> the chosen one
//
// and changes its choice reluctantly. The package is pure: it asks no clock,
// opens no socket and sends nothing itself.
//
// A candidate's life:
//
//	       pong                     late probe
//	new ---------> alive  <------------------------> suspect
//	 |               ^            pong                  |
//	 |               | pong                             | DeadAfter late probes in a row
//	 |               |                                  v
//	 +------------> dead <------------------------------+
//	  DeadAfter late probes in a row
//
// An alive or dead candidate is probed every Interval, a new or suspect one
// every Hurry. A probe is late after the round-trip time and four times its
// variation, 250 ms at least, one second where no round trip was measured
// yet. So between two nodes 140 ms apart a path that is cut is dead 0.9 s
// after the first probe that got no answer (2 × 0.25 s for the first and the
// last of four to be late, 2 × 0.2 s between them), 0.9 s to 1.9 s after the
// cut; one that never answered is given up after 1.6 s.
// What was sent before the first answer does not count as lost.
//
// A peer is alive while its chosen candidate is, and as long as it speaks:
// probes may be late behind data, which is itself a sign of life.
package path
