package locate

import (
	"fmt"
	"net/netip"
	"testing"
)

func BenchmarkLocate(b *testing.B) {
	var rows []network
	for i := range 20000 { // neighbours differ, so that nothing merges
		rows = append(rows, network{
			prefix: fmt.Sprintf("%d.%d.%d.0/24", 1+i/6400, i/256%25, i%256),
			place:  at(float64(i%90), float64(i%179)), iso: "DE", cont: "EU", city: fmt.Sprint(i % 1000),
		})
	}
	table := loaded(b, rows)
	addrs := []netip.Addr{netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2.17.200.9"), netip.MustParseAddr("200.1.1.1"), netip.MustParseAddr("2001:db8::1")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Locate(addrs[i%len(addrs)])
	}
}
