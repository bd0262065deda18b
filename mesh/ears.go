package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/tun"
)

const (
	// listenEvery is how often the machine is asked whether it still lets in
	// what comes from the mesh, and deafEvery how often once it does not.
	listenEvery = time.Minute
	deafEvery   = 5 * time.Second
	// deafAfter is how long no answer to a knock is a firewall's doing: a busy
	// machine may take a while.
	deafAfter = 4 * time.Second
)

// FrontHealth is how the kernel's front fares. The zero FrontHealth is that
// there is none.
type FrontHealth struct {
	Device string // its name
	tun.Health
	// Deaf is why what peers send does not reach this machine's services; nil
	// if it does. Its cure is in it.
	Deaf error
}

// ears hear, of what leaves by a front, what answers a knock: while streams
// are made of the front, somebody else reads it.
type ears struct {
	front.Front
	device string
	addr   netip.Addr
	health func() tun.Health
	doubt  chan struct{} // streams do not open

	knocking sync.Mutex // held by who knocks
	patience time.Duration

	mu     sync.Mutex
	answer chan struct{} // of the knock under way; nil: there is none
	deaf   error
}

func newEars(f front.Front, device string, addr netip.Addr, health func() tun.Health) *ears {
	return &ears{Front: f, device: device, addr: addr, health: health, doubt: make(chan struct{}, 1), patience: deafAfter}
}

// Read implements front.Packets.
func (e *ears) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	n, err := e.Front.Read(bufs, sizes, offset)
	e.mu.Lock()
	answer := e.answer
	e.mu.Unlock()
	if answer == nil {
		return n, err
	}
	for i := range n {
		if opens(bufs[i][offset:][:sizes[i]], e.addr) {
			select {
			case answer <- struct{}{}:
			default:
			}
		}
	}
	return n, err
}

// knock finds out whether streams of peers get in at a port that is open.
func (e *ears) knock(ctx context.Context, port uint16) error {
	e.knocking.Lock()
	defer e.knocking.Unlock()
	answer := make(chan struct{}, 1)
	e.expect(answer)
	defer e.expect(nil)
	tick := time.NewTicker(knockEvery)
	defer tick.Stop()
	for range e.patience / knockEvery {
		if err := send(e, e.addr, port, flagSYN); err != nil {
			return err
		}
		select {
		case <-answer:
			return send(e, e.addr, port, flagRST)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return deafTo(e.device, errUnheard)
}

func (e *ears) expect(answer chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// deafTo adds the cure to what a knock found.
func deafTo(device string, err error) error {
	if !errors.Is(err, errUnheard) {
		return err
	}
	return &deafness{device, err}
}

// deafness is a firewall in the way of a device.
type deafness struct {
	device string
	err    error
}

// Error implements error.
func (d *deafness) Error() string { return fmt.Sprintf("%v (%s)", d.err, d.Cure()) }

// Unwrap makes it errUnheard.
func (d *deafness) Unwrap() error { return d.err }

// Cure is what to type against it.
func (d *deafness) Cure() string { return "ufw allow in on " + d.device }

// Knock finds out, within a few seconds, whether what peers send reaches this
// machine's services; FrontHealth says so from then on. Where streams are not
// made by the kernel there is nothing to find out.
func (m *Mesh) Knock(ctx context.Context) {
	up := m.now()
	if up == nil {
		return
	}
	e, ok := up.packets.(*ears)
	port, open := m.openPort()
	if !ok || !open {
		return
	}
	err := e.knock(ctx, port)
	if err != nil && !errors.Is(err, errUnheard) {
		return // the front or the time is over: that says nothing of firewalls
	}
	e.mu.Lock()
	before := e.deaf
	e.deaf = err
	e.mu.Unlock()
	switch {
	case err != nil && before == nil:
		m.log.Warn("the mesh is cut off from this machine", "device", e.device, "err", err)
	case err == nil && before != nil:
		m.log.Info("the mesh reaches this machine again", "device", e.device)
	}
}

// openPort is one that a service listens on.
func (m *Mesh) openPort() (port uint16, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range landfall.MeshServices() {
		if m.listeners[s] != nil {
			port, err := portOf(s)
			return port, err == nil
		}
	}
	return 0, false
}

// attend knocks now and then, and when streams do not open, until ctx ends.
func (m *Mesh) attend(ctx context.Context, up *running) {
	e, ok := up.packets.(*ears)
	if !ok {
		return
	}
	timer := time.NewTimer(listenEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.doubt:
		case <-timer.C:
		}
		m.Knock(ctx)
		wait := listenEvery
		if m.FrontHealth().Deaf != nil {
			wait = deafEvery
		}
		timer.Reset(wait)
	}
}

// doubtFront has the front examined if a stream that failed to open may be its
// fault: the peer is alive and did not refuse.
func (m *Mesh) doubtFront(up *running, err error) {
	blameless := []error{syscall.EHOSTUNREACH, syscall.ECONNREFUSED, net.ErrClosed, context.Canceled}
	if slices.ContainsFunc(blameless, func(b error) bool { return errors.Is(err, b) }) || up == nil {
		return
	}
	if e, ok := up.packets.(*ears); ok {
		select {
		case e.doubt <- struct{}{}:
		default:
		}
	}
}

// FrontHealth tells how the kernel's front fares.
func (m *Mesh) FrontHealth() FrontHealth {
	up := m.now()
	if up == nil {
		return FrontHealth{}
	}
	e, ok := up.packets.(*ears)
	if !ok {
		return FrontHealth{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return FrontHealth{Device: e.device, Health: e.health(), Deaf: e.deaf}
}
