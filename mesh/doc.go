// Package mesh joins the nodes of a network: streams between them by name,
// encrypted and authenticated by WireGuard, without root.
//
// Maps go in through SetMap, and one bound packet conn; Dial and Open give
// streams to a service on a node, Listen accepts them, and PeerOf says who is
// at the other end. Underneath, package wg holds the WireGuard device,
// package peers says from the map whom to keep sessions with, package path
// which of a peer's endpoints to use, and package probe how to ask. This
// package only joins them: it sends the probes, feeds their answers to the
// path table, and has handshakes started when a session is missing.
//
// Who starts a handshake: the side of a pair with the lower key. The other
// asks for one in its probes as long as it has no session, so that a pair
// heals within a few round trips after either side has restarted:
//
//	initiator                       other side (just restarted)
//	    | <------ ping, please initiate ---- |
//	    | ------- pong, initiation --------> |
//	    | <------ response ----------------- |
//	    | ------- keepalive, data ---------> |   session confirmed
//
// The package knows nothing of HTTP, decides nothing about who is a peer,
// and does not carry the map itself.
package mesh
