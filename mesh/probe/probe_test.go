package probe

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"landfall"
)

// twoNodes are the keys of both ends of a pair, and of a third node.
func twoNodes(t testing.TB) (a, b, stranger Keys) {
	t.Helper()
	// Always the same: the processes of a fuzz run must agree about them.
	var priv [3]landfall.PrivateKey
	for i, text := range []string{
		"wg-key:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
		"wg-key:ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
		"wg-key:QEECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=",
	} {
		k, err := landfall.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		priv[i] = k
	}
	make := func(self, peer int) Keys {
		secret, err := priv[self].Shared(priv[peer].Public())
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKeys(secret, priv[self].Public(), priv[peer].Public())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return make(0, 1), make(1, 0), make(2, 1)
}

// messages are one of each shape.
func messages() []Message {
	many := make([]Report, MaxReports)
	for i := range many {
		many[i] = Report{Node: uint32(i * 7919), RTT: time.Duration(i) * rttStep, Loss: uint8(i)}
	}
	return []Message{
		{Kind: Ping, Stamp: 1},
		{Kind: Ping, Stamp: 12345, Initiate: true, Way: 1<<32 - 1, Sent: 77, Serial: 9},
		{Kind: Ping, Stamp: 5, Doubt: true, Size: 1472},
		{Kind: Ping, Stamp: 5, Size: 20, Reports: many[1:2]},
		{Kind: Ping, Stamp: 5, Size: 1200, Reports: many[:3]},
		{Kind: Pong, Stamp: 1 << 62, Initiate: true, Doubt: true, Pass: 1<<63 + 5, Way: 3, Heard: 1 << 31, Largest: 1372, Serial: 1<<64 - 1},
		{Kind: Pong, Stamp: 7, Reports: many},
		{Kind: Pong, Stamp: 8, Bare: true, Pass: 2},
		{Kind: Pong, Stamp: 9, NoRelay: true, Pass: 2},
	}
}

func TestOnlyThePeerOpensAProbe(t *testing.T) {
	a, b, stranger := twoNodes(t)
	for _, m := range messages() {
		wire := a.AppendSeal(nil, m)
		got, err := b.Open(wire)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("sealed %+v, opened %+v, %v", m, got, err)
		}
		if len(wire) != m.Len() {
			t.Errorf("%+v has %d bytes, not the %d it said", m, len(wire), m.Len())
		}
		if id, err := Peek(wire); err != nil || id != b.From {
			t.Errorf("peek: %v, %v", id, err)
		}
		if _, err := a.Open(wire); !errors.Is(err, ErrForged) {
			t.Errorf("turned back on its sender: %v", err)
		}
		if _, err := stranger.Open(wire); !errors.Is(err, ErrForged) {
			t.Errorf("a stranger opened it: %v", err)
		}
	}
}

func TestAppendSealAppends(t *testing.T) {
	a, b, _ := twoNodes(t)
	m := messages()[4]
	wire := a.AppendSeal([]byte("before"), m)
	got, err := b.Open(wire[len("before"):])
	if err != nil || !reflect.DeepEqual(got, m) || string(wire[:6]) != "before" {
		t.Errorf("opened %+v, %v after %q", got, err, wire[:6])
	}
}

func TestSizes(t *testing.T) {
	a, _, _ := twoNodes(t)
	ping := len(a.AppendSeal(nil, Message{Kind: Ping, Stamp: 1, Way: 9, Sent: 9, Serial: 9}))
	if ping > 72 {
		t.Errorf("a plain ping has %d bytes", ping)
	}
	if pong := len(a.AppendSeal(nil, Message{Kind: Pong, Stamp: 1, Heard: 9, Largest: 1472, Serial: 9})); pong > ping {
		t.Errorf("a plain pong has %d bytes, its ping only %d", pong, ping)
	}
	for size := range 2048 {
		want := max(MinSize, size)
		if n := len(a.AppendSeal(nil, Message{Kind: Ping, Stamp: 1, Size: uint16(size)})); n != want {
			t.Fatalf("a ping of size %d has %d bytes", size, n)
		}
	}
	if n := len(a.AppendSeal(nil, Message{Kind: Pong, Stamp: 1, Size: 1400, Reports: make([]Report, 1000)})); n != MinSize+MaxReports*ReportSize {
		t.Errorf("the largest pong has %d bytes", n)
	}
}

