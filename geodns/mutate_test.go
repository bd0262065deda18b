package geodns

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"landfall/geodns/limit"

	"github.com/miekg/dns"
)

// somePacket draws a message: a good query, one that was damaged, or noise.
func somePacket(r *rand.Rand, s *Server) []byte {
	if r.IntN(20) == 0 {
		return noise(r, r.IntN(600))
	}
	names := []string{"chat.landfall.test", "CHAT.Landfall.test", "mail.landfall.test", "nothing.landfall.test", "www.landfall.test",
		"x.sub.landfall.test", "landfall.test", "a.wild.landfall.test", "c.landfall.test", "example.com", ".", "loop.landfall.test",
		"abcdefghijklmnop01.seen.landfall.test", `with\.dots\000.landfall.test`}
	msg, err := someQuery(r, s, names, askers[r.IntN(len(askers))]).Pack()
	if err != nil {
		return nil
	}
	for range r.IntN(5) {
		msg = damage(r, msg)
	}
	return msg
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// damage changes a message in one of the ways in which messages are damaged,
// or forged.
func damage(r *rand.Rand, msg []byte) []byte {
	if len(msg) < 2 {
		return noise(r, 40)
	}
	at := r.IntN(len(msg))
	switch r.IntN(9) {
	case 0: // a bit
		msg[at] ^= 1 << r.IntN(8)
	case 1: // a byte
		msg[at] = byte(r.Uint32())
	case 2: // a byte that means something
		msg[at] = []byte{0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff}[r.IntN(8)]
	case 3: // the end is missing
		msg = msg[:at]
	case 4: // there is more
		msg = append(msg, noise(r, 1+r.IntN(30))...)
	case 5: // a part is missing
		end := min(len(msg), at+1+r.IntN(8))
		msg = append(msg[:at:at], msg[end:]...)
	case 6: // a part comes twice
		end := min(len(msg), at+1+r.IntN(30))
		msg = append(append(append([]byte{}, msg[:end]...), msg[at:end]...), msg[end:]...)
	case 7: // a count is a lie
		if len(msg) >= headerSize {
			binary.BigEndian.PutUint16(msg[4+2*r.IntN(4):], uint16(r.IntN(4)))
		}
	case 8: // a length is a lie
		if at+2 <= len(msg) {
			binary.BigEndian.PutUint16(msg[at:], uint16(r.IntN(300)))
		}
	}
	return msg
}

// allowed is how long an answer by UDP may be to a message.
func allowed(req []byte) int {
	if m, err := readAll(req); err == nil && len(m.opts) == 1 {
		return min(max(int(m.opts[0].UDPSize()), 512), 1232)
	}
	return 1232 // we may have read an OPT record that the oracle has not
}

// Packets of all kinds do no harm: every answer is one, fits, and hits nobody
// with more than he bears; nothing is left of them.
func TestDamagedPacketsDoNoHarm(t *testing.T) {
	n := 200_000
	switch {
	case os.Getenv("LANDFALL_SOAK") != "":
		n = 10_000_000
	case testing.Short():
		n = 10_000
	}
	signed, _ := signedServer(t)
	for _, s := range []*Server{newServer(t, nil), signed} {
		s.limit = limit.New(50, maphash.MakeSeed())
		goroutines, heap := runtime.NumGoroutine(), heapInUse()
		r, c := rand.New(rand.NewPCG(5, 6)), &core{s: s, place: shared, book: newBook()}
		now, buf := time.Now(), make([]byte, 0, udpSize)
		silences := 0
		for i := range n / 2 {
			now = now.Add(100 * time.Microsecond)
			c.turn(now)
			req := somePacket(r, s)
			from := netip.MustParseAddrPort(askers[r.IntN(len(askers))])
			if i%4 > 0 { // few ask too much
				from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(5)), byte(r.Uint32()), 1}), 53)
			}
			out := c.respond(req, from, viaUDP, buf)
			if len(out) == 0 {
				silences++
				continue
			}
			if i%7 == 0 || len(out) > 10*len(req) { // the rest is as in FuzzRespond
				checkHarmless(t, req, out, c.a.proven)
			}
			if len(out) > allowed(req) {
				t.Fatalf("%x: %d bytes are more than %d", req, len(out), allowed(req))
			}
		}
		c.publish()
		if st := s.Stats(); st.Panics > 0 || st.Limited == 0 || st.Limited > uint64(n)/5 {
			t.Errorf("%d panics, %d of %d answers held back", st.Panics, st.Limited, n/2)
		}
		if silences < n/100 || silences > n/3 {
			t.Errorf("%d of %d got no answer", silences, n/2)
		}
		if now := runtime.NumGoroutine(); now > goroutines {
			t.Errorf("%d goroutines, %d before", now, goroutines)
		}
		if now := heapInUse(); now > heap+16<<20 {
			t.Errorf("%d KiB in use, %d before", now>>10, heap>>10)
		}
	}
}

// checkHarmless looks into an answer by UDP.
func checkHarmless(t *testing.T, req, out []byte, proven bool) {
	t.Helper()
	checkWellFormed(t, req, out, false)
	var m dns.Msg
	if err := m.Unpack(out); err != nil {
		t.Fatalf("%x got %x: %v", req, out, err)
	}
	signed := false
	for _, rr := range append(m.Answer, m.Ns...) {
		signed = signed || rr.Header().Rrtype == dns.TypeRRSIG
	}
	if len(out) > 10*len(req) && !proven && !signed {
		t.Fatalf("%x: %d bytes for %d, to who knows whom: %v", req, len(out), len(req), m.String())
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
