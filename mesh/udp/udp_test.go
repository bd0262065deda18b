package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ways are the families of sockets, and an address to reach the first from the
// second.
var ways = []struct{ name, listens, sends, to string }{
	{"v4", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
	{"v6", "[::1]:0", "[::1]:0", "::1"},
	{"dual to v4", "127.0.0.1:0", "[::]:0", "127.0.0.1"},
	{"dual to v6", "[::1]:0", "[::]:0", "::1"},
	{"v4 to dual", "[::]:0", "127.0.0.1:0", "127.0.0.1"},
	{"dual to dual", "[::]:0", "[::]:0", "127.0.0.1"},
}

// Every datagram arrives, whole and in the order of its flow, from where it
// says, whatever their lengths.
func TestDatagramsArriveWholeAndInOrder(t *testing.T) {
	total := 100_000
	if testing.Short() {
		total = 12_000
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { carry(t, way.listens, way.sends, way.to, total/len(ways)) })
	}
}

// Two windows of datagrams fit into the buffer that a socket gets without root.
const flows = 2

func carry(t *testing.T, listens, sends, to string, total int) {
	c := bind(t, listens)
	dest := at(c, to)
	total = total / flows * flows
	sources := map[netip.AddrPort]uint32{}
	windows := make([]chan struct{}, flows) // datagrams on their way
	var work sync.WaitGroup
	defer work.Wait()
	for id := range uint32(flows) {
		s := bind(t, sends)
		windows[id] = make(chan struct{}, 64)
		sources[at(s, to)] = id
		work.Go(func() { pour(t, s, id, dest, total/flows, windows[id]) })
	}
	seen := make([]*flow, flows)
	for id := range seen {
		seen[id] = newFlow(uint64(id))
	}
	m := newMailbox(Batch, bigBuffer)
	for got := 0; got < total; {
		n, err := m.read(c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			b := m.bufs[i][:m.sizes[i]]
			id, ok := sources[m.from[i]]
			if !ok || len(b) < head || binary.BigEndian.Uint32(b) != id || !seen[id].check(b) {
				t.Fatalf("datagram %d: %d bytes from %v are not what comes next", got+i, len(b), m.from[i])
			}
			<-windows[id]
		}
		got += n
	}
	if st := c.Stats(); st.Received != uint64(total) || st.Reads > 2*st.Received {
		t.Errorf("of %d datagrams: %+v", total, st)
	}
}

// pour sends a flow of datagrams, many at a time.
func pour(t *testing.T, s Conn, id uint32, to netip.AddrPort, total int, window chan struct{}) {
	r, f := rand.New(rand.NewPCG(uint64(id), 7)), newFlow(uint64(id))
	sizes := lengths(r, total)
	for len(sizes) > 0 {
		var bufs [][]byte
		for range min(len(sizes), 1+r.IntN(60)) {
			window <- struct{}{}
			b := make([]byte, sizes[len(bufs)])
			f.write(id, b)
			bufs = append(bufs, b)
		}
		if err := s.Write(bufs, to, 0); err != nil {
			t.Error(err)
		}
		sizes = sizes[len(bufs):]
	}
	st := s.Stats()
	if st.Sent != uint64(total) || st.Messages > st.Sent || st.Segmented > st.Sent || st.Segmenting == 1 && st.Segmented == 0 {
		t.Errorf("of %d datagrams sent: %+v", total, st)
	}
}

func TestLongWritesAreDivided(t *testing.T) {
	c, s := bind(t, "127.0.0.1:0"), bind(t, "127.0.0.1:0")
	var bufs [][]byte
	for i := range 3*Batch + 7 {
		bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, 20))
	}
	if err := s.Write(bufs, c.LocalAddr(), 0); err != nil {
		t.Fatal(err)
	}
	for i, d := range hear(t, c, len(bufs)) {
		if d.data != string(bufs[i]) {
			t.Fatalf("datagram %d is %q", i, d.data)
		}
	}
}

