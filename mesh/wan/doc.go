// Package wan is a wide-area network to test on, in process: what is sent
// from one site to another arrives after the delay, the jitter, the queue and
// the losses of the link between them, and cuts can be made while it runs.
//
// In go a net.PacketConn or a function that dials, and the Site where it
// stands; out comes the same, but far away. A Network.PacketConn holds each
// datagram back on the sender's side and then really sends it on the inner
// socket. A Dialer models a client's links on a net.Conn: one round trip at
// connect, then half of it for each chunk in each direction. What happens to
// a packet is a function of the seed, the link and the packet's number, so a
// run can be repeated; both fronts work in testing/synctest bubbles, where
// arrivals are exact to the nanosecond. Network.Close ends all goroutines and
// waits for them; a bubble must call it, for its time stands still at its end.
//
// Streams know no slow start and no loss: a Dialer is arithmetic with real
// bytes, not a model of TCP. The package shapes nothing that the kernel
// carries by itself, and it has no opinion about distances: links are set by
// whoever builds the network.
package wan
