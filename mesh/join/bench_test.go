package join

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"landfall"
)

// BenchmarkHello is what a stranger costs who does no more than ask who we
// are, in a network as large as one may be: a handshake and a signature.
func BenchmarkHello(b *testing.B) {
	h := newHome(b)
	crowded(b, h)
	h.server.cfg.Now = minutes(time.Now())
	cfg := newMachine(b).config(h, Token{
		Network: "shop", Node: "nyc1", Key: h.key.Public(),
		Expires: time.Now().Add(time.Hour), Endpoints: []string{"192.0.2.1:443"}, secret: newSecret(),
	})
	h.must(cfg.complete())
	for b.Loop() {
		c, err := dial(context.Background(), cfg, "tcp4", "192.0.2.1:443")
		h.must(err)
		c.conn.NetConn().Close()
	}
}

// minutes is a clock by which every visitor comes in a minute of his own.
func minutes(now time.Time) func() time.Time {
	return func() time.Time { now = now.Add(time.Minute); return now }
}

// crowded fills the network's map.
func crowded(t testing.TB, h *home) {
	t.Helper()
	m := newMachine(t)
	_, err := h.control.Change(t.Context(), func(next *landfall.Map) error {
		for i := len(next.Nodes); i < landfall.MaxNodes; i++ {
			id := landfall.NodeID(fmt.Sprintf("sin%d", i))
			a := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
			next.Nodes = append(next.Nodes, landfall.Node{
				ID: id, Region: "sin", Roles: []landfall.Role{landfall.RoleEdge}, Advertised: []netip.Addr{a},
				Endpoints: []netip.AddrPort{netip.AddrPortFrom(a, 51820)},
				Mesh:      landfall.MeshAddr("shop", id), Key: landfall.NewPrivateKey().Public(), Sealing: m.sealing,
			})
		}
		return nil
	})
	h.must(err)
}
