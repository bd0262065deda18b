package udp

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// arrival is a message as recvmmsg gives it.
type arrival struct {
	data    []byte
	segment int // 0 for none
	from    netip.AddrPort
	tos     uint8
}

// pieces are the datagrams in a message.
func (a arrival) pieces() (out [][]byte) {
	rest := a.data
	for a.segment > 0 && len(rest) > a.segment {
		out, rest = append(out, rest[:a.segment]), rest[a.segment:]
	}
	return append(out, rest)
}

// deliver has a reader find messages where it has asked for them, as many as
// it has, and tells how many.
func deliver(r *reader, waiting []arrival) int {
	n := min(r.ask, len(waiting))
	for i, a := range waiting[:n] {
		m := &r.messages[i]
		into := unsafe.Slice(r.vectors[i].Base, r.vectors[i].Len)
		m.n = uint32(copy(into, a.data))
		r.names[i].set(a.from, true)
		c := &r.controls[i]
		end := c.put(0, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 4, uint32(a.tos))
		if a.segment > 0 {
			end = c.put(end, unix.IPPROTO_UDP, unix.UDP_GRO, 4, uint32(a.segment))
		}
		m.SetControllen(end)
	}
	r.got, r.errno = n, 0
	return n
}

// joinedTraffic is messages that a kernel joins for a while, and then not.
func joinedTraffic(r *rand.Rand, n int) (all []arrival) {
	for len(all) < n {
		joins := r.IntN(2) == 0
		for range 1 + r.IntN(200) {
			a := arrival{
				from: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(3))}), 7),
				tos:  uint8(r.IntN(256)),
			}
			size := 1 + r.IntN(1400)
			if joins && r.IntN(3) > 0 {
				a.segment = size
				size = size*r.IntN(min(64, bigBuffer/size)) + 1 + r.IntN(size)
			}
			if a.data = make([]byte, size); size >= 4 {
				binary.BigEndian.PutUint32(a.data, r.Uint32())
			}
			all = append(all, a)
		}
	}
	return all
}

// Joined messages come apart as they were, whatever comes between, however
// many buffers the caller has.
func TestJoinedDatagramsComeApart(t *testing.T) {
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		s := bind(t, "[::1]:0").(*socket)
		r, waiting := s.in, joinedTraffic(rnd, 1500)
		r.wait = func() error {
			waiting = waiting[deliver(r, waiting):]
			return nil
		}
		var want []datagram
		for _, a := range waiting {
			for _, p := range a.pieces() {
				want = append(want, datagram{string(p), a.from, a.tos})
			}
		}
		box := newMailbox([]int{Batch, 1, 7}[seed%3], []int{bigBuffer, 1400}[seed/3%2])
		modes := map[bool]int{}
		for got := 0; got < len(want); {
			n, err := box.read(s)
			if err != nil {
				t.Fatal(err)
			}
			modes[r.joining]++
			for i := range n {
				d := datagram{string(box.bufs[i][:box.sizes[i]]), box.from[i], box.tos[i]}
				if w := want[got+i]; d != w {
					t.Fatalf("seed %d, datagram %d: %d bytes from %v with %d, want %d from %v with %d", seed, got+i, len(d.data), d.from, d.tos, len(w.data), w.from, w.tos)
				}
			}
			got += n
		}
		if len(waiting) > 0 || len(modes) < 2 {
			t.Errorf("seed %d: %d messages left; modes %v", seed, len(waiting), modes)
		}
	}
}
