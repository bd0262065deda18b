package wg

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"golang.zx2c4.com/wireguard/device"

	"landfall"
	"landfall/mesh/fragment"
	"landfall/mesh/front"
	"landfall/mesh/path"
	"landfall/mesh/relay"
	"landfall/mesh/udp"
)

// Sizes of packets inside.
const (
	DefaultMTU = 1420 // what leaves room for WireGuard on IPv6 over 1500
	minMTU     = 1280 // RFC 8200, 5
	maxMTU     = maxDatagram - overhead - relay.Overhead

	// overhead is how many bytes a data datagram has beyond its packet,
	// padding aside.
	overhead = 32
)

// keepalive is how often the initiator of a pair says something, in seconds.
// It also keeps the session's keys fresh (they last 120 s).
const keepalive = 20

// Config says who the node is and what it stands on.
type Config struct {
	Self landfall.NodeID
	Key  landfall.PrivateKey
	// Conns carry all datagrams: one for each family of addresses, or one for
	// both. The device closes them.
	Conns []udp.Conn
	// Front is where packets come from and go to. The device closes it.
	Front front.Packets
	// MTU is the size of packets inside; 0 means DefaultMTU, and 1280 is the
	// least (RFC 8200, 5).
	MTU int
	// Rate bounds what the node sends, in bits per second with all headers,
	// for uplinks that are narrower than their card: then what waits, waits
	// here, in order of class. At most half of it is for other nodes' datagrams.
	// 0 is no bound.
	Rate int64
	// Other is handed probes, the way each came, and, for a relayed one, which
	// node the relay says it is from ("" for a direct one). It must return
	// soon, not keep b, and of the device call only Use, SendTo and Traffic:
	// the others may wait for the datagrams' reader.
	Other func(b []byte, from path.Way, peer landfall.NodeID)
	// Wanted is told that WireGuard needs a handshake that is the peer's to
	// start. It must return soon, and calls as little of the device as Other.
	Wanted func(peer landfall.NodeID)
	// Active is told of the first data to or from a peer after the pair was
	// idle for ten seconds. It must return soon, and calls as little of the
	// device as Other.
	Active func(peer landfall.NodeID)
	Log    *slog.Logger // nil means silence
}

// Peer is somebody to keep a session with.
type Peer struct {
	Node     landfall.NodeID
	Key      landfall.PublicKey
	Addr     netip.Addr // inside the mesh
	Initiate bool       // handshakes are ours to start
	Name     relay.Name // its short name in relayed frames
	Relay    relay.Keys // what we seal frames to it with, and open frames from it
	Forward  bool       // we forward datagrams that it sends to other peers
}

// Device is a node's end of the mesh. It is made by Start.
type Device struct {
	cfg   Config
	log   *slog.Logger
	count counters
	peers *directory
	bind  *bind
	out   *egress
	in    *ingress
	wg    *device.Device

	sending     sync.WaitGroup
	configuring sync.Mutex // held while peers change
	once        sync.Once
}

// Start brings a device up. Its owner must Close it. When Start fails it has
// closed the conns and the front.
func Start(cfg Config) (*Device, error) {
	cfg.MTU = cmp.Or(cfg.MTU, DefaultMTU)
	if err := cfg.check(); err != nil {
		return nil, errors.Join(err, cfg.close())
	}
	d := &Device{cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), peers: newDirectory()}
	d.bind = newBind(cfg, d.peers, &d.count)
	d.in = newIngress(cfg, d.peers, &d.count, &d.bind.twins)
	d.out = newEgress(cfg, d.peers, &d.count, d.in, d.bind.fail)
	d.bind.passed, d.bind.charge, d.bind.afford = d.out.window.passed, d.out.charge, d.out.afford
	d.sending.Go(d.bind.resendAll)
	d.sending.Go(d.bind.forwardAll)
	d.sending.Go(d.bind.forwardProbes)
	d.wg = device.NewDevice(newTunnel(d.out, d.in), d.bind, logger(d.log))
	// Else WireGuard would make whatever a datagram came from the way back.
	d.wg.DisableSomeRoamingForBrokenMobileSemantics()
	key := cfg.Key.Bytes()
	if err := errors.Join(d.wg.IpcSet("private_key="+hex.EncodeToString(key[:])+"\n"), d.wg.Up()); err != nil {
		d.Close()
		return nil, fmt.Errorf("mesh device: %w", err)
	}
	return d, nil
}

func (c *Config) check() error {
	switch {
	case c.MTU < minMTU || c.MTU > maxMTU:
		return fmt.Errorf("mesh device: MTU %d: want %d to %d", c.MTU, minMTU, maxMTU)
	case len(c.Conns) == 0 || c.Front == nil:
		return errors.New("mesh device: a socket and a front are needed")
	case c.Other == nil || c.Wanted == nil || c.Active == nil:
		return errors.New("mesh device: somebody has to be told of probes, handshakes and data")
	case c.Rate < 0:
		return fmt.Errorf("mesh device: rate of %d bit/s: want 0 or more", c.Rate)
	}
	return nil
}

