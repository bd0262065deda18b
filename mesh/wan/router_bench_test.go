package wan

import (
	"net/netip"
	"os"
	"testing"
	"time"
)

// BenchmarkRouter takes a packet in and hands another one on, without the
// kernel's part: with a NAT, a rate and a delay.
func BenchmarkRouter(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	n := New(1)
	defer n.Close()
	for a, s := range map[netip.Addr]Site{public: "fra", shop.Addr(): "nyc"} {
		n.SetSite(netip.AddrPortFrom(a, 0), s)
	}
	if err := n.Connect("fra", "nyc", Link{Delay: time.Millisecond, Rate: 100_000_000_000, Jitter: time.Millisecond, Loss: 0.01}); err != nil {
		b.Fatal(err)
	}
	var r Router
	r.call, r.room = raw, 16<<10
	r.furnish(n)
	if err := r.SetNAT(PortRestricted(public), desk.Addr()); err != nil {
		b.Fatal(err)
	}
	packet := made{protocol: protoUDP, src: desk, dst: shop, payload: make([]byte, 1300)}.bytes()
	buf := make([]byte, len(packet))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, packet)
		r.take(int(null.Fd()), buf, time.Now())
		r.flush(int(null.Fd()))
	}
}
