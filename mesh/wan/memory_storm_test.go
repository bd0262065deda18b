package wan

import (
	"bytes"
	"encoding/binary"
	"fmt"
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
