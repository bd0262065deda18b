package transfer

import (
	"net/netip"
	"testing"

	"landfall"
	"landfall/geodns/zone"
)

func TestWhoMayHaveCopies(t *testing.T) {
	const (
		other = zone.Name("\x05other\x04test\x00")
		key   = zone.Name("\x03key\x00")
	)
	seven, eight := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	at := netip.AddrPortFrom(seven, 53)
	near := []netip.Prefix{netip.MustParsePrefix("192.0.2.8/31")}
	type ask struct {
		zone zone.Name
		from netip.Addr
		key  zone.Name
	}
	for _, tt := range []struct {
		name    string
		rule    landfall.Secondary
		yes, no []ask
	}{
		{"by address", landfall.Secondary{Address: at}, []ask{{apex, seven, ""}, {other, seven, ""}, {apex, seven, key}}, []ask{{apex, eight, ""}, {apex, eight, key}}},
		{"by key", landfall.Secondary{Address: at, Key: "Key."}, []ask{{apex, eight, key}, {apex, seven, key}}, []ask{{apex, seven, ""}, {apex, seven, other}}},
		{"by key and prefix", landfall.Secondary{Key: "key", From: near}, []ask{{apex, eight, key}}, []ask{{apex, seven, key}, {apex, eight, ""}}},
		{"by prefix", landfall.Secondary{From: near}, []ask{{apex, eight, ""}}, []ask{{apex, seven, ""}}},
		{"one zone", landfall.Secondary{Address: at, Zone: "other.test"}, []ask{{other, seven, ""}}, []ask{{apex, seven, ""}}},
		{"nobody", landfall.Secondary{}, nil, []ask{{apex, seven, ""}, {apex, seven, key}, {apex, netip.IPv4Unspecified(), ""}}},
		{"what is no name", landfall.Secondary{Key: "a..b"}, nil, []ask{{apex, seven, ""}}},
		{"what is no zone", landfall.Secondary{Address: at, Zone: "a..b"}, nil, []ask{{apex, seven, ""}}},
	} {
		a := NewAccess([]landfall.Secondary{tt.rule})
		for want, asks := range map[bool][]ask{true: tt.yes, false: tt.no} {
			for _, q := range asks {
				if got := a.Allows(q.zone, q.from, q.key); got != want {
					t.Errorf("%s: %v: %v", tt.name, q, got)
				}
			}
		}
	}
	if NewAccess(nil).Any(apex) {
		t.Error("without secondaries, somebody has a copy")
	}
	two := NewAccess([]landfall.Secondary{{Address: at}, {Address: at, Zone: "landfall.test"}, {From: near}})
	if got := two.Targets(apex); len(got) != 1 || got[0].String() != "192.0.2.7:53 landfall.test" {
		t.Errorf("told are %v", got)
	}
}
