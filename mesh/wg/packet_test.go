package wg

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/meshtest"
	"landfall/mesh/path"
)

var (
	inV4, inV42 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	inV6, inV62 = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

// ipPacket is a packet with finished checksums.
func ipPacket(v6 bool, proto byte, body []byte) []byte {
	if v6 {
		p := meshtest.Packet(inV6, inV62, landfall.Normal, nil)[:headerV6]
		p[6] = proto
		binary.BigEndian.PutUint16(p[4:], uint16(len(body)))
		return append(p, body...)
	}
	p := make([]byte, headerV4, headerV4+len(body))
	p[0], p[6], p[8], p[9] = 0x45, 0x40, ttl, proto
	binary.BigEndian.PutUint16(p[2:], uint16(headerV4+len(body)))
	src, dst := inV4.As4(), inV42.As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], ^fold(sum(0, p)))
	return append(p, body...)
}

// pseudo is the part of a checksum that is about the header of IP.
func pseudo(p []byte) (at int, n uint32) {
	if p[0]>>4 == 6 {
		return headerV6, sum(uint32(len(p)-headerV6)+uint32(p[6]), p[8:40])
	}
	at = int(p[0]&15) * 4
	return at, sum(uint32(len(p)-at)+uint32(p[9]), p[12:20])
}

// tcpPacket is a segment with options.
func tcpPacket(v6 bool, flags byte, options []byte) []byte {
	t := make([]byte, minTCP, minTCP+len(options))
	t[12], t[13] = byte(minTCP+len(options))/4<<4, flags
	p := ipPacket(v6, protoTCP, append(t, options...))
	at, n := pseudo(p)
	binary.BigEndian.PutUint16(p[at+16:], ^fold(sum(n, p[at:])))
	return p
}

// intact reports whether all checksums of a packet are right.
func intact(p []byte) bool {
	at, n := pseudo(p)
	if p[0]>>4 == 4 {
		if fold(sum(0, p[:at])) != 0xffff {
			return false
		}
		if p[9] == protoICMP {
			n = 0
		}
	}
	return fold(sum(n, p[at:])) == 0xffff
}

func TestSegmentSizesAreLowered(t *testing.T) {
	mss := func(n uint16) []byte { return binary.BigEndian.AppendUint16([]byte{optionMSS, 4}, n) }
	for _, c := range []struct {
		name    string
		flags   byte
		options []byte
		want    []byte // options afterwards, for IPv6 and packets of 1200 bytes; nil: unchanged
	}{
		{"SYN", synFlag, mss(1380), mss(1140)},
		{"SYN ACK", synFlag | 16, mss(1380), mss(1140)},
		{"others", 16, mss(1380), nil},
		{"small enough", synFlag, mss(1140), nil},
		{"behind others", synFlag, append([]byte{1, 1, 4, 2}, mss(9000)...), append([]byte{1, 1, 4, 2}, mss(1140)...)},
		{"at an odd place", synFlag, append([]byte{1}, append(mss(1381), 1, 1, 1)...), append([]byte{1}, append(mss(1140), 1, 1, 1)...)},
		{"none", synFlag, nil, nil},
		{"behind the end", synFlag, append([]byte{0, 0, 0, 0}, mss(1380)...), nil},
		{"option of no length", synFlag, append([]byte{5, 0, 0, 0}, mss(1380)...), nil},
		{"option too long", synFlag, []byte{5, 40, 0, 0}, nil},
		{"truncated", synFlag, []byte{1, 1, optionMSS, 4}, nil},
	} {
		p := tcpPacket(true, c.flags, c.options)
		want := c.options
		if c.want != nil {
			want = c.want
		}
		if did := clampMSS(p, 1200); did != (c.want != nil) || !slices.Equal(p[headerV6+minTCP:], want) || !intact(p) {
			t.Errorf("%s: lowered %v, options %x, intact %v", c.name, did, p[headerV6+minTCP:], intact(p))
		}
	}
	p := tcpPacket(false, synFlag, mss(1380))
	if !clampMSS(p, 1200) || !intact(p) || !slices.Equal(p[headerV4+minTCP:], mss(1160)) {
		t.Errorf("IPv4: %x", p)
	}
}