func TestLongestDatagram(t *testing.T) {
	for _, way := range ways {
		c, s := bind(t, way.listens), bind(t, way.sends)
		for _, n := range []int{1, 20000, 65488} { // with its headers, what loopback's MTU allows
			b := bytes.Repeat([]byte{byte(n)}, n)
			if err := s.Write([][]byte{b}, at(c, way.to), 0); err != nil {
				t.Fatal(err)
			}
			if got := hear(t, c, 1)[0].data; got != string(b) {
				t.Errorf("%s: %d bytes of %d", way.name, len(got), n)
			}
		}
	}
}

func TestEmptyDatagramsAndWrites(t *testing.T) {
	c, s := bind(t, "127.0.0.1:0"), bind(t, "127.0.0.1:0")
	if err := s.Write(nil, c.LocalAddr(), 0); err != nil {
		t.Error(err)
	}
	if n, err := c.Read(nil, nil, nil, nil); n != 0 || err != nil {
		t.Errorf("no room: %d, %v", n, err)
	}
	want := []string{"", "a", "", "", "b", "c", ""}
	var bufs [][]byte
	for _, w := range want {
		bufs = append(bufs, []byte(w))
	}
	bufs[2] = nil
	if err := s.Write(bufs, c.LocalAddr(), 0); err != nil {
		t.Error(err)
	}
	for i, d := range hear(t, c, len(want)) {
		if d.data != want[i] {
			t.Errorf("datagram %d is %q", i, d.data)
		}
	}
}

// Marks arrive as they were set, by Write and by Urgent, in runs and alone.
func TestCongestionMarksArrive(t *testing.T) {
	for _, way := range ways {
		c, s := bind(t, way.listens), bind(t, way.sends)
		run := [][]byte{make([]byte, 300), make([]byte, 300), make([]byte, 200), make([]byte, 400)}
		for ecn := range uint8(4) {
			tos := 46<<2 | ecn
			if err := s.Write(run, at(c, way.to), tos); err != nil {
				t.Fatal(err)
			}
			if err := s.Urgent(run[0], at(c, way.to), tos); err != nil {
				t.Fatal(err)
			}
			for i, d := range hear(t, c, len(run)+1) {
				if d.tos != tos || d.from != at(s, way.to) {
					t.Errorf("%s: datagram %d under %#x from %v arrived under %#x from %v", way.name, i, tos, at(s, way.to), d.tos, d.from)
				}
			}
		}
	}
}

func TestWhatIsTooBigIsLeftOutAndToldOf(t *testing.T) {
	for _, way := range ways {
		c, s := bind(t, way.listens), bind(t, way.sends)
		bufs := [][]byte{[]byte("one"), make([]byte, 1<<16), []byte("two"), make([]byte, 1<<16), make([]byte, 1<<16), []byte("three")}
		err := s.Write(bufs, at(c, way.to), 0)
		if !errors.Is(err, ErrTooBig) || !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("%s: %v", way.name, err)
		}
		var got []string
		for _, d := range hear(t, c, 3) {
			got = append(got, d.data)
		}
		if strings.Join(got, " ") != "one two three" {
			t.Errorf("%s: got %q", way.name, got)
		}
		if err := s.Urgent(bufs[1], at(c, way.to), 0); !errors.Is(err, ErrTooBig) {
			t.Errorf("%s: urgent: %v", way.name, err)
		}
		if st := s.Stats(); st.TooBig != 4 || st.Unsent != 0 || st.Sent != 3 {
			t.Errorf("%s: %+v", way.name, st)
		}
	}
}

