package fronttest

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"landfall"
	"landfall/mesh/class"
	"landfall/mesh/front"
)

// The parts of packets that are looked at (RFC 8200, 3; RFC 9293, 3.1; RFC
// 4443, 3.2).
const (
	ipHeader       = 40
	protocolTCP    = 6
	protocolICMPv6 = 58
	packetTooBig   = 2
)

func trafficClass(p []byte) uint8 { return p[0]<<4 | p[1]>>4 }

func source(p []byte) netip.Addr { return netip.AddrFrom16([16]byte(p[8:24])) }

// sighting is one kind of packet.
type sighting struct {
	from netip.AddrPort
	dscp uint8
}

// marks: both sides' packets bear the codepoint of the class, from the first
// one of the side that opens.
func marks(t *testing.T, w *world) {
	var mu sync.Mutex
	seen := map[sighting]int{}
	w.link.Watch(func(p []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		if p[6] == protocolTCP {
			from := netip.AddrPortFrom(source(p), binary.BigEndian.Uint16(p[ipHeader:]))
			seen[sighting{from, trafficClass(p) >> 2}]++
		}
		return true
	})
	for _, c := range []landfall.Class{landfall.Normal, landfall.Bulk, landfall.Interactive, landfall.Control} {
		near, far := newEnd(t), newEnd(t)
		w.open(t, near, far, c, []byte("question"))
		far.stream.Mark(c)
		far.write(t, make([]byte, 10_000))
		near.until(t, "answer", patience, func() bool { return near.count == 10_000 })
		mu.Lock()
		for at := range seen {
			if at.from == near.stream.Local() && at.dscp != class.DSCP(c) {
				t.Errorf("class %d: codepoint %d from the opener", c, at.dscp)
			}
		}
		for _, from := range []netip.AddrPort{near.stream.Local(), far.stream.Local()} {
			if seen[sighting{from, class.DSCP(c)}] == 0 {
				t.Errorf("class %d: no packet of it from %v", c, from)
			}
		}
		clear(seen)
		mu.Unlock()
		near.stream.Abort(errDone)
		_ = near.over(t, patience)
		_ = far.over(t, patience)
	}
}

// tooBig: an ICMPv6 message Packet Too Big makes segments fit (RFC 8201, 4),
// and what was too big arrives all the same.
func tooBig(t *testing.T, w *world) {
	const mtu, size = 1300, 300_000
	near, far := w.pair(t)
	var lost, largest atomic.Int64
	w.link.Watch(func(p []byte) bool {
		if source(p) != w.a.Addr || p[6] != protocolTCP {
			return true
		}
		if len(p) <= mtu {
			largest.Store(max(largest.Load(), int64(len(p))))
			return true
		}
		lost.Add(1)
		m := append(make([]byte, headroom), packetTooBigFor(p, mtu, w.b.Addr)...)
		// Not from here: it is the reader of the front that calls.
		go func() { _, _ = w.a.packets().Write([][]byte{m}, headroom) }()
		return false
	})
	near.write(t, make([]byte, size))
	far.until(t, "bytes", patience, func() bool { return far.count == size })
	if lost.Load() == 0 || largest.Load() < mtu-100 {
		t.Errorf("%d packets were too big for %d, then they had %d bytes at most", lost.Load(), mtu, largest.Load())
	}
	before := lost.Load()
	near.write(t, make([]byte, size))
	far.until(t, "bytes", patience, func() bool { return far.count == 2*size })
	if more := lost.Load() - before; more != 0 {
		t.Errorf("%d packets were too big again", more)
	}
}

// packetTooBigFor is what a router says of a packet.
func packetTooBigFor(p []byte, mtu uint32, router netip.Addr) []byte {
	invoking := p[:min(len(p), 1280-ipHeader-8)]
	body := []byte{packetTooBig, 0, 0, 0}
	body = binary.BigEndian.AppendUint32(body, mtu)
	body = append(body, invoking...)
	src, dst := router.As16(), source(p).As16()
	head := []byte{6 << 4, 0, 0, 0}
	head = binary.BigEndian.AppendUint16(head, uint16(len(body)))
	head = append(head, protocolICMPv6, 64)
	head = append(append(head, src[:]...), dst[:]...)
	pseudo := append(append([]byte{}, src[:]...), dst[:]...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(body)))
	pseudo = append(pseudo, 0, 0, 0, protocolICMPv6)
	binary.BigEndian.PutUint16(body[2:], checksum(append(pseudo, body...)))
	return append(head, body...)
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// parked keeps many streams open that do nothing, and tells what they cost:
// never a goroutine each.
func parked(t *testing.T, w *world) {
	count := parkedStreams
	if testing.Short() {
		count = 200
	}
	if err := w.b.Front.Listen(port, func(s front.Stream) { s.Start(&echoer{stream: s}) }); err != nil {
		t.Fatal(err)
	}
	warm := newEnd(t)
	w.dial(t, warm, landfall.Normal, nil)
	goroutines, heap := usage()
	ends := make([]*end, count)
	for i := range ends {
		ends[i] = newEnd(t)
		w.dial(t, ends[i], landfall.Interactive, []byte("hello"))
	}
	for _, e := range ends {
		e.until(t, "greeting", long, func() bool { return string(e.got) == "hello" })
	}
	more, larger := usage()
	t.Logf("%d streams, both sides: %d goroutines, %d bytes of heap for each stream", count, more-goroutines, (int64(larger)-int64(heap))/int64(count))
	if more-goroutines > 20 {
		t.Errorf("%d goroutines for %d streams", more-goroutines, count)
	}
	for _, e := range ends { // all of them live
		e.write(t, []byte("!"))
	}
	for _, e := range ends {
		e.until(t, "echo", long, func() bool { return string(e.got) == "hello!" })
	}
	runtime.KeepAlive(ends)
}

func usage() (goroutines int, heap uint64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}