func TestTooBig(t *testing.T) {
	body := make([]byte, 1400)
	for _, v6 := range []bool{true, false} {
		p := ipPacket(v6, 17, body)
		m := tooBig(p, 1296, 7)
		if m == nil || !intact(m[7:]) {
			t.Fatalf("IPv6 %v: %x", v6, m)
		}
		m = m[7:]
		at, _ := pseudo(m)
		said := int(binary.BigEndian.Uint16(m[at+6:]))
		if h, ok := head(m); !ok || h.dst != sourceOf(p) || said != 1296 || string(m[at+8:]) != string(p[:len(m)-at-8]) {
			t.Errorf("IPv6 %v: to %v, MTU %d", v6, h.dst, said)
		}
		if tooBig(p, len(p), 0) != nil {
			t.Errorf("IPv6 %v: told of what fits", v6)
		}
		if tooBig(m, 100, 0) != nil {
			t.Errorf("IPv6 %v: told of an error", v6)
		}
	}
	p := ipPacket(true, 17, body)
	if m := tooBig(p, 900, 0); binary.BigEndian.Uint32(m[headerV6+4:]) != minMTU {
		t.Error("IPv6 was asked for less than 1280 bytes")
	}
	if p = ipPacket(false, 17, body); true {
		p[6] &^= 0x40
	}
	if tooBig(p, 900, 0) != nil {
		t.Error("told of a packet that may be split")
	}
}

// TestMarksMerge is RFC 6040, figure 4, but for what is dropped there.
func TestMarksMerge(t *testing.T) {
	for _, c := range []struct{ inner, outer, want uint8 }{
		{notECT, notECT, notECT}, {notECT, ect0, notECT}, {notECT, ect1, notECT}, {notECT, ce, notECT},
		{ect0, notECT, ect0}, {ect0, ect0, ect0}, {ect0, ect1, ect1}, {ect0, ce, ce},
		{ect1, notECT, ect1}, {ect1, ect0, ect1}, {ect1, ect1, ect1}, {ect1, ce, ce},
		{ce, notECT, ce}, {ce, ect0, ce}, {ce, ect1, ce}, {ce, ce, ce},
	} {
		if got := mergeECN(c.inner, c.outer); got != c.want {
			t.Errorf("inner %d, outer %d: %d", c.inner, c.outer, got)
		}
	}
	for _, v6 := range []bool{true, false} {
		for ecn := range uint8(4) {
			p := tcpPacket(v6, 16, nil)
			if setECN(p, ecn); ecnOf(p) != ecn || !intact(p) {
				t.Errorf("IPv6 %v: %d became %d", v6, ecn, ecnOf(p))
			}
		}
	}
}

// TestCongestionIsPassedOn: a router on the way marks what it may mark.
func TestCongestionIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
		time.Sleep(time.Second)
		w.setFate(func(d *datagram) (time.Duration, bool) {
			if d.from == a.at {
				d.tos |= ce
			}
			return 0, true
		})
		for _, way := range []path.Way{b.way(), {Via: c.id}} {
			a.Use(b.id, path.Route{Primary: way, MTU: 1472})
			p := numbered(a, b, landfall.Normal, 7, 100)
			a.front.Send(slices.Clone(p)) // cannot bear a mark
			setECN(p, ect0)
			a.front.Send(p)
			time.Sleep(time.Second)
			if got := b.packets(); len(got) != 2 || ecnOf(got[0]) != notECT || ecnOf(got[1]) != ce {
				t.Errorf("%v: %d packets: %x", way, len(got), got)
			}
		}
		if s := b.Stats(); s.Marked != 2 || s.Unmarked != 2 {
			t.Errorf("%d marked, %d not", s.Marked, s.Unmarked)
		}
	})
}