func TestAddressOfAnotherFamilyIsAnError(t *testing.T) {
	for _, to := range []netip.AddrPort{netip.MustParseAddrPort("[::1]:9"), {}} {
		s := bind(t, "127.0.0.1:0")
		if err := s.Write([][]byte{{1}, {2}}, to, 0); err == nil {
			t.Errorf("to %v: no error", to)
		}
		if st := s.Stats(); st.Unsent != 2 || st.Sent != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// Where there is no way, all of it stays here, and the socket serves others.
func TestAddressThatNothingCanBeSentTo(t *testing.T) {
	c, s := bind(t, "127.0.0.1:0"), bind(t, "127.0.0.1:0")
	before := s.Stats().Segmenting
	bufs := make([][]byte, 100)
	for i := range bufs {
		bufs[i] = make([]byte, 30)
	}
	if err := s.Write(bufs, netip.MustParseAddrPort("127.0.0.1:0"), 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("port 0: %v, want EINVAL", err)
	}
	if st := s.Stats(); st.Unsent != 100 || st.Sent != 0 || st.Writes > 6 || st.Segmenting != before {
		t.Errorf("%+v", st)
	}
	if err := s.Write(bufs[:5], c.LocalAddr(), 0); err != nil {
		t.Error(err)
	}
	hear(t, c, 5)
}

func TestDatagramLongerThanItsBufferIsDropped(t *testing.T) {
	c, s := bind(t, "127.0.0.1:0"), bind(t, "127.0.0.1:0")
	if err := s.Write([][]byte{make([]byte, 101), make([]byte, 100)}, c.LocalAddr(), 0); err != nil {
		t.Fatal(err)
	}
	m := newMailbox(4, 100)
	n, err := m.read(c)
	if n != 1 || m.sizes[0] != 100 || err != nil {
		t.Errorf("%d datagrams, the first of %d bytes, %v", n, m.sizes[0], err)
	}
	if st := c.Stats(); st.Cut != 1 || st.Received != 1 {
		t.Errorf("%+v", st)
	}
}

func TestManyWriteAtOnce(t *testing.T) {
	c, s := bind(t, "127.0.0.1:0"), bind(t, "[::]:0")
	const each = 200
	window := make(chan struct{}, 64)
	var work sync.WaitGroup
	defer work.Wait()
	for id := range 16 {
		work.Go(func() {
			for i := range each {
				window <- struct{}{}
				b := []byte{byte(id), byte(i)}
				var err error
				if id%2 == 0 {
					err = s.Write([][]byte{b}, at(c, "127.0.0.1"), 0)
				} else {
					err = s.Urgent(b, at(c, "127.0.0.1"), 0)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	m, next := newMailbox(Batch, bigBuffer), [16]byte{}
	for got := 0; got < 16*each; {
		n, err := m.read(c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			id, k := m.bufs[i][0], m.bufs[i][1]
			if k != next[id] {
				t.Fatalf("of writer %d: datagram %d, want %d", id, k, next[id])
			}
			next[id]++
			<-window
		}
		got += n
	}
}

func TestCloseEndsWhoeverWaitsOrComes(t *testing.T) {
	for range 20 {
		s := bind(t, "127.0.0.1:0")
		to, begun := s.LocalAddr(), make(chan struct{}, 5)
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				bufs := [][]byte{make([]byte, 1000), make([]byte, 1000)}
				var err error
				for err == nil {
					if err = s.Write(bufs, to, 1); err == nil {
						err = s.Urgent(bufs[0], to, 1)
					}
					select {
					case begun <- struct{}{}:
					default:
					}
				}
				wantClosed(t, err)
			})
		}
		work.Go(func() {
			m := newMailbox(Batch, bigBuffer)
			var err error
			for err == nil {
				_, err = m.read(s)
			}
			wantClosed(t, err)
		})
		<-begun
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
		wantClosed(t, s.Close())
	}
}

func TestReadThatWaitsIsEndedByClose(t *testing.T) {
	s := bind(t, "[::1]:0")
	closed := time.AfterFunc(20*time.Millisecond, func() { s.Close() })
	defer closed.Stop()
	_, err := newMailbox(1, 100).read(s)
	wantClosed(t, err)
}

func TestNewWithoutSocketIsRefused(t *testing.T) {
	if _, err := New(nil); err == nil {
		t.Error("no socket: no error")
	}
	c := listen(t, "127.0.0.1:0")
	c.Close()
	if _, err := New(c); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed socket: %v", err)
	}
	if _, err := New(new(net.UDPConn)); err == nil {
		t.Error("no descriptor: no error")
	}
}
