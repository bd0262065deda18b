package cli

import (
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
)

func TestStatusTellsOfFronts(t *testing.T) {
	o := admin.Overview{Nodes: []admin.Status{
		{Node: "fra1", Mesh: &admin.Mesh{Addr: "fd6c::1", Front: "tun", Device: "lf-shop", Mended: 1, What: "address"}},
		{Node: "nyc1", Mesh: &admin.Mesh{Addr: "fd6c::12", Front: "netstack"}},
		{Node: "sin1", Mesh: &admin.Mesh{Addr: "fd6c::3", Front: "tun", Device: "lf-shop", Deaf: true, Broken: "no IPv6"}},
		{Node: "tyo1", Error: "no answer within 2s"},
	}}
	var b strings.Builder
	if err := writeFronts(&b, o); err != nil {
		t.Fatal(err)
	}
	want := `
MESH  ADDRESS   FRONT
fra1  fd6c::1   tun lf-shop
nyc1  fd6c::12  netstack
sin1  fd6c::3   tun lf-shop

fra1 has put back what somebody took from its device lf-shop (address)
sin1 has lost what the mesh needs of its device lf-shop: no IPv6
sin1 has a firewall that drops what comes by lf-shop: ufw allow in on lf-shop
`
	if b.String() != want {
		t.Errorf("got %s\nwant %s", &b, want)
	}
	b.Reset()
	if err := writeFronts(&b, admin.Overview{Nodes: o.Nodes[3:]}); err != nil || b.Len() > 0 {
		t.Errorf("of nothing: %q, %v", &b, err)
	}
}

// TestLongFaultsStandBelowTheTable: so that it fits a terminal.
func TestLongFaultsStandBelowTheTable(t *testing.T) {
	fault := "peer nyc1 answers, but the stream to its admin did not open: bind to fd6c::1: cannot assign requested address"
	o := admin.Overview{Nodes: []admin.Status{
		{Node: "nyc1", State: landfall.Active, Error: fault},
		{Node: "sin1", State: landfall.Active, Error: "no answer within 2s"},
	}}
	var b strings.Builder
	if err := writeOverview(&b, o, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	s := b.String()
	for _, want := range []string{"no: peer nyc1 answers, but the ...", "no: no answer within 2s", "\nnyc1 does not tell its status: " + fault + "\n"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	for line := range strings.Lines(s) {
		if len(line) > 100 && !strings.HasPrefix(line, "nyc1 does not") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for s, want := range map[string]string{"": "", strings.Repeat("x", 40): strings.Repeat("x", 30) + " ..."} {
		if got := shortFault(s); got != want {
			t.Errorf("%q is cut to %q", s, got)
		}
	}
}
