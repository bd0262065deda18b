package wg

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"landfall"
)

// Defaults of Config.
const (
	DefaultMTU     = 1420             // what leaves room for WireGuard on IPv6 over 1500
	DefaultTimeout = 10 * time.Second // see Config.Timeout
	DefaultBudget  = 128 << 20        // see Config.Budget
)

// keepalive is how often the initiator of a pair says something, in seconds.
// It also keeps the session's keys fresh (they last 120 s).
const keepalive = 20

// farewell is how long resets have to leave before the device closes under
// them, so that peers need not find out by themselves.
const farewell = 20 * time.Millisecond

// Config says who the node is and what it stands on.
type Config struct {
	Key  landfall.PrivateKey
	Addr netip.Addr // inside the mesh, IPv6
	// Conn carries all datagrams. The device closes it.
	Conn net.PacketConn
	// MTU is the size of packets inside; 0 means DefaultMTU, and 1280 is the
	// least (RFC 8200, 5).
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
	// Other is handed datagrams that are not WireGuard's. It must return soon,
	// not keep b, and not call AddPeer, RemovePeer, Initiate, Sessions or
	// Close, which may wait for the datagrams' reader.
	Other func(b []byte, from netip.AddrPort)
	// Wanted is told that WireGuard needs a handshake that is the peer's to
	// start. It must return soon, and calls as little of the device as Other.
	Wanted func(peer landfall.PublicKey)
	Log    *slog.Logger
}

// Peer is somebody to keep a session with.
type Peer struct {
	Key      landfall.PublicKey
	Addr     netip.Addr // inside the mesh
	Initiate bool       // handshakes are ours to start
}

// Session is what WireGuard knows about a peer.
type Session struct {
	Handshake time.Time // last one that both confirmed; zero if none
	RxBytes   uint64    // of what was authenticated
	TxBytes   uint64
}

// Device is a node's end of the mesh. It is made by Start.
type Device struct {
	addr    netip.Addr
	timeout time.Duration
	budget  int64
	spent   atomic.Bool // the budget is
	log     *slog.Logger
	bind    *bind
	nic     *nic
	stack   *stack.Stack
	loop    *loop
	wg      *device.Device
	closing chan struct{}
	busy    sync.WaitGroup // calls that Close waits for

	configuring sync.Mutex // held while peers change; taken before mu

	mu        sync.Mutex
	closed    bool
	streams   map[*Stream]struct{}
	listeners map[uint16]*listener
}

// Start brings a device up. Its owner must Close it.
func Start(cfg Config) (*Device, error) {
	mtu, timeout := cmp.Or(cfg.MTU, DefaultMTU), cmp.Or(cfg.Timeout, DefaultTimeout)
	if mtu < 1280 || !cfg.Addr.Is6() {
		return nil, fmt.Errorf("mesh device: MTU %d and address %v: want at least 1280 and IPv6", mtu, cfg.Addr)
	}
	n := newNIC(mtu)
	s, err := newStack(n, cfg.Addr, timeout)
	if err != nil {
		return nil, fmt.Errorf("mesh device: %w", err)
	}
	d := &Device{
		addr: cfg.Addr, timeout: timeout, budget: cmp.Or(cfg.Budget, DefaultBudget), nic: n, stack: s,
		log:       cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		bind:      newBind(cfg.Conn, cfg.Other, cfg.Wanted),
		loop:      newLoop(max(2, runtime.GOMAXPROCS(0))),
		closing:   make(chan struct{}),
		streams:   map[*Stream]struct{}{},
		listeners: map[uint16]*listener{},
	}
	d.wg = device.NewDevice(&tunnel{nic: n}, d.bind, logger(d.log))
	// Else WireGuard would make whatever a datagram came from the way back.
	d.wg.DisableSomeRoamingForBrokenMobileSemantics()
	key := cfg.Key.Bytes()
	if err := errors.Join(d.wg.IpcSet("private_key="+hex.EncodeToString(key[:])+"\n"), d.wg.Up()); err != nil {
		d.Close()
		return nil, fmt.Errorf("mesh device: %w", err)
	}
	d.busy.Go(d.keepBudget)
	return d, nil
}

// logger gives WireGuard's errors to ours. They are about single datagrams:
// for us, not for operators.
func logger(l *slog.Logger) *device.Logger {
	return &device.Logger{
		Verbosef: device.DiscardLogf,
		Errorf:   func(format string, args ...any) { l.Debug("wireguard", "err", fmt.Sprintf(format, args...)) },
	}
}

