package netstack

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"landfall/mesh/front"
)

// Defaults of Config.
const (
	DefaultMTU     = 1420             // what leaves room for WireGuard on IPv6 over 1500
	DefaultTimeout = 10 * time.Second // see Config.Timeout
	DefaultBudget  = 128 << 20        // see Config.Budget
)

// farewell is how long resets have to leave before the front closes under
// them, so that peers need not find out by themselves.
const farewell = 20 * time.Millisecond

// Config says who the node is.
type Config struct {
	Addr netip.Addr // inside the mesh, IPv6
	// MTU is the size of packets; 0 means DefaultMTU, and 1280 is the least
	// (RFC 8200, 5).
	MTU int
	// Timeout is about how long a peer may acknowledge nothing before a
	// stream to it ends; twice that where nothing is under way. A slow reader
	// acknowledges. 0 means DefaultTimeout; less than a second is too short
	// for oceans.
	Timeout time.Duration
	// Budget is about how many bytes the buffers of all streams may hold.
	// Each may come to hold 8 MiB that wait to be read and 4 MiB that wait to
	// be acknowledged; once the budget is spent, none grows beyond the 512
	// KiB each way that it began with, and new ones begin with 64 KiB. 0
	// means DefaultBudget.
	Budget int64
	Log    *slog.Logger // nil means silence
}

// Front is TCP/IP in user space for one address. It implements front.Front
// and is made by New.
type Front struct {
	*front.Flows
	nic     *nic
	addr    netip.Addr
	timeout time.Duration
	budget  int64
	spent   atomic.Bool // the budget is
	log     *slog.Logger
	stack   *stack.Stack

	mu        sync.Mutex
	listeners map[uint16]*listener
}

// New makes a front. Its owner must Close it, and somebody must Read it: it
// drops nothing.
func New(cfg Config) (*Front, error) {
	mtu, timeout := cmp.Or(cfg.MTU, DefaultMTU), cmp.Or(cfg.Timeout, DefaultTimeout)
	if mtu < 1280 || !cfg.Addr.Is6() {
		return nil, fmt.Errorf("netstack: MTU %d and address %v: want at least 1280 and IPv6", mtu, cfg.Addr)
	}
	n := newNIC(mtu)
	s, err := newStack(n, cfg.Addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("netstack: %w", err)
	}
	f := &Front{
		Flows: front.NewFlows(), nic: n, addr: cfg.Addr, timeout: timeout, budget: cmp.Or(cfg.Budget, DefaultBudget), stack: s,
		log:       cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		listeners: map[uint16]*listener{},
	}
	f.Go(f.keepBudget)
	return f, nil
}

// Read implements front.Packets.
func (f *Front) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	return f.nic.read(bufs, sizes, offset)
}

// Write implements front.Packets.
func (f *Front) Write(bufs [][]byte, offset int) (int, error) {
	for _, b := range bufs {
		f.nic.deliver(b[offset:])
	}
	return len(bufs), nil
}

// BatchSize implements front.Packets.
func (f *Front) BatchSize() int { return batch }

// Close implements front.Front.
func (f *Front) Close() error {
	if !f.Flows.Close(f.closeListeners) {
		return nil
	}
	<-time.After(farewell)
	f.nic.close()
	f.stack.Destroy()
	return nil
}

var _ front.Front = (*Front)(nil)
