package warm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landfall"
	"landfall/mesh/front"
)

func newKitOpen() func(context.Context, landfall.Target, []byte, landfall.Sink) (front.Stream, error) {
	return func(context.Context, landfall.Target, []byte, landfall.Sink) (front.Stream, error) {
		return nil, syscall.ECONNREFUSED
	}
}

func TestBadPreamblesAreReset(t *testing.T) {
	ask := string(warmBytes(landfall.Normal, 1<<20))
	for name, bad := range map[string]string{
		"unknown":         "\xff",
		"a class of none": "\x04x",
		"no padding":      "\x10\x00\x00\x00\x00",
		"too much":        "\x10\xff\xff\xff\xff",
		"TLS":             "\x16\x03\x01\x02\x00",
		"a second ask":    ask + ask,
		"go too early":    ask + "\x00x",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t, Config{}, DoorConfig{})
				c := &client{}
				if _, err := k.near.Open(t.Context(), k.there, landfall.Normal, []byte(bad), c); err != nil {
					t.Fatal(err)
				}
				settle()
				if !errors.Is(c.err, syscall.ECONNRESET) || k.door.Stats().Bad != 1 || len(k.services()) != 0 {
					t.Errorf("ended by %v, %+v, served %d times", c.err, k.door.Stats(), len(k.services()))
				}
			})
		})
	}
}

func TestStreamsThatDoNotBeginAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{}, DoorConfig{Waiting: 3})
		var waiting []front.Stream
		for range 3 {
			s, err := k.near.Open(t.Context(), k.there, landfall.Normal, nil, &client{})
			if err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, s)
		}
		c := &client{}
		if _, err := k.near.Open(t.Context(), k.there, landfall.Normal, []byte("\x00x"), c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		settle()
		if c.err == nil || k.door.Stats().Refused != 1 {
			t.Errorf("ended by %v, %+v", c.err, k.door.Stats())
		}
		waiting[0].Close()
		settle()
		if s, c := k.open(t, "x"); s != nil {
			settle()
			if string(c.got) != "x" {
				t.Errorf("%q, %v", c.got, c.err)
			}
		}
	})
}

// TestEveryStreamIsServedOnceOrFails breaks connections at random moments, on
// either side, under many opens.
func TestEveryStreamIsServedOnceOrFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, Config{Spares: 8}, DoorConfig{})
		k.keep()
		random := rand.New(rand.NewPCG(7, 7))
		count := 400
		if testing.Short() {
			count = 100
		}
		clients := make([]*client, count)
		for i := range clients {
			clients[i] = &client{}
			if _, err := k.pool.Open(t.Context(), page, fmt.Appendf(nil, "%d.", i), clients[i]); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatal(err)
			}
			for _, side := range [][]*front.Flow{k.near.All(), k.far.All()} {
				slices.SortFunc(side, func(a, b *front.Flow) int {
					return strings.Compare(a.Local().String()+a.Remote().String(), b.Local().String()+b.Remote().String())
				})
				if len(side) > 0 && random.IntN(4) == 0 {
					side[random.IntN(len(side))].Abort(errors.New("chaos"))
				}
			}
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		}
		settle()
		seen := map[string]int{}
		for _, s := range k.services() {
			seen[string(s.got)]++
		}
		answered := 0
		for i, c := range clients {
			id := fmt.Sprintf("%d.", i)
			if seen[id] > 1 {
				t.Errorf("stream %d was served %d times", i, seen[id])
			}
			if string(c.got) == id {
				answered++
			} else if len(c.got) > 0 || c.closed != 1 || c.err == nil {
				t.Errorf("stream %d: %q, closed %d times: %v", i, c.got, c.closed, c.err)
			}
		}
		t.Logf("%d of %d answered: %+v, %+v", answered, count, k.pool.Stats(), k.door.Stats())
		if answered < count/2 || k.pool.Stats().Retried == 0 {
			t.Errorf("%d of %d answered, %d opened again", answered, count, k.pool.Stats().Retried)
		}
	})
}

// TestNobodyWaitsForPadding: whatever class a peer asks for it in, it is
// behind all that people wait for.
func TestNobodyWaitsForPadding(t *testing.T) {
	for asked := landfall.Bulk; asked <= landfall.Control; asked++ {
		d := NewDoor(DoorConfig{})
		s := &marked{}
		d.Answer(func(front.Stream) {})(s)
		s.sink.Data(warmBytes(asked, 1000))
		if s.written != numberSize+1000 || s.class != landfall.Bulk {
			t.Errorf("asked in class %d: %d bytes in class %d", asked, s.written, s.class)
		}
		if s.sink.Data(goBytes(asked, nil)); s.class != asked {
			t.Errorf("what follows is of class %d, not %d", s.class, asked)
		}
	}
}

