// Package udp is the mesh's way to the network: sockets that move many
// datagrams per system call, each with its mark.
//
// A bound socket goes in, a Conn comes out: it reads datagrams with where they
// come from and the congestion mark they bear, and writes runs of them to one
// address under one mark. On Linux, a *net.UDPConn is read by recvmmsg and
// written by sendmmsg, and the kernel splits and joins equal datagrams (UDP_SEGMENT,
// UDP_GRO) where it can; don't-fragment is always set, and what the kernel has
// heard about path MTUs is not asked. Everything else that is a net.PacketConn
// moves one datagram at a time, with its mark if it is a MarkedConn.
//
// The package knows nothing of what is in datagrams, chooses no addresses, and
// keeps no queue but the kernel's.
package udp