func (c *Config) close() error {
	var errs []error
	for _, conn := range c.Conns {
		errs = append(errs, conn.Close())
	}
	if c.Front != nil {
		errs = append(errs, c.Front.Close())
	}
	return errors.Join(errs...)
}

// logger gives WireGuard's errors to ours. They are about single datagrams:
// for us, not for operators.
func logger(l *slog.Logger) *device.Logger {
	return &device.Logger{
		Verbosef: device.DiscardLogf,
		Errorf:   func(format string, args ...any) { l.Debug("wireguard", "err", fmt.Sprintf(format, args...)) },
	}
}

// AddPeer makes a peer known. It has no route until Use gives it one.
func (d *Device) AddPeer(p Peer) error {
	d.configuring.Lock()
	defer d.configuring.Unlock()
	known, err := d.peers.add(p)
	if err != nil {
		return err
	}
	key := hex.EncodeToString(p.Key[:])
	conf := fmt.Sprintf("public_key=%s\nendpoint=%s\nreplace_allowed_ips=true\nallowed_ip=%v\n",
		key, key, netip.PrefixFrom(p.Addr, p.Addr.BitLen()))
	if p.Initiate {
		conf += fmt.Sprintf("persistent_keepalive_interval=%d\n", keepalive)
	}
	if err := d.wg.IpcSet(conf); err != nil {
		d.peers.remove(p.Node)
		return fmt.Errorf("add peer %s: %w", p.Node, err)
	}
	known.wg.Store(d.wg.LookupPeer(device.NoisePublicKey(p.Key)))
	return nil
}

// RemovePeer forgets a peer. What the front has with it is the front's to end.
func (d *Device) RemovePeer(id landfall.NodeID) {
	d.configuring.Lock()
	defer d.configuring.Unlock()
	p := d.peers.remove(id)
	if p == nil {
		return
	}
	d.wg.RemovePeer(device.NoisePublicKey(p.Key))
	d.out.forget(p)
	p.memory.free()
	for _, other := range d.peers.all() {
		other.relayed.forget(p)
	}
}

// Use says how a peer's datagrams go from now on. When it says that they are
// in doubt, and the route before did not, what was lately sent to the peer is
// sent again on the backup way; when it gives up a primary that was not in
// doubt, on the new one. It does not wait for that.
func (d *Device) Use(id landfall.NodeID, r path.Route) { d.bind.use(id, r) }

// SendTo sends a probe to a peer on a way of its, ahead of data that waits.
// It is never sent in fragments. The error is udp.ErrTooBig where the first
// hop carries no probe of that size.
func (d *Device) SendTo(b []byte, id landfall.NodeID, w path.Way) error {
	return d.bind.probe(b, id, w)
}

// Initiate starts a handshake now, whatever was tried before and however
// good the session looks from here.
func (d *Device) Initiate(id landfall.NodeID) {
	known := d.peers.node(id)
	if known == nil {
		return
	}
	p := known.wg.Load()
	if p == nil {
		return // it is just being added
	}
	// Left to itself WireGuard does not repeat an initiation for five seconds.
	p.ExpireCurrentKeypairs()
	// An error here is one of sending, which the next attempt repairs.
	_ = p.SendHandshakeInitiation(false)
}

// Traffic tells what was seen on each way to and from a peer; nil if it is
// not known. It resets each LargestHeard.
func (d *Device) Traffic(id landfall.NodeID) []path.Traffic {
	p := d.peers.node(id)
	if p == nil {
		return nil
	}
	return p.traffic.tell()
}

// Failed delivers the reason when a socket or the front ended under the
// device.
func (d *Device) Failed() <-chan error { return d.bind.failed }

// Stats tells the numbers of now.
func (d *Device) Stats() Stats {
	s := d.count.stats()
	s.Inside = d.out.window.inside.Load()
	s.Queued, s.QueueDropped = d.out.queued()
	return s
}

// Fragments tells what became of the fragments that were received.
func (d *Device) Fragments() fragment.Stats { return d.bind.parts.stats() }

// Sockets tells the numbers of Config.Conns, in their order.
func (d *Device) Sockets() []udp.Stats {
	out := make([]udp.Stats, len(d.cfg.Conns))
	for i, c := range d.cfg.Conns {
		out[i] = c.Stats()
	}
	return out
}

// Close ends the front, which may take what time it needs to say good-bye,
// then everything the device started, and closes its conns.
func (d *Device) Close() {
	d.once.Do(func() {
		d.out.end()
		d.wg.Close()
		for _, c := range d.cfg.Conns {
			if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				d.log.Debug("socket closed", "err", err)
			}
		}
		d.bind.relaying.close()
		d.bind.probing.close()
		d.bind.detours.close()
		d.sending.Wait()
		for _, p := range d.peers.all() {
			p.memory.free()
		}
	})
}
