package join

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"landfall"
)

func TestAddressesHaveTheirClass(t *testing.T) {
	for c, all := range map[class][]string{
		public:   {"198.51.100.7", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::7", "2a01:4f8::1"},
		private:  {"10.1.2.3", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "fd00::1", "fc00::1"},
		loopback: {"127.0.0.1", "127.20.1.1", "::1"},
		nowhere: {"0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "fe80::1", "fe80::1%1", "ff02::1",
			"::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:0:7f00:1::1", "fec0::1", "4000::1"},
	} {
		for _, a := range addrs(all...) {
			if got := classOf(a); got != c {
				t.Errorf("%v is of %v, want %v", a, got, c)
			}
		}
	}
	if got := classOf(netip.Addr{}); got != nowhere {
		t.Errorf("no address is of %v", got)
	}
}

// Home and the name servers probe what is in the map: who joins must not have
// them probe what only they can reach.
func TestServersCannotChooseAnyAddress(t *testing.T) {
	for _, c := range []struct {
		seen, address string
		pinned        bool
		say           string // empty: it may
	}{
		{outside, "203.0.113.7", false, ""}, // another way in than out
		{outside, "127.0.0.1", false, "127.0.0.1 is an address within the machine itself, and the control sees this server at 198.51.100.7: leave it out, or"},
		{outside, "169.254.169.254", false, "169.254.169.254 is no address"},
		{outside, "10.1.2.3", false, "10.1.2.3 is an address within a private network"},
		{outside, "100.64.1.1", false, "invited anew with --address 100.64.1.1"},
		{outside, "10.1.2.3", true, ""},
		{inside, "10.1.2.3", false, ""},
		{inside, "203.0.113.7", false, ""},
		{inside, "127.0.0.1", false, "within the machine itself"},
		{inside, "169.254.169.254", false, "is no address"},
		{"127.0.0.1:40000", "127.20.1.2", false, ""},
		{"127.0.0.1:40000", "10.1.2.3", false, "within a private network"},
	} {
		t.Run(c.address+" from "+c.seen, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHome(t)
				inv := nyc("nyc1")
				if c.pinned {
					inv.Addresses = addrs(c.address)
				}
				token, err := h.book.Invite(t.Context(), inv)
				h.must(err)
				cfg := newMachine(t).config(h, token)
				cfg.Dial = h.dialer(inside, c.seen)
				cfg.Advertise = addrs(c.address)
				_, err = Join(t.Context(), cfg)
				if c.say == "" {
					h.must(err)
					return
				}
				if code(err) != CodeAddress || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Errorf("%v, want %q", err, c.say)
				}
				if n := h.node("nyc1"); n.State != landfall.Invited || h.server.Stats().Refused[string(CodeAddress)] != 1 {
					t.Errorf("node is %s, stats %+v", n.State, h.server.Stats())
				}
			})
		})
	}
}

// The endpoints are where home sends datagrams to.
func TestEndpointsAreHeldToTheSame(t *testing.T) {
	r := request{Advertised: addrs("198.51.100.7"), Endpoints: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")}}
	seen := addrs("198.51.100.7")[0]
	if why := (record{}).misplaced(r, seen); !strings.Contains(why, "10.0.0.1 is an address within a private network") {
		t.Errorf("free: %q", why)
	}
	if why := (record{Addresses: r.Advertised}).misplaced(r, seen); !strings.Contains(why, "for the server at 198.51.100.7, not at 10.0.0.1") {
		t.Errorf("pinned: %q", why)
	}
	r.Endpoints[0] = netip.MustParseAddrPort("198.51.100.7:51820")
	for _, rec := range []record{{}, {Addresses: r.Advertised}} {
		if why := rec.misplaced(r, seen); why != "" {
			t.Errorf("%v: %q", rec.Addresses, why)
		}
	}
	if why := (record{}).misplaced(request{Advertised: addrs("127.0.0.1")}, netip.Addr{}); why == "" {
		t.Error("who is not seen may be on loopback")
	}
}

// Somebody on the way rewrites the source address to his own.
const rewritten = "203.0.113.66:40000"

func TestRewrittenAddressIsToldAsWhatItMayBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		cfg := newMachine(t).config(h, h.invite("nyc1"))
		cfg.Local, cfg.Dial = addrs("198.51.100.7"), h.dialer(outside, rewritten)
		r, err := Join(t.Context(), cfg)
		h.must(err)
		for _, say := range []string{"198.51.100.7 is seen as 203.0.113.66", "behind NAT", "if that is not an address of yours, somebody on the way", "invite it with --address"} {
			if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], say) {
				t.Errorf("notes %q, want %q", r.Notes, say)
			}
		}
	})
}

func TestPinnedAddressesAreTheOnlyOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		inv := nyc("nyc1")
		inv.Addresses = addrs("198.51.100.7", "2001:db8::7")
		made, err := h.book.Invite(t.Context(), inv)
		h.must(err)
		token, err := ParseToken(made.Reveal())
		if err != nil || !slices.Equal(token.Addresses, inv.Addresses) {
			t.Fatalf("token for %v, %v", token.Addresses, err)
		}
		cfg := newMachine(t).config(h, token)
		cfg.Local, cfg.Dial = addrs("198.51.100.7", "2001:db8::7"), h.dialer(outside, rewritten)

		stripped := cfg // a server that follows what home sees all the same
		stripped.Token.Addresses = nil
		if _, err := Join(t.Context(), stripped); code(err) != CodeAddress || !strings.Contains(err.Error(), "the invitation is for the server at 198.51.100.7 and 2001:db8::7, not at 203.0.113.66") {
			t.Errorf("the address that home sees: %v", err)
		}
		stripped.Advertise = addrs("198.51.100.7")
		if _, err := Join(t.Context(), stripped); code(err) != CodeAddress {
			t.Errorf("one of two: %v", err)
		}
		other := cfg
		other.Advertise, other.Dial = addrs("198.51.100.8"), unasked(t)
		if _, err := Join(t.Context(), other); code(err) != CodeAddress || !strings.Contains(err.Error(), "not at 198.51.100.8") {
			t.Errorf("another address: %v", err)
		}
		r, err := Join(t.Context(), cfg)
		h.must(err)
		if n := h.node("nyc1"); !slices.Equal(n.Advertised, inv.Addresses) || n.Bound != nil || n.Endpoints[0] != netip.MustParseAddrPort("198.51.100.7:51820") {
			t.Errorf("node %+v", n)
		}
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "as --address says; the control sees 203.0.113.66") {
			t.Errorf("notes: %q", r.Notes)
		}
	})
}

func TestPinnedAddressServesFromBehindNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		inv := nyc("nyc1")
		inv.Addresses = addrs("203.0.113.7")
		token, err := h.book.Invite(t.Context(), inv)
		h.must(err)
		if _, err := newMachine(t).join(h, token); err != nil {
			t.Fatal(err)
		}
		if n := h.node("nyc1"); !slices.Equal(n.Advertised, inv.Addresses) || !slices.Equal(n.Bound, addrs("10.0.0.5")) {
			t.Errorf("advertised %v, bound %v", n.Advertised, n.Bound)
		}
	})
}
