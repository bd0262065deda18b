package room

import "math"

// What a connection is taken to cost in memory: what it holds, and as much
// again for the garbage collector.
const (
	clientCost = 128 << 10 // TLS, and HTTP/2 with a request under way
	peerCost   = 64 << 10  // a stream of the mesh, and what serves it
)

// The most that a plan says, however large the machine is.
const (
	mostClients   = 32768
	mostRedirects = 4096
)

// Plan is how many connections of each kind a process may have open. All that
// cost descriptors add up to less than it may open, so that accepting, and
// what operators ask, never fails for what clients do:
//
//	1/4   clients of HTTPS and of ports of services
//	1/32  clients of plain HTTP
//	1/4   upstreams of kind http
//	1/8   upstreams of kind tcp
//	11/32 the node itself: sockets, files, DNS over TCP, the control socket
type Plan struct {
	Clients   int // of HTTPS and of ports of services: 128 KiB of memory each as well
	Redirects int // clients of plain HTTP
	Upstreams int // connections to upstreams of kind http
	Streams   int // connections to upstreams of kind tcp
	Peers     int // that peers have open to services of this node: memory alone, 64 KiB each
}

// Of makes the plan for a process that may open so many descriptors and use
// so many octets of memory. None of its numbers is less than one.
func Of(files, memory uint64) Plan {
	clients := min(files/4, memory/clientCost, mostClients)
	return Plan{
		Clients:   whole(clients),
		Redirects: whole(min(clients/8, mostRedirects)),
		Upstreams: whole(files / 4),
		Streams:   whole(files / 8),
		Peers:     whole(memory / peerCost),
	}
}

func whole(n uint64) int { return int(max(1, min(n, math.MaxInt32))) }
