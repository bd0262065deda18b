// Package wan is a wide-area network to test on: what is sent from one site
// to another meets what wide-area networks have in store for it, and that can
// be changed while it runs.
//
// In go packet conns, functions that dial or TUN devices, and the Site where
// each stands; out comes the same, but far away. One core decides, four fronts
// carry:
//
//	Link, Burst, Event, NAT     values, and functions of them: no clock, no lock
//	        |
//	     Network                which sites there are, and what is between them
//	        |
//	   .----+-------.-------------.--------------.
//	Memory      PacketConn      Dialer         Router
//	nodes in    what a socket   streams of     IP packets of
//	memory      sends           a client       whole machines
//
// A Link has delay, jitter, reordering, losses by themselves and in bursts,
// duplicates, a rate with a queue that drops or marks (ECN), an MTU with or
// without notice, and can be down, each direction for itself. A schedule of
// Events cuts, heals, slows, reroutes and narrows links at set times. What
// happens to a packet is a function of the seed, the link and the packet's
// number, so a run can be repeated.
//
// A Memory joins packet conns in one process, with NATs before sites that want
// them, and sums up all traffic in a Trace. A Network.PacketConn holds each
// datagram back on the sender's side and then really sends it on the inner
// socket. A Dialer models a client's links on a net.Conn: one round trip at
// connect, then half of it for each chunk in each direction. A Router carries
// the packets of network namespaces, whose own TCP then does what TCP does.
// The first three work in testing/synctest bubbles, where arrivals are exact
// to the nanosecond; a Memory then is the same on every run, for what is sent
// in one instant is taken in sorted order and no two datagrams are delivered
// in the same nanosecond. Network.Close ends all goroutines and waits for
// them; a bubble must call it, for its time stands still at its end.
//
// Streams know no slow start and no loss: a Dialer is arithmetic with real
// bytes, not a model of TCP. A Router sees what the kernel routes to it and
// nothing else: making namespaces, devices and routes is its caller's work,
// and NATs there are the kernel's. The package has no opinion about distances:
// links are set by whoever builds the network; package day has one world.
// Why things are as they are: DESIGN.md.
package wan