func TestReportsAreQuantised(t *testing.T) {
	a, b, _ := twoNodes(t)
	for in, want := range map[time.Duration]time.Duration{
		0: 0, -1: 0, 1: rttStep, 149 * time.Microsecond: rttStep, 150 * time.Microsecond: 2 * rttStep,
		80 * time.Millisecond: 80 * time.Millisecond, 6553500 * time.Microsecond: 6553500 * time.Microsecond,
		time.Hour: 6553500 * time.Microsecond,
	} {
		m, err := b.Open(a.AppendSeal(nil, Message{Kind: Pong, Stamp: 1, Reports: []Report{{Node: 1, RTT: in}}}))
		if err != nil || m.Reports[0].RTT != want {
			t.Errorf("%v became %+v, %v", in, m.Reports, err)
		}
	}
}

func TestShortNamesDependOnNetworkAndKey(t *testing.T) {
	var k, other landfall.PublicKey
	other[31] = 1
	n := ShortOf("a", k)
	if n == ShortOf("b", k) || n == ShortOf("a", other) || n != ShortOf("a", k) {
		t.Error("short names do not tell nodes or networks apart")
	}
}

func TestEveryBitIsAuthenticated(t *testing.T) {
	a, b, _ := twoNodes(t)
	for _, m := range messages() {
		wire := a.AppendSeal(nil, m)
		for i := range len(wire) * 8 {
			wire[i/8] ^= 1 << (i % 8)
			if m, err := b.Open(wire); err == nil {
				t.Fatalf("bit %d flipped: opened %v", i, m)
			}
			wire[i/8] ^= 1 << (i % 8)
		}
		for n := range wire {
			if m, err := b.Open(wire[:n]); err == nil {
				t.Fatalf("cut to %d bytes: opened %v", n, m)
			}
		}
	}
}

func TestOtherVersionsAreToldApart(t *testing.T) {
	a, b, _ := twoNodes(t)
	old := make([]byte, 44) // a ping of version 1
	copy(old, "L\x01\x01\x00")
	next := a.AppendSeal(nil, Message{Kind: Ping, Stamp: 1})
	next[1] = 3
	for _, wire := range [][]byte{old, next} {
		if _, err := b.Open(wire); !errors.Is(err, ErrVersion) {
			t.Errorf("version %d: %v", wire[1], err)
		}
		if _, err := Peek(wire); !errors.Is(err, ErrVersion) {
			t.Errorf("peek at version %d: %v", wire[1], err)
		}
	}
}

func TestProbesAreNotWireGuard(t *testing.T) {
	a, _, _ := twoNodes(t)
	wire := a.AppendSeal(nil, Message{Kind: Ping, Stamp: 1})
	if wire[0] >= 1 && wire[0] <= 4 || !Is(wire) {
		t.Errorf("first byte %d is one of WireGuard's", wire[0])
	}
}

// TestWireForm holds the bytes: a change of them needs another version.
func TestWireForm(t *testing.T) {
	a, _, _ := twoNodes(t)
	for _, c := range []struct {
		m    Message
		want string
	}{
		{Message{Kind: Ping, Initiate: true, Stamp: 0x0102030405060708, Pass: 0x1112131415161718, Way: 0x21222324, Sent: 0x31323334, Size: 70, Serial: 0x4142434445464748},
			"4c020101f9a2b172c22407a3010203040506070811121314151617182122232431323334004600004142434445464748000000000000fc0693192c7c940e182688b7da69416c"},
		{Message{Kind: Pong, Doubt: true, Stamp: 0x0102030405060708, Pass: 0x1112131415161718, Way: 0x21222324, Heard: 0x31323334, Largest: 0x5152, Serial: 0x4142434445464748,
			Reports: []Report{{Node: 0x61626364, RTT: 25 * time.Millisecond, Loss: 0x71}}},
			"4c020202f9a2b172c22407a30102030405060708111213141516171821222324313233345152010041424344454647486162636400fa718388a01cf9f26ff2b11a4bf933cb7b64"},
		{Message{Kind: Pong, NoRelay: true, Stamp: 1}, "4c020208f9a2b172c22407a30000000000000001000000000000000000000000000000000000000000000000000000003bfd21152ac0718b6b6354c86dd16ab4"},
	} {
		if got := hex.EncodeToString(a.AppendSeal(nil, c.m)); got != c.want {
			t.Errorf("%+v\n got %s\nwant %s", c.m, got, c.want)
		}
	}
}

func TestWindowHearsEachStampOnce(t *testing.T) {
	w := NewWindow(7)
	heard := map[int64]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for now := int64(1); now < 5000; now++ {
		for range 3 {
			s := max(1, now-r.Int64N(12)) // overtaken by up to a dozen
			fresh := w.Fresh(Message{Stamp: s, Pass: 7})
			if fresh == heard[s] && (fresh || now-s < 30) {
				t.Fatalf("stamp %d at %d: fresh %v, heard before %v", s, now, fresh, heard[s])
			}
			heard[s] = true
		}
	}
	if w.Fresh(Message{Stamp: 4000, Pass: 7}) {
		t.Error("a stamp from long ago is fresh")
	}
}

