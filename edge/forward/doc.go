// Package forward carries requests over the mesh to where they are answered.
//
// A request and the targets that can answer it go in (Forwarder.Serve); the
// answer comes out as it arrives, unbuffered: pages, WebSockets, server-sent
// events and endless JSON alike. What goes wrong comes out as a short answer
// and a count that say whose fault it was: the client's, the mesh's, the
// origin's or our own. A request is tried again only if it was never sent or
// may be sent twice (RFC 9110, 9.2.2).
//
//	Serve -> exchange -> link (one for each target) -> spare -> Dialer
//
// To every target a few connections are dialled before anyone needs them, so
// that a request from a quiet edge crosses the ocean once and not twice.
//
// Upstreams is the other end: in the home region it hands the requests that
// came over the mesh to the URLs of the services.
//
// The package does not decide which service a request is for, ends no TLS,
// stores no answers and knows nothing of the map beyond targets.
package forward
