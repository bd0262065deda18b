package wg

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"

	"landfall"
	"landfall/mesh/front"
	"landfall/mesh/meshtest"
	"landfall/mesh/path"
	"landfall/mesh/udp"
)

// burst is how many packets a front gives at once: about what a kernel
// hands over as one large segment.
const burst = 46

// stream is a pair of fronts: one sends packets as long as no more than a
// window of them is under way, the other counts. It is a tun.Device, too.
type stream struct {
	packet []byte
	peer   *stream // the other end

	mu      sync.Mutex
	moved   sync.Cond
	allowed int64 // packets that may be sent in all
	sent    int64
	heard   atomic.Int64
	closed  bool
	events  chan tun.Event
}

// streamWindow is in packets: 1 MiB.
const streamWindow = 740

func newStreams(packet []byte) (a, b *stream) {
	a, b = &stream{packet: packet, events: make(chan tun.Event)}, &stream{events: make(chan tun.Event)}
	a.peer, b.peer = b, a
	a.moved.L, b.moved.L = &a.mu, &b.mu
	return a, b
}

func (s *stream) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := func() int64 { return min(s.allowed, s.peer.heard.Load()+streamWindow) - s.sent }
	for room() < burst/2 && room() < s.allowed-s.sent || room() <= 0 {
		if s.closed {
			return 0, os.ErrClosed
		}
		s.moved.Wait()
	}
	n := int(min(room(), burst, int64(len(bufs))))
	for i := range n {
		sizes[i] = copy(bufs[i][offset:], s.packet)
	}
	s.sent += int64(n)
	return n, nil
}

func (s *stream) Write(bufs [][]byte, _ int) (int, error) {
	s.heard.Add(int64(len(bufs)))
	s.peer.mu.Lock()
	s.peer.moved.Broadcast()
	s.peer.mu.Unlock()
	return len(bufs), nil
}

// run sends packets and waits for them. What is lost is made up for.
func (s *stream) run(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed += n
	until := s.allowed
	s.moved.Broadcast()
	last, wake := s.peer.heard.Load(), time.AfterFunc(100*time.Millisecond, s.moved.Broadcast)
	defer wake.Stop()
	for s.peer.heard.Load() < until {
		s.moved.Wait()
		if !wake.Reset(100*time.Millisecond) && s.peer.heard.Load() == last {
			lost := s.sent - last
			s.peer.heard.Add(lost)
		}
		last = s.peer.heard.Load()
	}
}

func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.events)
		s.moved.Broadcast()
	}
	return nil
}

func (s *stream) File() *os.File           { return nil }
func (s *stream) MTU() (int, error)        { return DefaultMTU, nil }
func (s *stream) Name() (string, error)    { return "stream", nil }
func (s *stream) Events() <-chan tun.Event { return s.events }
func (s *stream) BatchSize() int           { return udp.Batch }

func benchPacket(c landfall.Class) []byte {
	return meshtest.Packet(landfall.MeshAddr(network, "a"), landfall.MeshAddr(network, "b"), c, make([]byte, DefaultMTU-48))
}

// ours starts two devices on loopback.
func ours(b *testing.B, backup bool) *stream {
	left, right := newStreams(benchPacket(landfall.Normal))
	ends := map[landfall.NodeID]*stream{"a": left, "b": right}
	x, y := loopback(b, netip.AddrFrom4([4]byte{127, 0, 0, 1}), func(n *node) front.Packets { return ends[n.id] })
	if backup {
		x.Use(y.id, path.Route{Primary: y.way(), MTU: 1472, Backup: path.Way{Via: "elsewhere"}, BackupMTU: 1472})
	}
	return left
}

