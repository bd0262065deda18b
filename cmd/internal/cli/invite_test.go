package cli

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"landfall/cmd/internal/control"
)

func TestInvitationSaysWhereTheServerWillBe(t *testing.T) {
	f := inviteFlags{region: "nyc", roles: "edge", valid: time.Hour, addresses: []string{"203.0.113.7", "2001:db8::7"}}
	pinned, err := f.invitation("nyc1")
	if want := []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::7")}; err != nil || !slices.Equal(pinned.Addresses, want) {
		t.Fatalf("invitation for %v, %v", pinned.Addresses, err)
	}
	free := pinned
	free.Addresses = nil
	for say, i := range map[string]control.Invitation{
		"It joins as the server at 203.0.113.7, 2001:db8::7, and as no other.": pinned,
		"pin it with --address.": free,
	} {
		var out, data, notes bytes.Buffer
		got := control.Invited{Network: "shop", Token: "landfall-join1:AAAA", Expires: time.Unix(1e9, 0)}
		if err := explainInvite(&out, i, got); err != nil || strings.Count(out.String(), say) != 1 {
			t.Errorf("%v\n%s\nwithout %q", err, out.String(), say)
		}
		if err := f.writeCloudInit(&data, &notes, i, got); err != nil || strings.Count(notes.String(), say) != 1 || strings.Contains(data.String(), say) {
			t.Errorf("%v\n%s\nwithout %q", err, notes.String(), say)
		}
	}
	f.addresses = []string{"203.0.113.7:443"}
	if _, err := f.invitation("nyc1"); err == nil || !strings.Contains(err.Error(), "without a port") {
		t.Errorf("an address with a port: %v", err)
	}
}
