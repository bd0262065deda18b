package doctor

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"landfall/cmd/internal/admin"
)

func TestJudgeStreams(t *testing.T) {
	now := time.Unix(1e9, 0)
	for when, tt := range map[string]struct {
		f    admin.Mesh
		want []string
	}{
		"by the kernel":  {admin.Mesh{Addr: "fd6c::1", Front: "tun", Device: "lf-shop"}, []string{"ok lf-shop, fd6c::1, tun"}},
		"by the program": {admin.Mesh{Addr: "fd6c::1", Front: "netstack"}, []string{"ok fd6c::1, netstack"}},
		"a firewall":     {admin.Mesh{Device: "lf-shop", Deaf: true}, []string{"fail a firewall drops what comes by lf-shop | ufw allow in on lf-shop"}},
		"no IPv6":        {admin.Mesh{Device: "lf-shop", Broken: "address: permission denied"}, []string{"fail lf-shop what the mesh needs, and it cannot be put back: address: permission denied | journalctl"}},
		"mended lately":  {admin.Mesh{Device: "lf-shop", Mended: 2, What: "address", When: now.Add(-time.Minute)}, []string{"ok lf-shop", "warn somebody changed the device lf-shop, 1m0s ago: what they took was put back (address) | journalctl"}},
		"mended once":    {admin.Mesh{Device: "lf-shop", Mended: 2, What: "address", When: now.Add(-2 * time.Hour)}, []string{"ok lf-shop"}},
	} {
		n := notes{check: "front"}
		judgeStreams(&n, &tt.f, now)
		expect(t, when, n.list, tt.want...)
	}
	n := notes{check: "front"}
	p := &patient{Config: Config{Now: time.Now}}
	p.front(t.Context(), &n)
	p.Front = func(context.Context) *admin.Mesh { return nil }
	p.front(t.Context(), &n)
	expect(t, "nothing known", n.list)
}

// TestACompanionIsNotInvitedAgain: one that cannot try is there all the same.
func TestACompanionIsNotInvitedAgain(t *testing.T) {
	m := testMap()
	self, _ := m.Node("nyc1")
	expect(t, "with a home", judgeReports(m, self, nil), "warn no other node could try to reach this one | landfall doctor")
	m.Nodes = m.Nodes[1:]
	expect(t, "alone", judgeReports(m, self, nil), "warn nobody but this node could try | landfall invite")
}

// TestTwoBehindNATAreNotToldOfFirewalls: nothing that they could open would
// help.
func TestTwoBehindNATAreNotToldOfFirewalls(t *testing.T) {
	relayed := admin.Path{Peer: "nyc1", Endpoint: "via lon1", Via: "lon1", Why: "no direct way answers", Alive: true, Ways: []admin.Way{{Way: "192.0.2.2:51820", State: "dead"}}}
	o := admin.Overview{Nodes: []admin.Status{{Node: "fra1", Paths: []admin.Path{relayed}}, {Node: "nyc1"}}}
	inside := []netip.Addr{addr("10.0.0.5")}
	for when, tt := range map[string]struct {
		ours, theirs []netip.Addr
		want         string
	}{
		"both":        {inside, inside, "warn nyc1 is reached by way of lon1 alone: it is behind NAT, and so is this server | leave it, or have the NAT before nyc1 forward UDP 51820 to it, or that before fra1"},
		"one":         {nil, inside, "warn no direct way is alive | on fra1: ufw allow 51820/udp"},
		"the same":    {inside, []netip.Addr{addr("127.0.0.12")}, "warn no direct way is alive | on fra1: ufw"},
		"neither one": {nil, nil, "warn no direct way is alive | on nyc1: ufw"},
	} {
		m := testMap()
		m.Nodes[0].Bound, m.Nodes[1].Bound = tt.ours, tt.theirs
		expect(t, when, judgeMesh(m, "fra1", o), "ok nyc1 is 0s away by way of lon1: no direct way answers", tt.want)
	}
}

// TestStreamsThatDoNotOpenHaveSeveralCures: the peer's service, its firewall,
// and what is between.
func TestStreamsThatDoNotOpenHaveSeveralCures(t *testing.T) {
	for way, want := range map[string]string{
		"192.0.2.2:51820": "on nyc1: landfall doctor, which says whether a firewall there drops what comes from the mesh\nmtr --udp 192.0.2.2",
		"via lon1":        "drops what comes from the mesh",
	} {
		path := admin.Path{Peer: "nyc1", Endpoint: way, Alive: true}
		o := admin.Overview{Nodes: []admin.Status{{Node: "fra1", Paths: []admin.Path{path}}, {Node: "nyc1", Error: "no answer"}}}
		expect(t, way, judgeMesh(testMap(), "fra1", o), "fail nyc1 is reached over the mesh, but does not tell its status | "+want)
	}
}
