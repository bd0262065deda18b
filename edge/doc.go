// Package edge is where users arrive: it ends TLS near them and carries their
// requests to the home region.
//
// Connections go in through the listeners given to Server.Run, the network
// through Server.SetMap, certificates through Certificates. Requests, and the
// streams of services of kind tcp, come out through a Dialer, by the hosts of
// the map's services; every other host is refused, in the handshake where it
// can be (RFC 6066, 3) and with 421 Misdirected Request after it (RFC 9110,
// 15.5.20). Protocols that somebody else speaks (Config.Protocols) are handed
// over after the handshake. Redirect sends plain HTTP to HTTPS.
//
//	accept -> greet, hello -> serve -> (route, forward) -> Dialer
//	             |              |
//	             |            drain
//	             +-> stream -> (route, tunnel) -> Dialer
//	             +-> Handover
//
// DESIGN.md says why limits on clients, and other things, are as they are.
//
// The package stores no answers, obtains no certificates, decides nothing
// about who is sent to it, and does not know what carries its streams.
package edge