func TestWindowWantsItsPass(t *testing.T) {
	w := NewWindow(7)
	for _, pass := range []uint64{0, 6, 8} {
		if w.Fresh(Message{Stamp: 1000, Pass: pass}) {
			t.Errorf("pass %d was believed", pass)
		}
	}
	if !w.Fresh(Message{Stamp: 1000, Pass: 7}) {
		t.Error("the right pass was not believed, after wrong ones")
	}
}

func TestWindowBearsManyWaysAtOnce(t *testing.T) {
	// Pings each 50 ms on two ways and each 200 ms on six, a ladder of sizes
	// now and then; one way is 600 ms slower than the others.
	type ping struct {
		stamp int64
		at    int
	}
	var pings []ping
	for ms := range 20_000 {
		for way := range 8 {
			every, delay := 200, 5*way
			if way < 2 {
				every, delay = 50, 600*way
			}
			if (ms+7*way)%every == 0 {
				pings = append(pings, ping{int64(len(pings) + 1), ms + delay})
			}
		}
		if ms%5000 == 0 {
			for range 6 {
				pings = append(pings, ping{int64(len(pings) + 1), ms + 2})
			}
		}
	}
	slices.SortStableFunc(pings, func(a, b ping) int { return a.at - b.at })
	w := NewWindow(7)
	for _, p := range pings {
		if !w.Fresh(Message{Stamp: p.stamp, Pass: 7}) {
			t.Fatalf("ping %d at %d ms is not fresh", p.stamp, p.at)
		}
		if w.Fresh(Message{Stamp: p.stamp, Pass: 7}) {
			t.Fatalf("ping %d is fresh twice", p.stamp)
		}
	}
}

// FuzzOpen gives the parser anything as what the peer authenticated: a peer is
// not to be trusted with more than its own ways.
func FuzzOpen(f *testing.F) {
	a, b, _ := twoNodes(f)
	for _, m := range messages() {
		wire := a.AppendSeal(nil, m)
		f.Add(wire, false)
		f.Add(wire[:len(wire)-macSize], true)
	}
	f.Add([]byte{}, false)
	f.Add([]byte("L\x01\x01\x00"), false)
	f.Add(make([]byte, MinSize), true)
	f.Fuzz(func(t *testing.T, wire []byte, genuine bool) {
		if genuine {
			if len(wire) >= 12 {
				copy(wire[4:], b.From[:])
			}
			mac := sum(&b.open, wire)
			wire = append(wire[:len(wire):len(wire)], mac[:]...)
		}
		id, err := Peek(wire)
		m, openErr := b.Open(wire)
		if openErr != nil {
			return
		}
		if err != nil || id != b.From {
			t.Fatalf("opened what peek refuses: %v, %v", id, err)
		}
		if again := a.AppendSeal(nil, m); string(again) != string(wire) {
			t.Fatalf("opened %x as %+v, which seals as %x", wire, m, again)
		}
	})
}

func BenchmarkSealAndOpen(b *testing.B) {
	x, y, _ := twoNodes(b)
	m := Message{Kind: Ping, Stamp: 1}
	buf := make([]byte, 0, MinSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := y.Open(x.AppendSeal(buf, m)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestWindowRefusesWhatWasHeldBack: a ping that is much older than the newest
// is not fresh, though nobody has heard it before.
func TestWindowRefusesWhatWasHeldBack(t *testing.T) {
	w := NewWindow(7)
	begin := time.Now().UnixNano()
	for _, c := range []struct {
		after time.Duration
		fresh bool
	}{
		{40 * time.Second, true}, {0, false}, {34 * time.Second, false}, {36 * time.Second, true}, {36 * time.Second, false}, {39 * time.Second, true},
	} {
		if got := w.Fresh(Message{Kind: Ping, Pass: 7, Stamp: begin + int64(c.after)}); got != c.fresh {
			t.Errorf("%v: fresh %v", c.after, got)
		}
	}
}

func TestOnlyPongsAreBare(t *testing.T) {
	a, b, _ := twoNodes(t)
	if m, err := b.Open(a.AppendSeal(nil, Message{Kind: Pong, Stamp: 1, Bare: true})); err != nil || !m.Bare {
		t.Error(m, err)
	}
	if _, err := b.Open(a.AppendSeal(nil, Message{Kind: Ping, Stamp: 1, NoRelay: true})); !errors.Is(err, ErrNotProbe) {
		t.Errorf("a ping that refuses to relay: %v", err)
	}
	if _, err := b.Open(a.AppendSeal(nil, Message{Kind: Ping, Stamp: 1, Bare: true})); !errors.Is(err, ErrNotProbe) {
		t.Error(err)
	}
}
