package doctor

import (
	"context"
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