// TestPaddingLeavesRoom: peers get it one after the other, a share of a rate,
// and none while a way is in doubt.
func TestPaddingLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sure := true
		d := NewDoor(DoorConfig{Rate: 8_000_000, Sure: func(netip.Addr) bool { return sure }})
		begin := time.Now()
		total := 0
		for time.Since(begin) < 10*time.Second {
			n := d.grantTo()
			if total += n; n > 100_000 {
				t.Fatalf("%d bytes at a time, more than a tenth of a second", n)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if total < 2_000_000 || total > 2_600_000 {
			t.Errorf("%d bytes in ten seconds, want a quarter of the rate", total)
		}
		time.Sleep(time.Minute)
		sure = false
		if n := d.grantTo(); n != 0 {
			t.Errorf("%d bytes in doubt", n)
		}
		if n := NewDoor(DoorConfig{Allowance: -1}).grantTo(); n != 0 {
			t.Errorf("%d bytes where there is to be none", n)
		}
	})
}

// grantTo is what somebody gets who has entered.
func (d *Door) grantTo() int {
	addr := netip.IPv6Loopback()
	d.enter(addr)
	defer d.leave(addr)
	return d.grant(addr, 1<<20)
}

// marked is a stream that notes its class.
type marked struct {
	front.Stream
	sink    landfall.Sink
	class   landfall.Class
	written int
}

func (m *marked) Remote() netip.AddrPort { return netip.AddrPort{} }
func (m *marked) Mark(c landfall.Class)  { m.class = c }
func (m *marked) Write(b []byte) (int, error) {
	m.written += len(b)
	return len(b), nil
}

func (m *marked) Start(s landfall.Sink) {
	if s != nil {
		m.sink = s
	}
}

// FuzzPreamble: whatever the pieces that bytes come in, the requests are the
// same, and none asks for too much.
func FuzzPreamble(f *testing.F) {
	f.Add([]byte("\x00GET /"), uint8(1))
	f.Add(warmBytes(landfall.Control, maxPadding), uint8(3))
	f.Add(append(warmBytes(landfall.Bulk, 1), goBytes(landfall.Bulk, []byte("x"))...), uint8(2))
	f.Add([]byte("\x10\xff\xff\xff\xff"), uint8(4))
	f.Add([]byte("\x04"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		whole, used := requests(b, len(b))
		split, again := requests(b, int(piece))
		if !slices.Equal(whole, split) || used != again {
			t.Fatalf("%v of %d bytes, in pieces %v of %d", whole, used, split, again)
		}
		for _, q := range whole {
			if q.padding < 0 || q.padding > maxPadding || q.class > landfall.Control {
				t.Fatalf("%+v", q)
			}
		}
	})
}

// requests reads up to the first that makes no sense, or says go.
func requests(b []byte, piece int) (out []request, used int) {
	var r reader
	for len(b) > 0 {
		in := b[:min(len(b), max(1, piece))]
		n, q, ok, err := r.read(in)
		used += n
		if b = b[n:]; err != nil {
			return out, used
		}
		if ok {
			if out = append(out, q); q.padding == 0 {
				return out, used
			}
		}
	}
	return out, used
}

// FuzzAnswer: what a peer sends to a spare is thrown away only if it was asked
// for.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02xx"), uint32(2), uint8(1))
	f.Add([]byte("\x00\x00\x00\x03xxx"), uint32(2), uint8(5))
	f.Add([]byte("\x00\x00\x00\x00"), uint32(9), uint8(5))
	f.Fuzz(func(t *testing.T, b []byte, asked uint32, piece uint8) {
		s := &spare{pool: &Pool{}, shelf: &shelf{}, asked: int(asked)}
		size := len(b)
		for ok := true; len(b) > 0 && ok; {
			n := min(len(b), max(1, int(piece)))
			ok = s.swallow(b[:n])
			b = b[n:]
		}
		if s.rest < 0 || s.rest > int(asked) || s.pool.count.Padding > uint64(asked) || len(s.head) > numberSize {
			t.Fatalf("after %d bytes: %d of %d left, %d counted", size, s.rest, asked, s.pool.count.Padding)
		}
	})
}
