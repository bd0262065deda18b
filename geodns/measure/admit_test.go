package measure

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"testing"
	"time"

	"landfall"
)

func TestBadSamplesAreDroppedAndCounted(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	good := landfall.Sample{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Edge: "fra", RTT: 20 * time.Millisecond, Count: 3, When: now}
	change := func(f func(*landfall.Sample)) landfall.Sample {
		s := good
		f(&s)
		return s
	}
	prefix := func(p string) landfall.Sample {
		return change(func(s *landfall.Sample) { s.Prefix = netip.MustParsePrefix(p) })
	}
	rtt := func(d time.Duration) landfall.Sample {
		return change(func(s *landfall.Sample) { s.RTT = d })
	}
	when := func(d time.Duration) landfall.Sample {
		return change(func(s *landfall.Sample) { s.When = now.Add(d) })
	}
	for _, c := range []struct {
		name   string
		from   landfall.NodeID
		sample landfall.Sample
		want   string // why it is dropped; empty: it is not
	}{
		{"good", "fra", good, ""},
		{"IPv6", "fra", prefix("2001:db8:1::/48"), ""},
		{"without an edge", "fra", change(func(s *landfall.Sample) { s.Edge = "" }), ""},
		{"nobody", "xyz", good, "stranger"},
		{"nobody's own", "xyz", change(func(s *landfall.Sample) { s.Edge = "xyz" }), "stranger"},
		{"an edge that drains", "old", change(func(s *landfall.Sample) { s.Edge = "old" }), "stranger"},
		{"a name server", "dns", change(func(s *landfall.Sample) { s.Edge = "dns" }), "stranger"},
		{"of another edge", "nyc", good, "other-edge"},
		{"a wider prefix", "fra", prefix("192.0.0.0/16"), "prefix"},
		{"a longer prefix", "fra", prefix("192.0.2.0/25"), "prefix"},
		{"an IPv6 site", "fra", prefix("2001:db8::/32"), "prefix"},
		{"IPv4 as IPv6", "fra", prefix("::ffff:192.0.2.0/120"), "prefix"},
		{"bits behind the length", "fra", change(func(s *landfall.Sample) {
			s.Prefix = netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), 24)
		}), "prefix"},
		{"no prefix", "fra", change(func(s *landfall.Sample) { s.Prefix = netip.Prefix{} }), "prefix"},
		{"0 ms", "fra", rtt(0), "rtt"},
		{"less than nothing", "fra", rtt(-time.Second), "rtt"},
		{"99 µs", "fra", rtt(99 * time.Microsecond), "rtt"},
		{"100 µs", "fra", rtt(100 * time.Microsecond), ""},
		{"10 s", "fra", rtt(10 * time.Second), ""},
		{"90 s", "fra", rtt(90 * time.Second), "rtt"},
		{"of no connection", "fra", change(func(s *landfall.Sample) { s.Count = 0 }), "empty"},
		{"a little ahead", "fra", when(time.Minute), ""},
		{"from the future", "fra", when(time.Minute + time.Second), "future"},
		{"a little old", "fra", when(-oldest), ""},
		{"old", "fra", when(-oldest - time.Second), "old"},
		{"without a time", "fra", change(func(s *landfall.Sample) { s.When = time.Time{} }), "old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := New(Config{Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			m := testMap()
			m.Nodes = append(m.Nodes,
				landfall.Node{ID: "old", Region: "fra", Roles: []landfall.Role{landfall.RoleEdge}, State: landfall.Draining},
				landfall.Node{ID: "dns", Region: "fra", Roles: []landfall.Role{landfall.RoleDNS}})
			b.SetMap(m)
			got := b.Add(c.from, []landfall.Sample{c.sample, c.sample})
			if taken := got.Taken + got.Hearsay; taken > 0 != (c.want == "") {
				t.Errorf("%+v", got)
			}
			if c.want != "" && !maps.Equal(got.Dropped, map[string]int{c.want: 2}) {
				t.Errorf("dropped %v, want 2 for %q", got.Dropped, c.want)
			}
			for why, n := range b.Stats().Dropped {
				if want := uint64(got.Dropped[why]); n != want {
					t.Errorf("%d dropped for %q, want %d", n, why, want)
				}
			}
		})
	}
}

