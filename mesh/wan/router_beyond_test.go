package wan

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"testing"
	"time"
)

const delay = 10 * time.Millisecond

func from(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 4000) }

// nothing sends a packet that passes straight, and wants it to come next.
func nothing(t *testing.T, kernel *os.File, why string) {
	t.Helper()
	mark := datagram(fra4, fra4.Next(), 77)
	put(t, kernel, mark)
	if got := next(t, kernel); !bytes.Equal(got, mark) {
		t.Errorf("%s: %x", why, got)
	}
}

// Who sends more than passes learns it after a round trip, in his family's
// words, from a packet that he can check.
func TestRouterTellsWhatIsTooBig(t *testing.T) {
	_, _, kernel := routed(t, Link{Delay: delay, MTU: 1300, ICMP: true})
	four := made{protocol: protoUDP, src: from(fra4), dst: from(nyc4), flags: dontFragment, payload: make([]byte, 1400)}.bytes()
	six := made{protocol: protoTCP, src: from(fra6), dst: from(nyc6), payload: make([]byte, 1400)}.bytes()
	for _, b := range [][]byte{four, six} {
		start := time.Now()
		put(t, kernel, b)
		got := next(t, kernel)
		if took := time.Since(start); took < 2*delay {
			t.Errorf("told after %v", took)
		}
		sound(t, got)
		src, dst, _ := ends(got)
		wantFrom, wantFrom6 := NoticeFrom()
		if b[0]>>4 == 4 {
			if src != wantFrom || dst != fra4 || got[9] != protoICMP || got[20] != 3 || got[21] != 4 || binary.BigEndian.Uint16(got[26:]) != 1300 ||
				len(got) != quoted4 || !bytes.HasPrefix(b, got[28:]) {
				t.Errorf("notice %x", got)
			}
			continue
		}
		if src != wantFrom6 || dst != fra6 || got[6] != protoICMP6 || got[40] != 2 || got[41] != 0 || binary.BigEndian.Uint32(got[44:]) != 1300 ||
			len(got) != quoted6 || !bytes.HasPrefix(b, got[48:]) {
			t.Errorf("notice %x", got)
		}
	}
}

func TestRouterIsSilentWhereItShouldBe(t *testing.T) {
	n, _, kernel := routed(t, Link{MTU: 100})
	big := made{protocol: protoUDP, src: from(fra4), dst: from(nyc4), flags: dontFragment, payload: make([]byte, 200)}
	put(t, kernel, big.bytes())
	nothing(t, kernel, "a black hole speaks")
	if err := n.Connect("fra", "nyc", Link{MTU: 100, ICMP: true}); err != nil {
		t.Fatal(err)
	}
	big.protocol, big.icmp = protoICMP, 3 // errors are not told about errors
	put(t, kernel, big.bytes())
	nothing(t, kernel, "told about an error")
	put(t, kernel, made{protocol: protoICMP6, src: from(fra6), dst: from(nyc6), icmp: 1, payload: make([]byte, 200)}.bytes())
	nothing(t, kernel, "told about an error")
	big.protocol, big.flags = protoUDP, dontFragment|5
	put(t, kernel, big.bytes())
	nothing(t, kernel, "told about a fragment that is not the first")
	if got := n.Stats().Packets["too_big"]; got != 4 {
		t.Errorf("%d packets were too big, want 4", got)
	}
}

// A packet that may be cut up arrives in pieces that make the same packet.
func TestRouterCutsUpWhatMayBe(t *testing.T) {
	_, _, kernel := routed(t, Link{Delay: time.Millisecond, MTU: 576})
	whole := made{protocol: protoUDP, src: from(fra4), dst: from(nyc4), payload: bytes.Repeat([]byte("0123456789"), 150)}.bytes()
	put(t, kernel, whole)
	var together []byte
	for more := true; more; {
		b := next(t, kernel)
		sound(t, b)
		if len(b) > 576 {
			t.Fatalf("a piece of %d bytes", len(b))
		}
		word := binary.BigEndian.Uint16(b[6:])
		if at := int(word&offsetMask) * 8; at != len(together) {
			t.Fatalf("a piece for %d comes at %d", at, len(together))
		}
		together = append(together, b[head4:]...)
		more = word&moreFragments != 0
	}
	if !bytes.Equal(together, whole[head4:]) {
		t.Errorf("together %d bytes, want %d", len(together), len(whole)-head4)
	}
}

// Options that only the first fragment has are gone from the others.
func TestFragmentsKeepTheOptionsTheyShould(t *testing.T) {
	const recordRoute, looseRoute = 7, 0x83
	options := []byte{recordRoute, 3, 4, looseRoute, 3, 4, 1, 0}
	blank(options)
	if want := []byte{1, 1, 1, looseRoute, 3, 4, 1, 0}; !bytes.Equal(options, want) {
		t.Errorf("options %v, want %v", options, want)
	}
}

func TestRouterMarksCongestion(t *testing.T) {
	const ect0 = 2
	_, _, kernel := routed(t, Link{Rate: 8_000_000, Mark: 1})
	for _, ends := range [][2]netip.Addr{{fra4, nyc4}, {nyc6, fra6}} {
		m := made{protocol: protoUDP, src: from(ends[0]), dst: from(ends[1]), tos: 0xb8 | ect0, payload: make([]byte, 1000)}
		for range 2 {
			put(t, kernel, m.bytes())
		}
		for _, want := range []uint8{0xb8 | ect0, 0xb8 | ecnMask} {
			b := next(t, kernel)
			if got := tos(b); got != want {
				t.Errorf("%v: tos %#x, want %#x", ends, got, want)
			}
			sound(t, b)
		}
	}
}

func TestRouterDuplicates(t *testing.T) {
	for _, l := range []Link{{Duplicate: 1}, {Duplicate: 1, Delay: time.Millisecond}} {
		_, _, kernel := routed(t, l)
		put(t, kernel, datagram(fra4, nyc4, 1))
		for range 2 {
			if got := next(t, kernel)[20]; got != 1 {
				t.Errorf("packet %d, want twice the first", got)
			}
		}
		nothing(t, kernel, "a third one")
	}
}
