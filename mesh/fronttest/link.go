package fronttest

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"landfall/mesh/front"
)

// headroom is the room before packets, as package wg leaves it.
const headroom = 16

// packetRoom is how large buffers are: fronts may join packets in them.
const packetRoom = 1<<16 - 1

// Side is a front and its address.
type Side struct {
	Front front.Streams
	Addr  netip.Addr
}

// packets is the other side of the front.
func (s Side) packets() front.Packets { return s.Front.(front.Packets) }

// Link carries the packets of two fronts to each other.
type Link struct {
	tap atomic.Pointer[func(p []byte) (pass bool)]
	cut atomic.Bool
}

// Join joins two fronts, which carry packets as well, until the test ends; it closes them.
func Join(t testing.TB, a, b Side) *Link {
	t.Helper()
	l := &Link{}
	var carriers sync.WaitGroup
	carriers.Go(func() { l.carry(t, a.packets(), b.packets()) })
	carriers.Go(func() { l.carry(t, b.packets(), a.packets()) })
	t.Cleanup(func() {
		closeBoth(t, a, b)
		carriers.Wait()
	})
	return l
}

func closeBoth(t testing.TB, sides ...Side) {
	for _, s := range sides {
		if err := s.Front.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// Watch shows tap every packet from now on, and loses those that it does not
// let pass. It must return soon, and not keep what it is shown.
func (l *Link) Watch(tap func(p []byte) (pass bool)) { l.tap.Store(&tap) }

// Cut loses all packets, or no longer does.
func (l *Link) Cut(yes bool) { l.cut.Store(yes) }

// carry returns when the front it reads is closed.
func (l *Link) carry(t testing.TB, from, to front.Packets) {
	bufs, sizes := make([][]byte, from.BatchSize()), make([]int, from.BatchSize())
	for i := range bufs {
		bufs[i] = make([]byte, packetRoom)
	}
	packets := make([][]byte, 0, len(bufs))
	for {
		n, err := from.Read(bufs, sizes, headroom)
		if err != nil {
			return
		}
		packets = packets[:0]
		tap := l.tap.Load()
		for i := range n {
			p := bufs[i][:headroom+sizes[i]]
			if !l.cut.Load() && (tap == nil || (*tap)(p[headroom:])) {
				packets = append(packets, p)
			}
		}
		if k, err := to.Write(packets, headroom); err == nil && k != len(packets) {
			t.Errorf("%d packets of %d were written", k, len(packets))
		}
	}
}
