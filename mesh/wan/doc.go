// Package wan is a wide-area network to test on: what is sent from one site
// to another arrives after the delay, the jitter, the queue and the losses of
// the link between them, and cuts can be made while it runs.
//
// In go a net.PacketConn, a function that dials or a TUN device, and the Site
// where it stands; out comes the same, but far away. A Network.PacketConn
// holds each datagram back on the sender's side and then really sends it on
// the inner socket. A Dialer models a client's links on a net.Conn: one round
// trip at connect, then half of it for each chunk in each direction. A Router
// carries the IP packets of whole machines, such as network namespaces, whose
// own TCP then does what TCP does. What happens to a packet is a function of
// the seed, the link and the packet's number, so a run can be repeated; the
// first two fronts work in testing/synctest bubbles, where arrivals are exact
// to the nanosecond. Network.Close ends all goroutines and waits for them; a
// bubble must call it, for its time stands still at its end.
//
// Streams know no slow start and no loss: a Dialer is arithmetic with real
// bytes, not a model of TCP. A Router sees what the kernel routes to it and
// nothing else: making namespaces, devices and routes is its caller's work.
// The package has no opinion about distances: links are set by whoever builds
// the network.
package wan
