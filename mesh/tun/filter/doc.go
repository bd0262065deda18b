// Package filter says which packets of peers reach this machine through the
// mesh's device, and what class those that leave may claim.
//
// A packet and what the operator allows go in, and a verdict comes out. By
// default a peer reaches the mesh's own services and nothing else of what
// listens here:
//
//	TCP    segments that open a connection (SYN without ACK) only to the
//	       mesh's services and to allowed ports; all others, since the kernel
//	       knows what it has begun itself
//	UDP    to allowed ports, and from where this machine has sent to lately
//	       (Sent)
//	ICMP   errors, and echoes (RFC 4443)
//	else   nothing: no other protocol, no extension headers but fragments
//
// Of fragments the first is judged, which has to hold the whole header; the
// others pass, as without the first they come to nothing (RFC 8200, 4.5).
//
// The package is pure. It sees neither addresses, which its user has checked,
// nor what is inside a connection.
package filter
