// Package netstack is the front of the mesh that needs no root: TCP over IPv6
// in user space, by gVisor. It is the only importer of gvisor.dev/gvisor.
//
// An address inside the mesh goes in, and then packets for it; streams to and
// from other addresses of the mesh come out, and packets that carry them.
//
//	streams             (endpoint.go, open.go, listen.go; package front)
//	   |
//	gVisor TCP over IPv6  (stack.go; budget.go bounds what it holds)
//	   |
//	nic: stack.LinkEndpoint above, front.Packets below  (nic.go)
//
// The package believes the source addresses of packets: package wg has proved
// them. An ICMPv6 message Packet Too Big among them makes the connections it
// is about send smaller segments from then on. The package does not know what
// the streams carry, and nothing of it is known to the kernel: other programs
// on the machine do not see the mesh.
package netstack
