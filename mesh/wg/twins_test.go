package wg

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"testing"
	"time"
)

// TestSessionsOfOnePlace: indices are random, and as many sessions as find
// room at one place are told apart; then the oldest goes.
func TestSessionsOfOnePlace(t *testing.T) {
	tw := twins{peers: newDirectory(), seed: maphash.MakeSeed()}
	one, other := origin{via: 1}, direct(netip.MustParseAddrPort("192.0.2.1:7000"))
	datagram := func(session, number int) []byte {
		b := make([]byte, 64)
		b[0] = data
		binary.LittleEndian.PutUint32(b[4:], uint32(7+session*sessionSlots))
		binary.LittleEndian.PutUint32(b[8:], uint32(number))
		return b
	}
	now := int64(time.Second)
	for i := range reach + 1 {
		tw.learn(datagram(i, 0), new(peer), one, now+int64(i))
	}
	for i := range reach + 1 {
		now += int64(time.Minute)
		tw.copied(datagram(i, 1), other, 64, now) // a second way: twins are likely
		if tw.copied(datagram(i, 2), one, 64, now) {
			t.Errorf("session %d: the first copy was taken for a second", i)
		}
		if second, known := tw.copied(datagram(i, 2), other, 64, now), i > 0; second != known {
			t.Errorf("session %d: second copy found: %v", i, second)
		}
	}
}
