package node

import (
	"container/list"
	"net"
	"sync"
	"time"

	"landfall"
	"landfall/edge/room"
	"landfall/edge/tunnel"
)

// guarded is a listener whose connections have passed the doorman.
type guarded struct {
	net.Listener
	doorman *doorman
	service landfall.MeshService
	places  *room.Shares[landfall.NodeID]
	in      chan net.Conn
	done    chan struct{} // closed when the listener below has ended
	err     error         // how; read only after done

	mu     sync.Mutex // guards what follows
	silent map[landfall.NodeID]*list.List
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	select {
	case c := <-g.in:
		return c, nil
	case <-g.done:
		return nil, g.err
	}
}

// receive accepts until the listener ends, which ends those who wait.
func (g *guarded) receive(waiting *sync.WaitGroup) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			g.end(err)
			return
		}
		id, ok := g.doorman.admit(g.service, c.RemoteAddr().String())
		switch {
		case !ok:
			g.doorman.reject(g.service, id, c, "its role in the map is another")
		case !g.places.Take(id):
			g.doorman.reject(g.service, id, c, "it has as many connections as a peer may have")
		default:
			g.doorman.add(g.service, 1)
			held := room.Hold(c, func() {
				g.doorman.add(g.service, -1)
				g.places.Give(id)
			})
			place := g.sit(id, held)
			waiting.Go(func() { g.await(id, place, held) })
		}
	}
}

func (g *guarded) end(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	close(g.done)
	for _, waiting := range g.silent {
		for e := waiting.Front(); e != nil; e = e.Next() {
			e.Value.(net.Conn).Close()
		}
	}
}

// sit puts a connection among those of its peer that have said nothing. Where
// they are too many, the longest silent gives way: an edge replaces a spare.
func (g *guarded) sit(id landfall.NodeID, c net.Conn) *list.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.silent[id]
	if waiting == nil {
		waiting = list.New()
		g.silent[id] = waiting
	}
	if first := waiting.Front(); waiting.Len() >= silentConns {
		tunnel.Abort(waiting.Remove(first).(net.Conn))
		g.doorman.count(g.doorman.shed, g.service)
	}
	return waiting.PushBack(c)
}

// rise ends the wait of a connection.
func (g *guarded) rise(id landfall.NodeID, place *list.Element) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if waiting := g.silent[id]; waiting != nil {
		waiting.Remove(place) // nothing, if it has given way
		if waiting.Len() == 0 {
			delete(g.silent, id)
		}
	}
}

// await lets a connection in once it has said something.
func (g *guarded) await(id landfall.NodeID, place *list.Element, c *room.Held) {
	var first [1]byte
	_ = c.SetReadDeadline(time.Now().Add(patience)) // of one that is closed: Read says so
	n, _ := c.Read(first[:])
	g.rise(id, place)
	if n == 0 || c.SetReadDeadline(time.Time{}) != nil {
		tunnel.Abort(c)
		return
	}
	select {
	case g.in <- &begun{c, first[:]}:
	case <-g.done:
		c.Close()
	}
}

// begun is a connection whose first octet was read ahead.
type begun struct {
	*room.Held
	ahead []byte
}

// Read implements net.Conn; one goroutine reads at a time.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.ahead) == 0 || len(p) == 0 {
		return b.Held.Read(p)
	}
	n := copy(p, b.ahead)
	b.ahead = b.ahead[n:]
	return n, nil
}
