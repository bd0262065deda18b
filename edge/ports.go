package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// portRetry is how long after a failure a port is tried again.
const portRetry = 5 * time.Second

// ports keeps a listener open on each port of its own that a service of kind
// tcp has in the map. What fails is told, counted and tried again; it never
// touches another port.
type ports struct {
	door *door
	open map[uint16]*port
	said map[uint16]string // the last fault of each, to tell it once
}

// port is one that is open.
type port struct {
	close     context.CancelFunc
	accepting sync.WaitGroup
	broken    <-chan struct{} // closed when a listener has broken
}

// keepPorts returns when ctx has ended and all ports are closed.
func (d *door) keepPorts(ctx context.Context) {
	p := &ports{door: d, open: make(map[uint16]*port), said: make(map[uint16]string)}
	select {
	case <-d.look: // what it was told before it looks at all is no news
	default:
	}
	for ctx.Err() == nil {
		var again <-chan time.Time
		if !p.fit(ctx) {
			again = time.After(portRetry)
		}
		select {
		case <-ctx.Done():
		case <-d.look:
		case <-again:
		}
	}
	for n := range p.open {
		p.shut(n)
	}
}

// fit opens and closes what the map asks for. It reports whether all is as it
// should be.
func (p *ports) fit(ctx context.Context) bool {
	wanted := make(map[uint16]bool)
	for _, n := range p.door.view.Load().table.Ports() {
		wanted[n] = true
	}
	for n, o := range p.open {
		select {
		case <-o.broken:
			p.shut(n)
		default:
			if !wanted[n] {
				p.shut(n)
				p.door.log.Info("port closed", "port", n)
			}
		}
	}
	whole := true
	state := make(map[string]uint64)
	for n := range wanted {
		state[strconv.Itoa(int(n))] = 1
		if p.open[n] == nil && !p.listen(ctx, n) {
			state[strconv.Itoa(int(n))] = 0
			whole = false
		}
	}
	for n := range p.said {
		if !wanted[n] {
			delete(p.said, n)
		}
	}
	p.door.ports.Store(&state)
	return whole
}

// listen opens one port.
func (p *ports) listen(ctx context.Context, n uint16) bool {
	listeners, err := p.bind(n)
	if err != nil {
		p.door.tally.portErrors.Add(1)
		if p.said[n] != err.Error() {
			p.said[n] = err.Error()
			p.door.log.Warn("port cannot be opened", "port", n, "err", err, "cure", "free the port or give the service another; it is tried again every "+portRetry.String())
		}
		return false
	}
	delete(p.said, n)
	p.door.log.Info("port open", "port", n)
	ctx, closing := context.WithCancel(ctx)
	broken, breaking := context.WithCancel(context.Background())
	o := &port{broken: broken.Done(), close: func() { closing(); breaking() }}
	for _, l := range listeners {
		o.accepting.Go(func() {
			if err := p.door.accept(ctx, l, n); err != nil {
				p.door.log.Warn("port broken", "port", n, "err", err)
				breaking()
				p.door.lookAgain()
			}
		})
	}
	p.open[n] = o
	return true
}

func (p *ports) bind(n uint16) ([]net.Listener, error) {
	if p.door.cfg.Listen == nil {
		return nil, errors.New("this edge opens no ports of its own")
	}
	listeners, err := p.door.cfg.Listen(n)
	if err == nil && len(listeners) == 0 {
		err = fmt.Errorf("no address to listen on port %d", n)
	}
	return listeners, err
}

// shut closes one port; the streams that came in by it stay.
func (p *ports) shut(n uint16) {
	o := p.open[n]
	delete(p.open, n)
	o.close()
	o.accepting.Wait()
}

// lookAgain makes keepPorts compare what is open with the map.
func (s *Server) lookAgain() {
	select {
	case s.look <- struct{}{}:
	default: // it has not yet looked since the last time
	}
}
