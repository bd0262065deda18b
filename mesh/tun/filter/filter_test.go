package filter

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/class"
)

// packet is one from port 5000 of a peer to a port.
func packet(proto uint8, tos uint8, upper ...byte) []byte {
	p := make([]byte, headerSize, headerSize+len(upper))
	p[0], p[1], p[6] = 6<<4|tos>>4, tos<<4, proto
	p[23], p[39] = 1, 2 // from ::1 to ::2
	return append(p, upper...)
}

func tcp(port uint16, flags byte) []byte {
	h := make([]byte, tcpSize)
	h[0], h[1], h[2], h[3], h[flagsAt] = 5000>>8, 5000&0xff, byte(port>>8), byte(port), flags
	return h
}

func udp(port uint16) []byte { return tcp(port, 0)[:udpSize] }

func fragment(proto uint8, offset uint16, upper []byte) []byte {
	return append([]byte{proto, 0, byte(offset >> 5), byte(offset<<3) | 1, 0, 0, 0, 9}, upper...)
}

func TestWhatPeersReach(t *testing.T) {
	f := New(Config{First: 1000, Last: 1008, Allow: []Rule{{protoTCP, 5432}, {protoUDP, 53}}})
	all := New(Config{Allow: []Rule{{}}})
	for name, c := range map[string]struct {
		packet []byte
		want   Verdict
	}{
		"a service":                   {packet(6, 0, tcp(1008, flagSYN)...), Pass},
		"beside the services":         {packet(6, 0, tcp(1009, flagSYN)...), Closed},
		"an allowed port":             {packet(6, 0, tcp(5432, flagSYN)...), Pass},
		"SSH":                         {packet(6, 0, tcp(22, flagSYN)...), Closed},
		"SSH with other flags":        {packet(6, 0, tcp(22, flagSYN|0xc9)...), Closed},
		"an answer":                   {packet(6, 0, tcp(40000, flagSYN|flagACK)...), Pass},
		"a running connection":        {packet(6, 0, tcp(40000, flagACK)...), Pass},
		"port zero":                   {packet(6, 0, tcp(0, flagSYN)...), Closed},
		"half a TCP header":           {packet(6, 0, tcp(1000, flagSYN)[:13]...), Shortened},
		"allowed UDP":                 {packet(17, 0, udp(53)...), Pass},
		"other UDP":                   {packet(17, 0, udp(5432)...), Unasked},
		"half a UDP header":           {packet(17, 0, udp(53)[:7]...), Shortened},
		"an echo":                     {packet(58, 0, 128, 0, 0, 0, 0, 0, 0, 0), Pass},
		"packet too big":              {packet(58, 0, 2, 0, 0, 0, 0, 0, 5, 0), Pass},
		"a router's advertisement":    {packet(58, 0, 134, 0, 0, 0, 0, 0, 0, 0), Foreign},
		"no next header":              {packet(59, 0), Foreign},
		"SCTP":                        {packet(132, 0, make([]byte, 40)...), Foreign},
		"TCP behind a routing header": {packet(43, 0, append([]byte{6, 0, 0, 0, 0, 0, 0, 0}, tcp(22, flagSYN)...)...), Foreign},
		"the first fragment of SSH":   {packet(44, 0, fragment(6, 0, tcp(22, flagSYN))...), Closed},
		"the first, a part of it":     {packet(44, 0, fragment(6, 0, tcp(22, flagSYN)[:8])...), Shortened},
		"the first of allowed UDP":    {packet(44, 0, fragment(17, 0, udp(53))...), Pass},
		"a later one":                 {packet(44, 0, fragment(17, 100, udp(99))...), Pass},
		"a fragment of a fragment":    {packet(44, 0, fragment(44, 0, fragment(6, 0, tcp(22, flagSYN)))...), Foreign},
		"half a fragment header":      {packet(44, 0, 6, 0, 0), Foreign},
		"no header":                   {[]byte{6 << 4}, Shortened},
	} {
		if got := f.In(c.packet); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := all.In(c.packet); got != Pass {
			t.Errorf("%s: %v, though all is allowed", name, got)
		}
	}
}

