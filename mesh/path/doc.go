// Package path decides which way datagrams to a peer take.
//
// Which probes were sent and which were answered goes in, what the data plane
// saw and what other nodes report, each with its time; out comes, for every
// peer, the Route in use, whether the peer is alive, and which probes to send
// next. The package is pure: it asks no clock, opens no socket and sends
// nothing itself.
package path
