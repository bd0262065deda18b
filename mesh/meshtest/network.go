package meshtest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"landfall"
	"landfall/mesh/conn"
)

// Network joins nodes in memory.
type Network struct {
	mu        sync.Mutex
	listeners map[place]*listener
	nodes     map[netip.Addr]landfall.NodeID
	port      uint16 // last one given to a dialer
}

type place struct {
	node    landfall.NodeID
	service landfall.MeshService
}

// NewNetwork makes a network without nodes.
func NewNetwork() *Network {
	return &Network{listeners: map[place]*listener{}, nodes: map[netip.Addr]landfall.NodeID{}}
}

// Node is one node's part of the network, with the methods of mesh.Mesh.
type Node struct {
	network *Network
	id      landfall.NodeID
	addr    netip.Addr
}

// Node gives the node of that name, which exists from the first time on.
func (n *Network) Node(id landfall.NodeID) *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	addr := landfall.MeshAddr("meshtest", id)
	n.nodes[addr] = id
	return &Node{network: n, id: id, addr: addr}
}

// Dial opens a stream as a net.Conn.
func (n *Node) Dial(ctx context.Context, t landfall.Target) (net.Conn, error) {
	from, l, err := n.find(ctx, t)
	if err != nil {
		return nil, err
	}
	near, far := newLink()
	there, err := wrap(far, l.addr, from)
	if err != nil {
		return nil, err
	}
	here, err := wrap(near, from, l.addr)
	if err != nil {
		return nil, err
	}
	if err := l.offer(ctx, there); err != nil {
		here.Close()
		return nil, err
	}
	return here, nil
}

// Open opens a stream and sends the first bytes.
func (n *Node) Open(ctx context.Context, t landfall.Target, first []byte, sink landfall.Sink) (landfall.Stream, error) {
	from, l, err := n.find(ctx, t)
	if err != nil {
		return nil, err
	}
	near, far := newLink()
	there, err := wrap(far, l.addr, from)
	if err != nil {
		return nil, err
	}
	if _, err := near.Write(first); err != nil {
		return nil, err
	}
	if err := l.offer(ctx, there); err != nil {
		return nil, err
	}
	near.start(sink)
	return near, nil
}

func wrap(e *end, local, remote net.Addr) (net.Conn, error) {
	return conn.Open(func(sink landfall.Sink) (landfall.Stream, net.Addr, net.Addr, error) {
		e.start(sink)
		return e, local, remote, nil
	})
}

// find looks for who listens, and gives the dialer an address.
func (n *Node) find(ctx context.Context, t landfall.Target) (from net.Addr, l *listener, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	l = n.network.listeners[place{t.Node, t.Service}]
	if l == nil {
		return nil, nil, fmt.Errorf("peer %s does not serve %s: %w", t.Node, t.Service, syscall.ECONNREFUSED)
	}
	n.network.port++
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.addr, n.network.port)), l, nil
}

// Listen accepts the streams to a service of this node.
func (n *Node) Listen(s landfall.MeshService) (net.Listener, error) {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	at := place{n.id, s}
	if n.network.listeners[at] != nil {
		return nil, fmt.Errorf("mesh service %s: somebody listens already", s)
	}
	l := &listener{
		network: n.network, at: at, queue: make(chan net.Conn, 128), done: make(chan struct{}),
		addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.addr, 1)),
	}
	n.network.listeners[at] = l
	return l, nil
}

// PeerOf names the node behind the remote address of a stream.
func (n *Node) PeerOf(remote string) (landfall.NodeID, bool) {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "", false
	}
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	id, ok := n.network.nodes[a.Addr()]
	return id, ok
}

type listener struct {
	network *Network
	at      place
	addr    net.Addr
	queue   chan net.Conn
	done    chan struct{}
	once    sync.Once
}

// offer waits for room in the queue.
func (l *listener) offer(ctx context.Context, c net.Conn) error {
	select {
	case l.queue <- c:
		return nil
	case <-l.done:
		c.Close()
		return fmt.Errorf("peer %s does not serve %s: %w", l.at.node, l.at.service, syscall.ECONNREFUSED)
	case <-ctx.Done():
		c.Close()
		return context.Cause(ctx)
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Streams that nobody accepted are reset.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.at)
		l.network.mu.Unlock()
		close(l.done)
		for {
			select {
			case c := <-l.queue:
				c.Close()
				continue
			default:
			}
			return
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }
