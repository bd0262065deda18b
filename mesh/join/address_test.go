package join

import (
	"slices"
	"strings"
	"testing"
)

func TestServersKnowWhereTheyAre(t *testing.T) {
	see := func(pairs ...string) (out []sight) {
		for i := 0; i < len(pairs); i += 2 {
			a := addrs(pairs[i], pairs[i+1])
			out = append(out, sight{a[0], a[1]})
		}
		return out
	}
	for name, c := range map[string]struct {
		sights            []sight
		local, advertise  []string
		advertised, bound []string
		notes             []string // a part of each
		why               string
	}{
		"plain": {
			sights: see("198.51.100.7", "198.51.100.7"), local: []string{"198.51.100.7"},
			advertised: []string{"198.51.100.7"},
		},
		"dual stack": {
			sights:     see("198.51.100.7", "198.51.100.7", "2001:db8::7", "2001:db8::7"),
			local:      []string{"198.51.100.7", "2001:db8::7"},
			advertised: []string{"198.51.100.7", "2001:db8::7"},
		},
		"NAT": {
			sights: see("10.0.0.5", "203.0.113.7"), local: []string{"10.0.0.5"},
			advertised: []string{"203.0.113.7"}, bound: []string{"10.0.0.5"},
			notes: []string{"10.0.0.5 is seen as 203.0.113.7: this server is behind NAT; users will be told 203.0.113.7"},
		},
		"NAT for one family": {
			sights:     see("10.0.0.5", "203.0.113.7", "2001:db8::7", "2001:db8::7"),
			local:      []string{"10.0.0.5", "2001:db8::7"},
			advertised: []string{"203.0.113.7", "2001:db8::7"}, bound: []string{"10.0.0.5", "2001:db8::7"},
			notes: []string{"behind NAT"},
		},
		"a family that the control has not": {
			sights: see("198.51.100.7", "198.51.100.7"), local: []string{"198.51.100.7", "2001:db8::7"},
			advertised: []string{"198.51.100.7"}, notes: []string{"2001:db8::7 is left out"},
		},
		"seen from within over one family": {
			sights:     see("10.0.0.5", "10.0.0.5", "2001:db8::7", "2001:db8::7"),
			local:      []string{"10.0.0.5", "2001:db8::7"},
			advertised: []string{"2001:db8::7"}, notes: []string{"10.0.0.5 is left out"},
		},
		"seen from within": {
			sights: see("10.0.0.5", "10.0.0.5"), local: []string{"10.0.0.5", "198.51.100.7"},
			why: "the control sees this server as 10.0.0.5, which users elsewhere cannot reach: say what they are to be told, such as --address 198.51.100.7; or --address 10.0.0.5 if",
		},
		"behind a carrier": {sights: see("100.64.0.9", "100.64.0.9"), why: "--address 203.0.113.7"},
		"loopback":         {sights: see("127.0.0.1", "127.0.0.1"), why: "--address 127.0.0.1 if"},
		"unseen":           {sights: []sight{{}}, why: "does not see this server's address"},
		"told": {
			sights: see("10.0.0.5", "203.0.113.7"), local: []string{"10.0.0.5", "198.51.100.7"},
			advertise: []string{"198.51.100.7"}, advertised: []string{"198.51.100.7"},
			notes: []string{"users will be told 198.51.100.7, as --address says; the control sees 203.0.113.7"},
		},
		"told, behind NAT": {
			sights: see("10.0.0.5", "10.0.0.5"), local: []string{"10.0.0.5"},
			advertise: []string{"203.0.113.7", "203.0.113.8"}, advertised: []string{"203.0.113.7", "203.0.113.8"}, bound: []string{"10.0.0.5"},
			notes: []string{"10.0.0.5 serves for 203.0.113.7", "10.0.0.5 serves for 203.0.113.8"},
		},
		"told another loopback one": {
			sights: see("127.0.0.1", "127.0.0.1"), local: []string{"127.0.0.1"},
			advertise: []string{"127.20.1.2"}, advertised: []string{"127.20.1.2"},
		},
		"told a private one": {
			sights: see("10.0.0.5", "10.0.0.5"), local: []string{"10.0.0.5"},
			advertise: []string{"10.0.0.5"}, advertised: []string{"10.0.0.5"},
		},
		"told a family by which nobody called": {
			sights: see("2001:db8::7", "2001:db8::7"), local: []string{"127.0.0.1", "10.0.0.5", "2001:db8::7"},
			advertise: []string{"203.0.113.7"}, advertised: []string{"203.0.113.7"}, bound: []string{"10.0.0.5"},
			notes: []string{"10.0.0.5 serves for 203.0.113.7"},
		},
		"told a family that is not there": {
			sights: see("10.0.0.5", "203.0.113.7"), local: []string{"10.0.0.5", "::1", "fe80::1"},
			advertise: []string{"2001:db8::7"}, why: "no address of that family",
		},
	} {
		s, why := stand(c.sights, addrs(c.local...), addrs(c.advertise...))
		if !strings.Contains(why, c.why) || (why == "") != (c.why == "") {
			t.Errorf("%s: %q, want %q", name, why, c.why)
		}
		if !slices.Equal(s.advertised, addrs(c.advertised...)) || !slices.Equal(s.bound, addrs(c.bound...)) {
			t.Errorf("%s: %v bound %v", name, s.advertised, s.bound)
		}
		if !slices.EqualFunc(s.notes, c.notes, strings.Contains) {
			t.Errorf("%s: notes %q", name, s.notes)
		}
	}
}