// TestFrontIsTold: whoever sends packets that need fragments hears how long
// they should be, and new connections know from the beginning.
func TestFrontIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a, b := w.nodes[0], w.nodes[1]
		time.Sleep(time.Second)
		a.Use(b.id, path.Route{Primary: b.way(), MTU: 1372})
		b.Use(a.id, path.Route{Primary: a.way(), MTU: 1372})
		for i := range 4 { // it is told once what it is told is for sure
			if told := a.packets(); len(told) != 0 {
				t.Errorf("told after %d s: %x", i, told)
			}
			a.say(t, b, landfall.Normal, i, i+1, 1420)
			time.Sleep(time.Second)
		}
		if got := b.numbers(); len(got) != 4 {
			t.Error("the packets themselves did not arrive")
		}
		told := a.packets()
		if len(told) != 1 || told[0][6] != protoICMPv6 || binary.BigEndian.Uint32(told[0][headerV6+4:]) != 1328 || !intact(told[0]) {
			t.Fatalf("told %x", told)
		}
		a.say(t, b, landfall.Normal, 0, 100, 1328)
		a.say(t, b, landfall.Normal, 100, 1100, 1420)
		time.Sleep(time.Second)
		if told := a.packets(); len(told) == 0 || len(told) > 100 {
			t.Errorf("told %d times of 1000 packets", len(told))
		}
		if n := len(b.numbers()); n != 1100 || a.Stats().Fragmented != 1004 {
			t.Errorf("%d arrived, %d in fragments", n, a.Stats().Fragmented)
		}
		p := tcpPacket(true, synFlag, []byte{optionMSS, 4, 5, 100}) // 1380
		src, dst := a.addr.As16(), b.addr.As16()
		copy(p[8:], src[:])
		copy(p[24:], dst[:])
		binary.BigEndian.PutUint16(p[headerV6+16:], 0)
		at, n := pseudo(p)
		binary.BigEndian.PutUint16(p[at+16:], ^fold(sum(n, p[at:])))
		a.front.Send(p)
		time.Sleep(time.Second)
		got := b.packets()
		if len(got) != 1 || !intact(got[0]) || binary.BigEndian.Uint16(got[0][headerV6+minTCP+2:]) != 1328-60 {
			t.Errorf("%x arrived", got)
		}
	})
}

// TestWhatFits: paths of 1500 bytes carry whole packets, over IPv6 as well.
func TestWhatFits(t *testing.T) {
	var p peer
	now := time.Unix(100, 0)
	for mtu, want := range map[int]int{0: 0, 1472: 0, 1452: 0, 1451: 1408, 1372: 1328, 1200: 1168} {
		p.route.Store(&path.Route{MTU: mtu})
		if got := p.fits(DefaultMTU, now); got != want {
			t.Errorf("a payload of %d carries packets of %d, want %d", mtu, got, want)
		}
	}
	p.touch(now)
	for wait, want := range map[time.Duration]int{0: 0, sureAfter - 1: 0, sureAfter: 1168} {
		p.route.Store(&path.Route{MTU: 1200})
		if got := p.fits(DefaultMTU, now.Add(wait)); got != want {
			t.Errorf("%v after the pair was idle: %d, want %d", wait, got, want)
		}
	}
}

// FuzzPackets: nothing that a front or a peer sends makes us panic, and what
// was intact stays so.
func FuzzPackets(f *testing.F) {
	for _, v6 := range []bool{true, false} {
		f.Add(tcpPacket(v6, synFlag, []byte{1, optionMSS, 4, 5, 100, 1, 1, 1}), 1200, byte(3))
		f.Add(ipPacket(v6, 17, make([]byte, 1300)), 1000, byte(1))
		f.Add(ipPacket(v6, protoICMPv6, nil), 1000, byte(1))
	}
	f.Fuzz(func(t *testing.T, p []byte, mtu int, ecn byte) {
		mtu %= 1 << 16
		if _, ok := head(p); !ok {
			return
		}
		sourceOf(p)
		if m := tooBig(p, mtu, 3); m != nil && !intact(m[3:]) {
			t.Errorf("%x answers %x", m, p)
		}
		whole := p[0]>>4 == 6 && p[6] == protoTCP && len(p) >= headerV6+minTCP && intact(p)
		clampMSS(p, mtu)
		setECN(p, ecn&3)
		if whole && !intact(p) {
			t.Errorf("%x is not intact any more", p)
		}
	})
}

func TestAmendAgreesWithSum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		p := tcpPacket(true, synFlag, []byte{optionMSS, 4, byte(r.Uint32()), byte(r.Uint32()), 1, 1, 1, 1})
		for i := range headerV6 - 8 {
			p[8+i] = byte(r.Uint32())
		}
		binary.BigEndian.PutUint16(p[headerV6+16:], 0)
		at, n := pseudo(p)
		binary.BigEndian.PutUint16(p[at+16:], ^fold(sum(n, p[at:])))
		if clampMSS(p, int(r.Uint32N(2000))); !intact(p) {
			t.Fatalf("%x", p)
		}
	}
}