// What an edge says of clients that were never sent to it proves nothing.
func TestHearsayMovesNobody(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin")
	for range 10 {
		s.epochs(1, said{"fra": 100})
		s.book.entries[keyOf(s.of)].guests[1] = 0
		for range 10 {
			s.say(said{"nyc": 10, "sin": 10})
		}
		s.view = s.book.Freeze(s.world)
	}
	s.order("hearsay of nyc and sin")
	if got := s.book.Stats().Hearsay; got == 0 {
		t.Error("no hearsay was counted")
	}
}

// An edge that invents prefixes drives out what it invented, and not what
// others measured.
func TestMemoryIsBounded(t *testing.T) {
	const most = 1000
	now := time.Unix(1_800_000_000, 0)
	b, err := New(Config{Prefixes: most, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	m := testMap()
	b.SetMap(m)
	real := crowd(100, now)
	b.Add("fra", real)
	flood := make([]landfall.Sample, 0, 20*most)
	for i := range cap(flood) {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:], 0x2001_0000_0000_0000+uint64(i)<<16)
		flood = append(flood, landfall.Sample{Prefix: netip.PrefixFrom(netip.AddrFrom16(a), 48), RTT: time.Millisecond, Count: 1000, When: now})
	}
	b.Add("syd", flood)
	if n := len(b.entries); n > most {
		t.Errorf("%d prefixes are remembered, want at most %d", n, most)
	}
	for _, s := range real {
		if _, ok := b.entries[keyOf(s.Prefix)]; !ok {
			t.Fatalf("%v was driven out", s.Prefix)
		}
	}
	if b.Stats().Evicted == 0 {
		t.Error("nothing is said to have been forgotten")
	}
}

// Nor does it when it spoke of the real ones first, and its inventions are later.
func TestQuickEdgeDoesNotOwnThePrefixes(t *testing.T) {
	const most = 1000
	now := time.Unix(1_800_000_000, 0)
	b, err := New(Config{Prefixes: most, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	b.SetMap(testMap())
	real := crowd(100, now)
	for i, s := range crowd(20*most, now.Add(ahead)) {
		if i < len(real) {
			b.Add("syd", real[i:i+1])
			b.Add("fra", real[i:i+1])
		} else {
			b.Add("syd", []landfall.Sample{s})
		}
	}
	for _, s := range real {
		if _, ok := b.entries[keyOf(s.Prefix)]; !ok {
			t.Fatalf("%v was driven out", s.Prefix)
		}
	}
}

func TestKeysAreInTheOrderOfPrefixes(t *testing.T) {
	prefixes := []string{"0.0.0.0/24", "9.255.255.0/24", "192.0.2.0/24", "255.255.255.0/24", "::/48", "2001:db8::/48", "2001:db8:1::/48", "ffff:ffff:ffff::/48"}
	for i, p := range prefixes {
		k := keyOf(netip.MustParsePrefix(p))
		if got := k.prefix().String(); got != p {
			t.Errorf("%s comes back as %s", p, got)
		}
		if i > 0 && keyOf(netip.MustParsePrefix(prefixes[i-1])) >= k {
			t.Errorf("%s is not after %s", p, prefixes[i-1])
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{Epoch: time.Millisecond}, {Prefixes: -1}, {Explore: 2}, {Cap: -1}, {Cap: 2}, {Step: -0.1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// Clients behind a resolver that does not say who asks are where its answers
// led them, and what is measured there counts.
func TestSamplesOfClientsBehindResolversCount(t *testing.T) {
	s := start(t, all(), "fra", "nyc", "sin", "syd")
	s.world.Also = func(netip.Prefix) []landfall.NodeID { return []landfall.NodeID{"syd", "gone"} }
	s.view = s.book.Freeze(s.world)
	for range patience + 1 {
		s.now = s.now.Add(DefaultEpoch)
		s.say(said{"fra": 300, "syd": 20})
		s.view = s.book.Freeze(s.world)
	}
	s.order("syd serves them by way of a resolver", "syd", "sin", "nyc")
}
