package node

import (
	"net"
	"testing"

	"landfall"
)

// conns is a listener with a list of connections to accept.
type conns struct {
	net.Listener
	left []net.Conn
}

func (c *conns) Accept() (net.Conn, error) {
	if len(c.left) == 0 {
		return nil, net.ErrClosed
	}
	next := c.left[0]
	c.left = c.left[1:]
	return next, nil
}

// named is a connection from somebody.
type named struct {
	net.Conn
	who    string
	closed bool
}

func (n *named) RemoteAddr() net.Addr { return addr(n.who) }
func (n *named) Close() error         { n.closed = true; return nil }

type addr string

func (addr) Network() string  { return "mesh" }
func (a addr) String() string { return string(a) }

func TestGuardTurnsStrangersAway(t *testing.T) {
	stranger, friend := &named{who: "dns1"}, &named{who: "edge1"}
	g := &guarded{Listener: &conns{left: []net.Conn{stranger, friend}}, admit: func(who string) bool { return who == "edge1" }}
	c, err := g.Accept()
	if err != nil || c != net.Conn(friend) {
		t.Errorf("accepted %v, %v", c, err)
	}
	if !stranger.closed || friend.closed {
		t.Errorf("stranger closed %v, friend closed %v", stranger.closed, friend.closed)
	}
	if _, err := g.Accept(); err == nil {
		t.Error("the end of the listener is hidden")
	}
}

func TestWhatEdgesAreBelievedOnlyEdgesMaySay(t *testing.T) {
	for _, s := range []landfall.MeshService{landfall.MeshChat, landfall.MeshHTTP, landfall.MeshCerts} {
		if r := guests(s); len(r) != 1 || r[0] != landfall.RoleEdge {
			t.Errorf("%s is open to %v", s, r)
		}
	}
	if r := guests(landfall.MeshMap); r != nil {
		t.Errorf("the map is open to %v only: nodes without it could never learn", r)
	}
}
