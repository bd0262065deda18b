package wg

import (
	"encoding/binary"
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

// take receives one datagram and tells whose WireGuard was told it is: "-"
// is nobody's.
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
	return string(eps[0].(*endpoint).key[:1])
}

// message is one of WireGuard's, with a receiver index where it has one.
func message(kind byte, index uint32) []byte {
	b := make([]byte, 148)
	b[0] = kind
	binary.LittleEndian.PutUint32(b[max(4, receiverAt(b)):], index)
	return b
}

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
	a, z := landfall.PublicKey{'a'}, landfall.PublicKey{'z'}
	b.add(a, true)
	b.add(z, false)
	b.use(a, there)
	b.use(z, other)
	b.vouch(a, []netip.AddrPort{there})
	b.send(t, a, message(initiation, 71)) // our index 71 is for a
	b.send(t, z, message(response, 0))
	reply := message(response, 0)
	binary.LittleEndian.PutUint32(reply[4:], 72)
	b.send(t, z, reply) // and 72 for z

	strangeAddr := netip.MustParseAddrPort("203.0.113.9:9")
	for _, c := range []struct {
		name string
		from netip.AddrPort
		d    []byte
		want string
	}{
		{"initiation from where it was vouched for", there, message(initiation, 5), "a"},
		{"initiation from elsewhere", strangeAddr, message(initiation, 5), "-"},
		{"response by its index", strangeAddr, message(response, 71), "a"},
		{"data by its index, from a new address", strangeAddr, message(4, 72), "z"},
		{"data by its index, from the address of another", there, message(4, 72), "z"},
		{"data of an unknown session, from a known address", there, message(4, 99), "a"},
		{"data of an unknown session from nowhere", strangeAddr, message(4, 99), "-"},
		{"cookie by its index", other, message(3, 71), "a"},
		{"not WireGuard's", there, []byte("Landfall probe"), "-"},
		{"too short", there, []byte{4, 0, 0}, "-"},
		{"empty", there, nil, "-"},
	} {
		if got := b.take(t, c.from, c.d); got != c.want {
			t.Errorf("%s: given to %s, want %s", c.name, got, c.want)
		}
	}
	if len(b.strange) != 3 || b.dropped.Load() != 2 {
		t.Errorf("%d handed on, %d dropped", len(b.strange), b.dropped.Load())
	}
	b.vouch(a, nil)
	if got := b.take(t, there, message(initiation, 5)); got != "-" {
		t.Errorf("an address no longer vouched for: given to %s", got)
	}
	b.remove(z)
	if got := b.take(t, strangeAddr, message(4, 72)); got != "-" {
		t.Errorf("a peer removed: given to %s", got)
	}
}

func TestOldIndexesAreForgotten(t *testing.T) {
	b := newBench(t)
	a := landfall.PublicKey{'a'}
	b.add(a, true)
	b.use(a, there)
	for i := range uint32(100) {
		b.send(t, a, message(initiation, i))
	}
	if len(b.indexes) != keepIndexes {
		t.Errorf("%d indexes are kept", len(b.indexes))
	}
	if got := b.take(t, other, message(4, 99)); got != "a" {
		t.Errorf("the latest: given to %s", got)
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
		b.send(t, z, message(initiation, 1))
		if sent != 0 || !slices.Equal(b.wishes, []landfall.PublicKey{z}) {
			t.Errorf("%d datagrams sent, wishes %v", sent, b.wishes)
		}
		b.send(t, z, message(4, 1))
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
	if err := b.Send([][]byte{message(4, 1)}, e); err == nil {
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
		b.vouch(landfall.PublicKey{'a'}, []netip.AddrPort{there})
		fns, _, err := b.Open(0)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		wire.Inject(there, here, message(initiation, 1))
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

func FuzzSort(f *testing.F) {
	for kind := range byte(6) {
		f.Add(message(kind, 71))
		f.Add(message(kind, 71)[:8])
		f.Add([]byte{kind})
	}
	f.Fuzz(func(t *testing.T, d []byte) {
		a, z := landfall.PublicKey{'a'}, landfall.PublicKey{'z'}
		handed := 0
		b := newBind(nil, func([]byte, netip.AddrPort) { handed++ }, nil)
		b.add(a, true)
		b.add(z, true)
		b.vouch(a, []netip.AddrPort{there})
		b.remember(b.peers[z], message(initiation, 0))
		e := b.sort(d, there)
		ours := len(d) >= 8 && d[0] >= 1 && d[0] <= lastType
		if ours == (handed == 1) || !ours && e != nil {
			t.Fatalf("handed on %d times, endpoint %v", handed, e)
		}
		if ours && e == nil {
			t.Fatal("nobody's, from an address that was vouched for")
		}
	})
}