// AddPeer makes a peer known. Its session starts at once if it is ours to
// start and at says where the peer is.
func (d *Device) AddPeer(p Peer, at netip.AddrPort) error {
	d.configuring.Lock()
	defer d.configuring.Unlock()
	d.bind.add(p.Key, p.Initiate)
	if at.IsValid() {
		d.bind.use(p.Key, at)
	}
	key := hex.EncodeToString(p.Key[:])
	conf := fmt.Sprintf("public_key=%s\nendpoint=%s\nreplace_allowed_ips=true\nallowed_ip=%v\n", key, key, netip.PrefixFrom(p.Addr, 128))
	if p.Initiate {
		conf += fmt.Sprintf("persistent_keepalive_interval=%d\n", keepalive)
	}
	if err := d.wg.IpcSet(conf); err != nil {
		d.bind.remove(p.Key)
		return fmt.Errorf("add peer %v: %w", p.Key, err)
	}
	return nil
}

// RemovePeer forgets a peer and ends its streams for the reason given.
func (d *Device) RemovePeer(p Peer, why error) {
	d.configuring.Lock()
	defer d.configuring.Unlock()
	d.wg.RemovePeer(device.NoisePublicKey(p.Key))
	d.bind.remove(p.Key)
	for _, s := range d.streamsTo(p.Addr) {
		s.Abort(why)
	}
}

// Use says where a peer's datagrams go from now on.
func (d *Device) Use(peer landfall.PublicKey, at netip.AddrPort) { d.bind.use(peer, at) }

// SendTo sends one datagram that is not WireGuard's, ahead of data that waits.
func (d *Device) SendTo(b []byte, to netip.AddrPort) error { return d.bind.sock.urgent(b, to) }

// Initiate starts a handshake now, whatever was tried before and however
// good the session looks from here.
func (d *Device) Initiate(peer landfall.PublicKey) {
	p := d.wg.LookupPeer(device.NoisePublicKey(peer))
	if p == nil {
		return
	}
	// Left to itself WireGuard does not repeat an initiation for five seconds.
	p.ExpireCurrentKeypairs()
	// An error here is one of sending, which the next attempt repairs.
	_ = p.SendHandshakeInitiation(false)
}

// Sessions tells about all peers.
func (d *Device) Sessions() map[landfall.PublicKey]Session {
	text, err := d.wg.IpcGet()
	if err != nil {
		return nil // it writes to a string: it cannot fail
	}
	return parseSessions(text)
}

// parseSessions reads WireGuard's configuration protocol.
func parseSessions(text string) map[landfall.PublicKey]Session {
	out := map[landfall.PublicKey]Session{}
	var key landfall.PublicKey
	var s Session
	var sec, nsec int64
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "=")
		number, _ := strconv.ParseInt(value, 10, 64)
		switch name {
		case "public_key":
			b, _ := hex.DecodeString(value)
			copy(key[:], b)
			s, sec, nsec = Session{}, 0, 0
		case "last_handshake_time_sec":
			sec = number
		case "last_handshake_time_nsec":
			nsec = number
		case "tx_bytes":
			s.TxBytes = uint64(number)
		case "rx_bytes":
			s.RxBytes = uint64(number)
		}
		if sec != 0 || nsec != 0 {
			s.Handshake = time.Unix(sec, nsec)
		}
		if !key.IsZero() {
			out[key] = s
		}
	}
	return out
}

// Failed delivers the reason when the socket was closed under the device.
func (d *Device) Failed() <-chan error { return d.bind.failed }

// Streams counts the open streams.
func (d *Device) Streams() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.streams)
}

// Close resets all streams, ends everything the device started and closes
// its conn.
func (d *Device) Close() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	close(d.closing)
	listeners := d.listeners
	d.listeners = nil
	for s := range d.streams {
		s.Abort(net.ErrClosed)
	}
	d.mu.Unlock()

	d.busy.Wait()
	for _, l := range listeners {
		l.close()
	}
	d.loop.close()
	<-time.After(farewell)
	d.wg.Close()
	d.stack.Destroy()
}

func (d *Device) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.busy.Add(1)
	}
	return !d.closed
}

func (d *Device) track(s *Stream) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.streams[s] = struct{}{}
	}
	return !d.closed
}

func (d *Device) forget(s *Stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.streams, s)
}

func (d *Device) streamsTo(addr netip.Addr) []*Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*Stream
	for s := range d.streams {
		if s.remote.Addr() == addr {
			out = append(out, s)
		}
	}
	return out
}
