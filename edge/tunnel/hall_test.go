package tunnel

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// One service leaves others room at the upstreams, and gives back what it
// does not use.
func TestServicesShareTheConnectionsToUpstreams(t *testing.T) {
	s := newStage(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	taken := func(want int) func() bool {
		return func() bool { n, _ := s.places.counts(); return n == want }
	}
	for i := range 2 { // of six places
		if _, err := s.open("bare.landfall.test").Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		until(t, taken(i+1))
	}
	third := s.open("bare.landfall.test")
	if _, err := third.Read(make([]byte, 1)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("half of six for one client: %v", err)
	}
	down := s.open("down.landfall.test")
	if _, err := down.Read(make([]byte, 1)); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	if _, err := s.open("db.landfall.test").Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return s.Stats().Bytes["up"] == 3 })
	s.stop()
	if n := s.Stats(); n.Failed["full"] != 1 || n.Failed["unreachable"] != 1 || !taken(0)() {
		t.Errorf("%+v", n)
	}
}

// What nobody uses is the first to go: a client that opens streams and says
// nothing keeps nobody out.
func TestQuietStreamGivesWay(t *testing.T) {
	s := newStage(t, func(c net.Conn) { io.Copy(c, c) })
	first, second := s.open("bare.landfall.test"), s.open("bare.landfall.test")
	for _, c := range []net.Conn{first, second} {
		io.WriteString(c, "x")
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	quiet := s.places.take("bare.landfall.test", netip.MustParseAddr("192.0.2.99"))
	near, far := net.Pipe()
	lull := quiet.follow(near, far)
	defer lull.End()
	lull.moved.Add(-int64(Mute))
	lull.look()
	if _, err := s.open("bare.landfall.test").Read(make([]byte, 1)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("who has more must not displace who has less: %v", err)
	}
	if n, shed := s.places.counts(); n != 3 || shed != 0 {
		t.Errorf("%d places are taken, %d shed", n, shed)
	}
	if s.places.take("bare.landfall.test", netip.MustParseAddr("192.0.2.50")) == nil {
		t.Error("a newcomer found no room")
	}
	if n, shed := s.places.counts(); n != 3 || shed != 1 {
		t.Errorf("%d places are taken, %d shed", n, shed)
	}
	if _, err := far.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("it is still open: %v", err)
	}
	quiet.leave() // as serve does
	if n, _ := s.places.counts(); n != 3 {
		t.Errorf("a place was given back twice: %d are taken", n)
	}
}

func TestOneClientLeavesOthersRoomAtItsService(t *testing.T) {
	h := &hall{all: 64}
	in := func(host, from string) (n int) {
		for h.take(host, netip.MustParseAddr(from)) != nil {
			n++
		}
		return n
	}
	a, b, c := in("db", "192.0.2.1"), in("db", "192.0.2.2"), in("db", "2001:db8::1")
	if a != 22 || b == 0 || c == 0 || in("db", "2001:db8::2") != 0 {
		t.Errorf("%d, %d and %d of 64", a, b, c)
	}
	if d := in("mail", "192.0.2.1"); d == 0 {
		t.Error("another service found no room")
	}
	if one := (&hall{all: 1}); one.take("db", netip.Addr{}) == nil || one.take("db", netip.Addr{}) != nil {
		t.Error("a single place is not for one")
	}
}

// Whatever happens, the books agree with each other.
func TestHallKeepsItsBooks(t *testing.T) {
	h, rng := &hall{all: 40}, rand.New(rand.NewPCG(1, 2))
	var in []*seat
	for range 20000 {
		switch n := rng.IntN(8); {
		case n < 4 || len(in) == 0:
			at := netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(5))})
			if s := h.take(string(rune('a'+rng.IntN(4))), at); s != nil {
				near, far := net.Pipe()
				s.near, s.far = near, far
				in = append(in, s)
			}
		case n < 6:
			i := rng.IntN(len(in))
			in[i].leave()
			in = append(in[:i], in[i+1:]...)
		case n < 7:
			h.rest(in[rng.IntN(len(in))])
		default:
			h.rouse(in[rng.IntN(len(in))])
		}
		sum, quiet, here, asleep := 0, 0, 0, 0
		for _, p := range h.services {
			own := 0
			for _, c := range p.clients {
				own += c.streams
				quiet += c.quiet.Len()
				if c.streams == 0 {
					t.Fatal("a client without streams is remembered")
				}
			}
			if sum += own; own != p.streams || own == 0 {
				t.Fatalf("%d streams of a service with %d", own, p.streams)
			}
		}
		for _, s := range in {
			if !s.left {
				here++
			}
			if s.quiet != nil {
				asleep++
			}
		}
		if sum != h.taken || sum != here || quiet != asleep || sum > h.all {
			t.Fatalf("%d, %d and %d taken; %d and %d quiet", sum, h.taken, here, quiet, asleep)
		}
	}
	if h.shed == 0 {
		t.Error("nobody ever gave way")
	}
}

// until waits for what another goroutine is about to do.
func until(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !is(); <-tick.C {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it never came to be")
		}
	}
}
