// Package wg is one node's end of the encrypted mesh: a WireGuard device in
// user space, the sockets under it and a TCP/IP stack over it. Nothing in it
// needs root.
//
// A key, an address inside the mesh and a bound packet conn go in, and then
// peers; streams to and from the addresses of those peers come out, as
// landfall.Stream. It is the only importer of golang.zx2c4.com/wireguard and
// gvisor.dev/gvisor.
//
//	streams  (stream.go, listen.go, run by loop.go)
//	   |
//	gVisor TCP over IPv6  (stack.go)
//	   |
//	nic: stack.LinkEndpoint above, tun.Device below  (nic.go)
//	   |
//	wireguard-go device  (device.go)
//	   |
//	bind: one opaque endpoint per peer  (bind.go)
//	   |
//	socket: a *net.UDPConn in batches, any net.PacketConn one by one  (socket.go)
//
// WireGuard sees peers, never addresses: which address a peer's datagrams go
// to is told to Use, by an owner who proves addresses with probes of its own.
// What arrives is WireGuard's to authenticate, whatever address it came from,
// and changes no address; WireGuard's cookies hold off floods of handshakes.
// Datagrams on the socket that are not WireGuard's are handed to that owner.
// The package decides neither who is a peer nor which path is best, and it
// does not know what the streams carry.
package wg
