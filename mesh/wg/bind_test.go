package wg

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.zx2c4.com/wireguard/conn"

	"landfall"
	"landfall/mesh/meshtest"
)

var (
	here  = netip.MustParseAddrPort("192.0.2.1:7000")
	there = netip.MustParseAddrPort("192.0.2.2:7000")
	other = netip.MustParseAddrPort("192.0.2.3:7000")
)

// bench is a bind on a network in memory.
type bench struct {
	*bind
	wire    *meshtest.Packets
	recv    conn.ReceiveFunc
	strange [][]byte
	wishes  []landfall.PublicKey
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{wire: meshtest.NewPackets(0)}
	c, err := b.wire.Conn(here)
	if err != nil {
		t.Fatal(err)
	}
	b.bind = newBind(c,
		func(d []byte, _ netip.AddrPort) { b.strange = append(b.strange, slices.Clone(d)) },
		func(k landfall.PublicKey) { b.wishes = append(b.wishes, k) })
	fns, port, err := b.Open(0)
	if err != nil || len(fns) != 1 || port != here.Port() {
		t.Fatal(fns, port, err)
	}
	b.recv = fns[0]
	t.Cleanup(func() { b.Close() })
	return b
}

// take receives one datagram and tells where WireGuard was told it is from:
// "-" means that it was told nothing.
func (b *bench) take(t *testing.T, from netip.AddrPort, d []byte) string {
	t.Helper()
	b.wire.Inject(from, here, d)
	bufs, sizes, eps := [][]byte{make([]byte, 2000)}, make([]int, 1), make([]conn.Endpoint, 1)
	if _, err := b.recv(bufs, sizes, eps); err != nil {
		t.Fatal(err)
	}
	if sizes[0] == 0 {
		return "-"
	}
	return eps[0].DstToString()
}

// message is one of WireGuard's.
func message(kind byte) []byte { return append([]byte{kind}, make([]byte, 147)...) }

func (b *bench) send(t *testing.T, key landfall.PublicKey, d []byte) {
	t.Helper()
	b.mu.RLock()
	e := b.peers[key]
	b.mu.RUnlock()
	if err := b.Send([][]byte{d}, e); err != nil {
		t.Fatal(err)
	}
}

func TestDatagramsAreSorted(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		name string
		d    []byte
		want string
	}{
		{"initiation", message(initiation), there.String()},
		{"response", message(2), there.String()},
		{"cookie", message(3), there.String()},
		{"data", message(data), b.nowhere.DstToString()},
		{"not WireGuard's", []byte("Landfall probe"), "-"},
		{"too short", []byte{data, 0, 0}, "-"},
		{"empty", nil, "-"},
	} {
		if got := b.take(t, there, c.d); got != c.want {
			t.Errorf("%s: from %s, want %s", c.name, got, c.want)
		}
	}
	if len(b.strange) != 3 {
		t.Errorf("%d handed on", len(b.strange))
	}
}

// TestCookiesGoWhereTheMessageCameFrom: a sender that floods us with
// handshakes has to show that it hears us at the address it claims.
func TestCookiesGoWhereTheMessageCameFrom(t *testing.T) {
	b := newBench(t)
	var to netip.AddrPort
	b.wire.Tap(func(_, at netip.AddrPort, _ []byte) { to = at })
	e := b.sort(message(initiation), other)
	if err := b.Send([][]byte{message(3)}, e); err != nil || to != other {
		t.Errorf("sent to %v, %v", to, err)
	}
}

func TestInitiationsOfTheOtherSideBecomeWishes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		z := landfall.PublicKey{'z'}
		b.add(z, false)
		b.use(z, there)
		sent := 0
		b.wire.Tap(func(_, _ netip.AddrPort, _ []byte) { sent++ })
		b.send(t, z, message(initiation))
		if sent != 0 || !slices.Equal(b.wishes, []landfall.PublicKey{z}) {
			t.Errorf("%d datagrams sent, wishes %v", sent, b.wishes)
		}
		b.send(t, z, message(data))
		if sent != 1 {
			t.Errorf("%d datagrams sent, want the data", sent)
		}
	})
}

func TestSendWithoutAnAddress(t *testing.T) {
	b := newBench(t)
	b.add(landfall.PublicKey{'a'}, true)
	e, err := b.ParseEndpoint("61" + string(slices.Repeat([]byte("00"), 31)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Send([][]byte{message(data)}, e); err == nil {
		t.Error("sent to nowhere")
	}
	for _, bad := range []string{"", "zz", "6100", "62" + string(slices.Repeat([]byte("00"), 31))} {
		if _, err := b.ParseEndpoint(bad); err == nil {
			t.Errorf("endpoint %q was found", bad)
		}
	}
}

// flaky fails a few times, as a socket does when its interface is away.
type flaky struct {
	net.PacketConn
	faults int
}

func (f *flaky) ReadFrom(b []byte) (int, net.Addr, error) {
	if f.faults > 0 {
		f.faults--
		return 0, nil, errors.New("no buffer space")
	}
	return f.PacketConn.ReadFrom(b)
}

func TestReadFaultsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := meshtest.NewPackets(0)
		c, err := wire.Conn(here)
		if err != nil {
			t.Fatal(err)
		}
		b := newBind(&flaky{c, 50}, nil, nil)
		b.add(landfall.PublicKey{'a'}, true)
		fns, _, err := b.Open(0)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		wire.Inject(there, here, message(initiation))
		start := time.Now()
		sizes := make([]int, 1)
		n, err := fns[0]([][]byte{make([]byte, 2000)}, sizes, make([]conn.Endpoint, 1))
		if n != 1 || err != nil || sizes[0] != 148 {
			t.Errorf("%d, %v, sizes %v", n, err, sizes)
		}
		if took := time.Since(start); took != 50*retryRead {
			t.Errorf("after %v", took)
		}
	})
}

// TestUrgentDatagramsDoNotWait: probes get through while all writes wait.
func TestUrgentDatagramsDoNotWait(t *testing.T) {
	var conns [2]*net.UDPConn
	for i := range conns {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
	}
	s := newUDPSocket(conns[0])
	for range cap(s.out) {
		<-s.out
	}
	if err := s.urgent([]byte("probe"), conns[1].LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, err := conns[1].Read(b); err != nil || string(b[:n]) != "probe" {
		t.Errorf("%q, %v", b[:n], err)
	}
}

func FuzzSort(f *testing.F) {
	for kind := range byte(6) {
		f.Add(message(kind))
		f.Add(message(kind)[:8])
		f.Add([]byte{kind})
	}
	f.Fuzz(func(t *testing.T, d []byte) {
		handed := 0
		b := newBind(nil, func([]byte, netip.AddrPort) { handed++ }, nil)
		e := b.sort(d, there)
		ours := len(d) >= 8 && d[0] >= 1 && d[0] <= data
		if ours == (handed == 1) || ours == (e == nil) {
			t.Fatalf("handed on %d times, endpoint %v", handed, e)
		}
	})
}
