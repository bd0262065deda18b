// Package tun is the front of the mesh on the kernel's own TCP/IP, behind a
// TUN device. It needs the right to administer the network (CAP_NET_ADMIN),
// and it is Linux's. Of golang.zx2c4.com/wireguard it imports package tun
// only, which moves packets in batches of up to 64 KiB a system call.
//
// An address inside the mesh and a name for the device go in, and then packets
// for the address; out come packets that the kernel routes to the mesh, and
// streams to and from other addresses of the mesh:
//
//	streams                          other programs: PostgreSQL, SSH, ping
//	   |  (package front)                    |
//	sockets bound to the device,             |
//	one epoll for all (poll.go)              |
//	   '---------- kernel: TCP, IPv6 --------'
//	                     |
//	    TUN device, address/128, route to the mesh   (device.go, netlink.go)
//	                     |
//	               front.Packets
//
// The sockets ask for congestion control by BBR, which paces and does not
// forget a path while it is idle; where the kernel does not list it, what is
// there is used, and said once. The buffers tune themselves within the limits
// of net.ipv4.tcp_rmem and tcp_wmem, whose defaults are good for 200 Mbit/s at
// 150 ms.
//
// What others take from the device, its address, route, MTU or that it is up,
// is put back as soon as the kernel tells of it (keeper.go). A device that was
// removed, or that cannot be mended, ends the front: Read says why.
//
// What protects the host: packets come in from the addresses of peers only,
// which package wg has proved, and only to this node's own address, which this
// package sees to, so that a host that forwards does not do so for peers.
// Of what listens on this machine they reach the mesh's own services, answers,
// and what Config.Filter allows (package filter); all else is dropped and
// counted. What other programs send is of the class Interactive at most. The
// mesh's own services listen on the device alone. Packets that come in by
// another device for the address, with sources of the mesh, never pass here:
// they are for the machine's firewall to drop. The package changes no sysctl,
// and nothing of it outlives the process: device, address and route go with
// it.
package tun