// TestUDPIsAnswered: for two minutes, by whom it was sent to alone.
func TestUDPIsAnswered(t *testing.T) {
	f, now := New(Config{}), time.Unix(1e9, 0)
	out := packet(17, 0, udp(53)...)
	to, ok := f.Out(out)
	if !ok {
		t.Fatal("it is not noted")
	}
	answer := func(mine, theirs uint16) []byte {
		h := udp(mine)
		h[0], h[1] = byte(theirs>>8), byte(theirs)
		p := packet(17, 0, h...)
		p[23], p[39] = 2, 1
		return p
	}
	var s Sent
	s.Note(to, now)
	for _, c := range []struct {
		packet []byte
		later  time.Duration
		want   bool
	}{
		{answer(5000, 53), 0, true}, {answer(5000, 54), 0, false}, {answer(5001, 53), 0, false}, {out, 0, false},
		{answer(5000, 53), Remembered, true}, {answer(5000, 53), 2 * Remembered, false},
	} {
		if got := f.In(c.packet); got != Unasked {
			t.Errorf("verdict %v", got)
		}
		if got := s.Has(FlowOf(c.packet), now.Add(c.later)); got != c.want {
			t.Errorf("% x after %v: %v", c.packet[headerSize:], c.later, got)
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	var s Sent
	now := time.Unix(1e9, 0)
	for i := range 5 * maxFlows {
		s.Note(Flow{byte(i), byte(i >> 8), byte(i >> 16)}, now)
		if n := len(s.young) + len(s.old); n > 2*maxFlows {
			t.Fatalf("%d flows", n)
		}
	}
	for i := 4 * maxFlows; i < 5*maxFlows; i++ {
		if !s.Has(Flow{byte(i), byte(i >> 8), byte(i >> 16)}, now) {
			t.Fatal("one of the newest is forgotten")
		}
	}
}

// TestOnlyTheMeshIsUrgent: other programs' packets are Interactive at most,
// and keep their congestion marks.
func TestOnlyTheMeshIsUrgent(t *testing.T) {
	f := New(Config{First: 1000, Last: 1008})
	from := func(port uint16) []byte {
		h := tcp(5000, flagACK)
		h[0], h[1] = byte(port>>8), byte(port)
		return h
	}
	for name, c := range map[string]struct {
		packet []byte
		want   uint8
	}{
		"UDP with CS6":           {packet(17, 48<<2|1, udp(1000)...), class.TOS(landfall.Interactive, 1)},
		"UDP with CS7":           {packet(17, 56<<2|2, udp(99)...), class.TOS(landfall.Interactive, 2)},
		"ICMP with CS6":          {packet(58, 48<<2, 128, 0, 0, 0, 0, 0, 0, 0), class.TOS(landfall.Interactive, 0)},
		"TCP of a program":       {packet(6, 48<<2, tcp(22, flagACK)...), class.TOS(landfall.Interactive, 0)},
		"TCP to a service":       {packet(6, 48<<2|3, tcp(1001, flagACK)...), 48<<2 | 3},
		"TCP of a service":       {packet(6, 48<<2, from(1008)...), 48 << 2},
		"voice":                  {packet(17, 46<<2, udp(99)...), 46 << 2},
		"a fragment with CS6":    {packet(44, 48<<2, fragment(6, 0, tcp(1000, 0))...), class.TOS(landfall.Interactive, 0)},
		"a header with CS6 only": {packet(6, 48<<2), class.TOS(landfall.Interactive, 0)},
	} {
		before := slices.Clone(c.packet)
		f.Out(c.packet)
		if got := c.packet[0]<<4 | c.packet[1]>>4; got != c.want {
			t.Errorf("%s: bears %#x, want %#x", name, got, c.want)
		}
		if c.packet[0]>>4 != 6 || c.packet[1]&15 != before[1]&15 || !bytes.Equal(c.packet[2:], before[2:]) {
			t.Errorf("%s: more than its mark was changed", name)
		}
	}
}

func TestRules(t *testing.T) {
	for _, s := range []string{"tcp/5432", "udp/53", "tcp/65535", "all"} {
		if r, err := ParseRule(s); err != nil || r.String() != s {
			t.Errorf("%s is %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/-1", "icmp/1", "TCP/22", "tcp/22/23", "All", "22"} {
		if r, err := ParseRule(s); err == nil {
			t.Errorf("%q is %v", s, r)
		}
	}
}

// head is upper where there may be none.
func head(p []byte) (proto uint8, h []byte, part bool) {
	if len(p) < headerSize {
		return 0, nil, true
	}
	return upper(p)
}

// FuzzFilter: no packet that opens anything passes, however it is made up.
func FuzzFilter(f *testing.F) {
	for _, p := range [][]byte{
		{}, packet(6, 0, tcp(22, flagSYN)...), packet(17, 48<<2, udp(53)...), packet(44, 0, fragment(6, 0, tcp(22, flagSYN))...),
		packet(58, 0, 128, 0, 0, 0, 0, 0, 0, 0), packet(44, 0, fragment(17, 3, nil)...),
	} {
		f.Add(p)
	}
	rules := New(Config{First: 1000, Last: 1008})
	f.Fuzz(func(t *testing.T, p []byte) {
		v := rules.In(p)
		if v == Unasked {
			FlowOf(p)
		}
		Asked(p)
		if proto, h, part := head(p); v == Pass && !part {
			opens := proto == protoTCP && h[flagsAt]&(flagSYN|flagACK) == flagSYN
			if opens = opens && !rules.service(uint16(h[2])<<8|uint16(h[3])); opens || proto == protoUDP {
				t.Fatalf("% x passes", p)
			}
		}
		before := slices.Clone(p)
		rules.Out(p)
		if len(p) > 2 && !bytes.Equal(p[2:], before[2:]) {
			t.Fatal("more than the mark was changed")
		}
	})
}

// BenchmarkIn is what a packet costs.
func BenchmarkIn(b *testing.B) {
	f, p := New(Config{First: 1000, Last: 1008}), packet(6, 0, tcp(1000, flagACK)...)
	for b.Loop() {
		if f.In(p) != Pass {
			b.Fatal("refused")
		}
	}
}
