package prefix

import (
	"net/netip"
	"testing"
)

func TestHalvesAndTheLastAddress(t *testing.T) {
	for _, c := range []struct{ prefix, left, right, last string }{
		{"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "255.255.255.255"},
		{"10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.255.255.255"},
		{"192.0.2.6/31", "192.0.2.6/32", "192.0.2.7/32", "192.0.2.7"},
		{"255.255.255.255/32", "", "", "255.255.255.255"},
		{"::/0", "::/1", "8000::/1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:db8::/63", "2001:db8::/64", "2001:db8:0:1::/64", "2001:db8:0:1:ffff:ffff:ffff:ffff"},
		{"2001:db8::/64", "2001:db8::/65", "2001:db8::8000:0:0:0/65", "2001:db8::ffff:ffff:ffff:ffff"},
		{"::ffff:192.0.2.0/120", "::ffff:192.0.2.0/121", "::ffff:192.0.2.128/121", "::ffff:192.0.2.255"},
		{"2001:db8::1/128", "", "", "2001:db8::1"},
	} {
		p := netip.MustParsePrefix(c.prefix)
		var want [2]netip.Prefix
		if c.left != "" {
			want = [2]netip.Prefix{netip.MustParsePrefix(c.left), netip.MustParsePrefix(c.right)}
		}
		if l, r := Halves(p); l != want[0] || r != want[1] {
			t.Errorf("halves of %v are %v and %v, want %v", p, l, r, want)
		}
		if got := Last(p); got != netip.MustParseAddr(c.last) {
			t.Errorf("last of %v is %v, want %s", p, got, c.last)
		}
	}
	var none netip.Prefix
	if l, r := Halves(none); l.IsValid() || r.IsValid() || Last(none).IsValid() {
		t.Error("no prefix has parts")
	}
}
