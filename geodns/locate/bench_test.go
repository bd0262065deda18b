package locate

import (
	"fmt"
	"net/netip"
	"testing"

	"landfall"
)

// diverse makes networks whose neighbours differ, so that nothing merges.
func diverse() []network {
	var rows []network
	for i := range 20000 {
		rows = append(rows, network{
			prefix: fmt.Sprintf("%d.%d.%d.0/24", 1+i/6400, i/256%25, i%256),
			place:  at(float64(1+i%89), float64(i%179)), iso: "DE", cont: "EU", city: fmt.Sprint(i % 1000),
		})
	}
	return rows
}

func BenchmarkLocate(b *testing.B) {
	table := loaded(b, diverse())
	addrs := []netip.Addr{netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2.17.200.9"), netip.MustParseAddr("200.1.1.1"), netip.MustParseAddr("2001:db8::1")}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		table.Locate(addrs[i%len(addrs)])
	}
}

func BenchmarkLoad(b *testing.B) {
	data := Data{Places: makeDB(b, "Test-City", 6, diverse())}
	for b.Loop() {
		if _, err := Load(data, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/20000, "µs/network")
}

func BenchmarkOverrides(b *testing.B) {
	table := loaded(b, diverse())
	rules := []landfall.Override{over("1.2.0.0/16", oslo(), "NO"), over("2.2.0.0/16", helsinki(), "")}
	for b.Loop() {
		if _, err := table.With(rules); err != nil {
			b.Fatal(err)
		}
	}
}
