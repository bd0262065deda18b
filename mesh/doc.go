// Package mesh joins the nodes of a network: streams between them by name,
// encrypted and authenticated by WireGuard, over ways that it finds itself.
//
// Maps go in through SetMap, and bound packet conns; Dial and Open give
// streams to a service on a node, Listen accepts them, and PeerOf says who is
// at the other end. What is underneath, from the streams down:
//
//	warm      connections that stand ready, and the door they knock at
//	front     what streams are made of: tun, the kernel's TCP, or netstack
//	wg        WireGuard: routes, relaying, fragments, classes, second chances
//	udp       sockets in batches, with marks
//
// and beside them, pure: path decides which way to a peer is used, with pmtu
// for how much it carries; probe, relay and fragment are what travels beside
// WireGuard's own datagrams, class the marks they bear, and peers says from
// the map whom to keep sessions with.
//
// This package joins them. It sends the probes that path asks for and feeds it
// with their answers, with what peers report and with what the device saw; it
// gives the device its routes, has handshakes started where a session is
// missing, and chooses the front.
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
// WireGuard proves which machine a stream comes from; a pass that it begins
// with proves that it is the node's own process there (guard.go).
//
// Locks: applying, while peers change; keeping, while the pool is told what to
// keep; then mu, which guards the rest. With mu held, nothing of the device is
// called but Use and Traffic, which wait for no socket, and nothing of the pool.
//
// The package knows nothing of HTTP, decides nothing about who is a peer,
// and does not carry the map itself.
package mesh
