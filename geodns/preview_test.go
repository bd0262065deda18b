package geodns

import (
	"encoding/binary"
	"net/netip"
	"os"
	"slices"
	"testing"

	"landfall"
	"landfall/geodns/plan"
	"landfall/geodns/prefix"

	"github.com/miekg/dns"
)

// What a preview says is what happens: IPv4 /24s are asked for before and after
// a map (one in 61, and all of them in make soak), and exactly those that were
// said to move have moved, from and to what was said.
func TestWhatIsPreviewedHappens(t *testing.T) {
	step := uint32(61) // of /24s, prime to all that is round
	if os.Getenv("LANDFALL_SOAK") != "" {
		step = 1
	}
	s := newServer(t, nil)
	next := s.in.Map.Clone()
	next.Serial++
	next.Overrides = []landfall.Override{{Prefix: netip.MustParsePrefix("10.2.128.0/17"), Place: singapore}}
	next.Preferences = []landfall.Preference{{Prefix: netip.MustParsePrefix("100.64.0.0/10"), Regions: []landfall.RegionID{"sin"}}}
	next.Nodes[1].State = landfall.Draining
	atlas, err := testAtlas().With(next.Overrides)
	if err != nil {
		t.Fatal(err)
	}
	moves := plan.Diff(s.Plan(), s.Try(next, atlas), plan.A)
	before := everyAnswer(t, s, step)
	s.SetAtlas(atlas)
	s.SetMap(next)
	after := everyAnswer(t, s, step)
	at, moved := 0, 0
	for i := range before {
		addr := nth24(uint32(i) * step)
		for at < len(moves) && moves[at].Prefix.Addr().Is4() && prefix.Last(moves[at].Prefix).Less(addr) {
			at++
		}
		want := [2]netip.Addr{before[i], before[i]}
		if at < len(moves) && moves[at].Prefix.Contains(addr) {
			want = [2]netip.Addr{moves[at].From.V4[0], moves[at].To.V4[0]}
			moved++
		}
		if got := [2]netip.Addr{before[i], after[i]}; got != want {
			t.Fatalf("%v: went %v, and %v was said", addr, got, want)
		}
	}
	if moved == 0 || len(moves) == 0 {
		t.Fatalf("%d of %d /24s moved, in %d prefixes: the test sees nothing", moved, len(before), len(moves))
	}
	t.Logf("%d of %d /24s moved as said, in %d prefixes", moved, len(before), len(moves))
}

// everyAnswer asks for every step-th /24.
func everyAnswer(t *testing.T, s *Server, step uint32) []netip.Addr {
	t.Helper()
	req, err := withSubnet(question("chat.landfall.test", dns.TypeA), "203.0.113.0/24").Pack()
	if err != nil {
		t.Fatal(err)
	}
	subnet := slices.Index(req, 203) // the octets of the client subnet, which come last
	for slices.Contains(req[subnet+1:], 203) {
		subnet += 1 + slices.Index(req[subnet+1:], 203)
	}
	out := make([]netip.Addr, 0, 1<<24/step+1)
	client, buf := netip.MustParseAddrPort("10.1.0.1:53"), make([]byte, 0, udpSize)
	for i := uint32(0); i < 1<<24; i += step {
		a := nth24(i).As4()
		copy(req[subnet:], a[:3])
		buf = s.respond(req, client, viaUDP, buf)
		out = append(out, firstA(t, buf, len("\x04chat\x08landfall\x04test\x00")))
	}
	return out
}

// firstA reads the address of the first answer to a name of some length, which
// is told by a pointer.
func firstA(t *testing.T, b []byte, name int) netip.Addr {
	at := headerSize + name + 4 + 2 + 2 + 2 + 4 + 2
	if len(b) < at+4 || binary.BigEndian.Uint16(b[6:]) == 0 {
		t.Fatalf("no answer: %x", b)
	}
	return netip.AddrFrom4([4]byte(b[at:]))
}

func nth24(i uint32) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], i<<8)
	return netip.AddrFrom4(a)
}
