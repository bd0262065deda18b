package wan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// storms is a network of nodes that all send to all over bad links; what it
// returns must be the same for the same seed, whatever the scheduler does.
func storms(t *testing.T, seed uint64) (trace Trace, arrived string, s Stats) {
	synctest.Test(t, func(t *testing.T) {
		n, m := memory(t, seed)
		const nodes = 8
		var got [nodes]bytes.Buffer
		var wg sync.WaitGroup
		addr := func(i int) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 9) }
		site := func(i int) Site { return Site(fmt.Sprint("s", i)) }
		for i := range nodes {
			for j := range i {
				n.Connect(site(i), site(j), Link{
					Delay: time.Duration(i+j) * time.Millisecond, Jitter: 5 * time.Millisecond, Reorder: i%2 == 0, Loss: 0.01, Duplicate: 0.02,
					Burst: Burst{Enter: 0.01, Leave: 0.2, Loss: 0.7}, Rate: int64(i) * 1_000_000, Queue: 5000, MTU: 1200,
				})
			}
			c := listen(t, m, addr(i), site(i))
			wg.Go(func() {
				buf := make([]byte, 2000)
				for {
					k, from, err := c.ReadFromUDPAddrPort(buf)
					if err != nil {
						return
					}
					fmt.Fprintln(&got[i], time.Since(m.start), from, k, binary.BigEndian.Uint64(buf))
					if k > 100 { // an answer in the same instant
						c.WriteToUDPAddrPort(buf[:50], from)
					}
				}
			})
			for j := range nodes {
				if i == j {
					continue
				}
				go func() { // one sender to each peer, all at the same times
					for k := range 100 {
						b := binary.BigEndian.AppendUint64(nil, unitBits(seed, i, j, k))
						c.WriteToUDPAddrPort(append(b, make([]byte, (i*j*k)%1300)...), addr(j))
						time.Sleep(time.Millisecond)
					}
				}()
			}
		}
		n.Schedule(time.Now(), Event{At: 30 * time.Millisecond, For: 20 * time.Millisecond, From: "s1", To: "s2", Change: Cut()})
		time.Sleep(time.Minute)
		trace, s = m.Trace(), n.Stats()
		m.Close()
		wg.Wait()
		for i := range got {
			arrived += got[i].String()
		}
	})
	return trace, arrived, s
}

func unitBits(seed uint64, i, j, k int) uint64 {
	return mix(seed ^ uint64(i)<<40 ^ uint64(j)<<20 ^ uint64(k))
}

func TestSameSeedSameStorm(t *testing.T) {
	trace, arrived, s := storms(t, 1)
	for range 5 {
		if again, all, _ := storms(t, 1); again.Hash != trace.Hash || all != arrived {
			t.Fatalf("another trace: %+v, %+v", again, trace)
		}
	}
	if other, _, _ := storms(t, 2); other.Hash == trace.Hash {
		t.Error("another seed gives the same trace")
	}
	// Conservation: all that was offered came to some end.
	var ends uint64
	for _, n := range s.Packets {
		ends += n
	}
	if want := trace.Packets + s.Doubled; ends != want {
		t.Errorf("%d packets offered and doubled, %d ended: %+v", want, ends, s)
	}
	for _, fate := range []string{"delayed", "lost", "full", "cut", "too_big"} {
		if s.Packets[fate] == 0 {
			t.Errorf("none %s: the storm was too mild: %+v", fate, s)
		}
	}
	if s.Bytes == 0 || s.Doubled == 0 || trace.Bytes == 0 || len(trace.Kinds) == 0 {
		t.Errorf("%+v, %+v", s, trace)
	}
}

func TestTapSeesAllInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m, a, b := link(t, Link{Loss: 1})
		var seen []string
		m.Tap(func(r Record) { seen = append(seen, fmt.Sprintf("%v %v %v %d %s", r.At, r.From, r.To, r.TOS, r.Bytes)) })
		b.WriteMarked([]byte("2"), nodeA, 1)
		a.WriteMarked([]byte("1"), nodeB, 8)
		time.Sleep(time.Millisecond)
		m.Inject(six, nodeB, 0, []byte("3"))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		want := []string{"0s 192.0.2.1:1 198.51.100.2:2 8 1", "0s 198.51.100.2:2 192.0.2.1:1 1 2", "1ms [2001:db8::6]:6 198.51.100.2:2 0 3"}
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q", seen)
		}
	})
}

// Nodes come and go at random moments while all talk, and move from site to
// site as they do: no run is unlike another, and nothing is left behind.
func TestMemoryOutlivesItsNodes(t *testing.T) {
	var want Trace
	for run := range 3 {
		synctest.Test(t, func(t *testing.T) {
			n, m := memory(t, 3)
			sites := []Site{"fra", "nyc", "syd"}
			for i, s := range sites {
				n.Connect(s, sites[(i+1)%3], Link{Delay: time.Duration(10+i) * time.Millisecond, Jitter: time.Millisecond, Loss: 0.05, Duplicate: 0.05})
			}
			var wg sync.WaitGroup
			for i := range 6 {
				wg.Go(func() { nomad(t, m, sites, i) })
			}
			wg.Wait()
			time.Sleep(time.Second)
			synctest.Wait()
			if got := m.Trace(); run == 0 {
				want = got
			} else if got.Hash != want.Hash {
				t.Errorf("another trace: %+v, %+v", got, want)
			}
			if len(m.conns) != 0 || m.held != 0 || n.Stats().Packets["strayed"] == 0 {
				t.Errorf("%d conns and %d bytes are left, stats %+v", len(m.conns), m.held, n.Stats())
			}
		})
	}
}

// nomad lives a hundred lives at one address, each at another site, and
// writes to all others meanwhile.
func nomad(t *testing.T, m *Memory, sites []Site, number int) {
	r := rand.New(rand.NewPCG(3, uint64(number)))
	addr := func(i int) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 9) }
	for range 100 {
		c := listen(t, m, addr(number), sites[r.IntN(3)])
		read := make(chan struct{})
		go func() {
			defer close(read)
			for buf := make([]byte, 100); ; {
				if _, _, err := c.ReadFrom(buf); err != nil {
					return
				}
			}
		}()
		for range r.IntN(20) {
			if _, err := c.WriteMarked(make([]byte, 1+r.IntN(100)), addr(r.IntN(6)), 0); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Duration(r.Int64N(int64(5 * time.Millisecond))))
		}
		c.Close()
		<-read
		time.Sleep(time.Duration(r.Int64N(int64(20 * time.Millisecond))))
	}
}