// upstream is the same with WireGuard's own sockets.
func upstream(b *testing.B) *stream {
	left, right := newStreams(benchPacket(landfall.Normal))
	keys := []landfall.PrivateKey{landfall.NewPrivateKey(), landfall.NewPrivateKey()}
	devices := make([]*device.Device, 2)
	for i, t := range []*stream{left, right} {
		devices[i] = device.NewDevice(t, conn.NewStdNetBind(), device.NewLogger(device.LogLevelSilent, ""))
		key := keys[i].Bytes()
		if err := devices[i].IpcSet("private_key=" + hex.EncodeToString(key[:]) + "\n"); err != nil {
			b.Fatal(err)
		}
		if err := devices[i].Up(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(devices[i].Close)
	}
	for i, d := range devices {
		text, err := devices[1-i].IpcGet()
		if err != nil {
			b.Fatal(err)
		}
		var port int
		for line := range strings.Lines(text) {
			_, _ = fmt.Sscanf(line, "listen_port=%d", &port)
		}
		key := keys[1-i].Public()
		conf := fmt.Sprintf("public_key=%s\nendpoint=127.0.0.1:%d\nallowed_ip=%v\n", hex.EncodeToString(key[:]), port,
			netip.PrefixFrom(landfall.MeshAddr(network, landfall.NodeID('a'+rune(1-i))), 128))
		if err := d.IpcSet(conf); err != nil {
			b.Fatal(err)
		}
	}
	return left
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBulk reports CPU seconds of both ends per GB, beside WireGuard with
// its own sockets on the same fronts.
func BenchmarkBulk(b *testing.B) {
	for _, c := range []struct {
		name  string
		start func(*testing.B) *stream
	}{
		{"upstream", upstream},
		{"ours", func(b *testing.B) *stream { return ours(b, false) }},
		{"ours-remembering", func(b *testing.B) *stream { return ours(b, true) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := c.start(b)
			s.run(1000)
			runtime.GC()
			const packets = 20_000
			b.SetBytes(packets * DefaultMTU)
			before, from := cpu(), s.peer.heard.Load()
			for b.Loop() {
				s.run(packets)
			}
			bytes := float64(s.peer.heard.Load()-from) * DefaultMTU
			b.ReportMetric((cpu()-before).Seconds()/(bytes/1e9), "cpu-s/GB")
		})
	}
}

// BenchmarkIdlePeer reports how many bytes of heap a peer takes that has a
// route and has said nothing, beside one of WireGuard's own.
func BenchmarkIdlePeer(b *testing.B) {
	const count = 200
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	keys := make([]landfall.PrivateKey, count)
	for i := range keys {
		keys[i] = landfall.NewPrivateKey()
	}
	addr := func(i int) netip.Addr { return landfall.MeshAddr(network, landfall.NodeID(fmt.Sprint(i))) }
	for b.Loop() {
		front, _ := newStreams(nil)
		theirs := device.NewDevice(front, conn.NewStdNetBind(), device.NewLogger(device.LogLevelSilent, ""))
		before := heap()
		for i, k := range keys {
			key := k.Public()
			conf := fmt.Sprintf("public_key=%s\nallowed_ip=%v\n", hex.EncodeToString(key[:]), netip.PrefixFrom(addr(i), 128))
			if err := theirs.IpcSet(conf); err != nil {
				b.Fatal(err)
			}
		}
		theirBytes := heap() - before
		theirs.Close()

		n := &node{id: "n", key: landfall.NewPrivateKey()}
		mine, _ := newStreams(nil)
		var err error
		n.Device, err = Start(Config{
			Self: n.id, Key: n.key, Conns: []udp.Conn{newWire().sock(addrOf(0))}, Front: mine,
			Other: n.other, Wanted: n.want, Active: n.wake,
		})
		if err != nil {
			b.Fatal(err)
		}
		before = heap()
		for i, k := range keys {
			p := n.peerOf(b, &node{id: landfall.NodeID(fmt.Sprint(i)), key: k, addr: addr(i)}, false)
			if err := n.AddPeer(p); err != nil {
				b.Fatal(err)
			}
			n.Use(p.Node, path.Route{Primary: path.Way{Addr: addrOf(i % 250)}, MTU: 1472})
		}
		ourBytes := heap() - before
		n.Close()
		b.ReportMetric(float64(theirBytes)/count, "B/upstream-peer")
		b.ReportMetric(float64(ourBytes-theirBytes)/count, "B/beyond-it")
	}
}
