//go:build linux

package tun

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/tun"

	"landfall/mesh/front"
	"landfall/mesh/tun/filter"
)

// Defaults of Config.
const (
	DefaultMTU     = 1420             // what leaves room for WireGuard on IPv6 over 1500
	DefaultTimeout = 10 * time.Second // see Config.Timeout
)

// minMTU is IPv6's (RFC 8200, 5).
const minMTU = 1280

// farewell is how long resets have to leave before the device goes away under
// them, so that peers need not find out by themselves.
const farewell = 20 * time.Millisecond

// Config says who the node is and what the kernel is to be told.
type Config struct {
	// Network is the network's name; the device is called "lf-" and as much
	// of it as the kernel takes.
	Network string
	Addr    netip.Addr // inside the mesh, IPv6
	// Prefix is what is routed to the device; it contains Addr.
	Prefix netip.Prefix
	// MTU is the size of packets; 0 means DefaultMTU, and 1280 is the least
	// (RFC 8200, 5).
	MTU int
	// Timeout is about how long a peer may acknowledge nothing before a
	// stream to it ends; twice that where nothing is under way. A slow reader
	// acknowledges. 0 means DefaultTimeout.
	Timeout time.Duration
	// Filter says what peers may reach on this machine.
	Filter filter.Config
	Log    *slog.Logger // nil means silence

	inside func(do func() error) error // runs what makes sockets; nil just does
}

// Front is the kernel's TCP/IP for one address. It implements front.Front and
// is made by New.
type Front struct {
	*front.Flows
	name    string
	addr    [16]byte
	local   netip.Addr
	timeout time.Duration
	log     *slog.Logger
	inside  func(do func() error) error
	device  tun.Device
	keeper  *keeper
	lost    atomic.Pointer[error] // why the device was given up
	poll    *poller
	strange atomic.Uint64
	wall    wall
	plain   sync.Once // said that there is no BBR

	mu        sync.Mutex
	listeners map[uint16]*listener
}

// New makes the device. Its owner must Close it, and somebody must Read it.
func New(cfg Config) (*Front, error) {
	mtu := cmp.Or(cfg.MTU, DefaultMTU)
	if mtu < minMTU || mtu > 65535 || !cfg.Addr.Is6() || !cfg.Prefix.Contains(cfg.Addr) || cfg.Network == "" {
		return nil, fmt.Errorf("tun: network %q, MTU %d, address %v of %v: want a name, at least 1280, and IPv6 within the prefix", cfg.Network, mtu, cfg.Addr, cfg.Prefix)
	}
	f := &Front{
		name: deviceName(cfg.Network), addr: cfg.Addr.As16(), local: cfg.Addr,
		timeout: cmp.Or(cfg.Timeout, DefaultTimeout),
		log:     cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		inside:  cfg.inside, listeners: map[uint16]*listener{},
	}
	f.wall.filter = filter.New(cfg.Filter)
	if f.inside == nil {
		f.inside = func(do func() error) error { return do() }
	}
	err := f.inside(func() (err error) {
		if f.device, err = openDevice(f.name, mtu, cfg.Addr, cfg.Prefix); err != nil {
			return err
		}
		if f.keeper, err = newKeeper(f.name, mtu, cfg.Addr, cfg.Prefix, f.log); err != nil {
			return errors.Join(err, f.device.Close())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tun: %w", err)
	}
	if f.poll, err = newPoller(); err != nil {
		return nil, errors.Join(fmt.Errorf("tun: %w", err), f.keeper.close(), f.device.Close())
	}
	f.Flows = front.NewFlows()
	f.Go(f.endSilent)
	f.Go(f.keep)
	f.Go(f.unkeep)
	return f, nil
}

// Name is what the kernel calls the device.
func (f *Front) Name() string { return f.name }

// Read implements front.Packets.
func (f *Front) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	for {
		n, err := f.device.Read(bufs, sizes, offset)
		if errors.Is(err, tun.ErrTooManySegments) {
			err = nil // those that fit are there
		}
		for i, b := range bufs[:max(n, 0)] {
			f.wall.out(b[offset : offset+sizes[i]])
		}
		if n > 0 || err != nil {
			return n, f.ending(err)
		}
	}
}

// Write implements front.Packets. A host that forwards would take packets for
// others, too, and what listens here is not meant for all peers, so those are
// dropped.
func (f *Front) Write(bufs [][]byte, offset int) (int, error) {
	ours := bufs
	for i, b := range bufs {
		if f.enters(b[offset:]) {
			continue
		}
		ours = append([][]byte{}, bufs[:i]...)
		for _, b := range bufs[i+1:] {
			if f.enters(b[offset:]) {
				ours = append(ours, b)
			}
		}
		break
	}
	if len(ours) > 0 {
		// What the kernel refuses is one packet's fault.
		if _, err := f.device.Write(ours, offset); err != nil && errors.Is(closedError(err), errClosed) {
			return 0, errClosed
		}
	}
	return len(bufs), nil
}

// enters reports whether the kernel gets a packet, and counts it if not.
func (f *Front) enters(p []byte) bool {
	if !f.isOurs(p) {
		f.strange.Add(1)
		return false
	}
	return f.wall.in(p)
}

// isOurs reports whether a packet is for our address (RFC 8200, 3).
func (f *Front) isOurs(p []byte) bool {
	return len(p) >= 40 && p[0]>>4 == 6 && bytes.Equal(p[24:40], f.addr[:])
}

// BatchSize implements front.Packets.
func (f *Front) BatchSize() int { return f.device.BatchSize() }

// Close implements front.Front.
func (f *Front) Close() error {
	if !f.Flows.Close(f.closeListeners) {
		return nil
	}
	<-time.After(farewell)
	return errors.Join(f.poll.close(), f.device.Close())
}

var _ front.Front = (*Front)(nil)
