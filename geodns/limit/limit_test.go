package limit

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"testing"
	"time"
)

// takes is how many of n answers, one each step, are allowed.
func takes(t *Table, client string, kind Kind, begin, step time.Duration, n int) (allowed int) {
	addr := netip.MustParseAddr(client)
	for i := range n {
		if t.Take(addr, kind, begin+time.Duration(i)*step) {
			allowed++
		}
	}
	return allowed
}

func TestRateAndBurst(t *testing.T) {
	for _, tt := range []struct {
		name string
		rate int
		step time.Duration
		n    int
		want int
	}{
		{"all at once", 100, 0, 10_000, 100},
		{"a flood of ten seconds", 100, time.Millisecond, 10_000, 100 + 999},
		{"just the rate", 100, 10 * time.Millisecond, 10_000, 10_000},
		{"one a second", 1, time.Second, 100, 100},
		{"one, twice as fast", 1, 500 * time.Millisecond, 100, 50},
		{"more than anybody asks", 2_000_000_000, 0, 10_000, 10_000},
	} {
		table := New(tt.rate, maphash.MakeSeed())
		if got := takes(table, "192.0.2.1", Data, time.Hour, tt.step, tt.n); got != tt.want {
			t.Errorf("%s: %d allowed of %d, want %d", tt.name, got, tt.n, tt.want)
		}
	}
}

func TestAllowanceIsOneNetworksAndKinds(t *testing.T) {
	for _, tt := range []struct {
		client string
		kind   Kind
		fresh  bool
	}{
		{"192.0.2.255", Data, false},
		{"192.0.3.0", Data, true},
		{"192.0.2.1", Nothing, true},
		{"192.0.2.1", Fault, true},
		{"2001:db8:0:ff:1::", Data, false},
		{"2001:db8:0:100::", Data, true},
		{"2001:db8::", Fault, true},
		{"0:0:c000:200::", Data, true}, // the bits of 192.0.2.0
	} {
		table := New(10, maphash.MakeSeed())
		takes(table, "192.0.2.1", Data, 0, 0, 20)
		takes(table, "2001:db8::1", Data, 0, 0, 20)
		if got := takes(table, tt.client, tt.kind, 0, 0, 1) == 1; got != tt.fresh {
			t.Errorf("%s, kind %d: allowed is %v", tt.client, tt.kind, got)
		}
	}
}

// While 200 networks are flooded and made up addresses come by the hundred
// thousand, all but a few others hear everything.
func TestFloodLeavesOthersAlone(t *testing.T) {
	table := New(100, maphash.MakeSeed())
	number := func(i uint32) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i*2654435761)))
	}
	for i := range uint32(200) {
		for range 200 {
			table.Take(number(i), Data, 0)
		}
	}
	for i := range uint32(100_000) {
		table.Take(number(1000+i), Data, 0)
	}
	refused := 0
	for i := range uint32(10_000) {
		if !table.Take(number(1_000_000+i), Data, 0) {
			refused++
		}
	}
	if refused > 20 {
		t.Errorf("%d of 10,000 networks had to pay for others", refused)
	}
}

func TestNilTableHasNoLimit(t *testing.T) {
	if got := takes(nil, "192.0.2.1", Data, 0, 0, 1000); got != 1000 {
		t.Errorf("%d allowed of 1000", got)
	}
}

func TestTakeDoesNotAllocate(t *testing.T) {
	table, client := New(10, maphash.MakeSeed()), netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { table.Take(client, Nothing, time.Second) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	table := New(500, maphash.MakeSeed())
	b.RunParallel(func(pb *testing.PB) {
		for i := uint32(0); pb.Next(); i += 2654435761 {
			table.Take(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), Data, time.Duration(i))
		}
	})
}

// One that stands for many takes as much as they would.
func TestSomeAtOnce(t *testing.T) {
	for _, tt := range []struct{ n, want int }{{1, 100}, {4, 25}, {30, 3}, {100, 1}, {5000, 1}} {
		table, client := New(100, maphash.MakeSeed()), netip.MustParseAddr("192.0.2.1")
		allowed := 0
		for range 1000 {
			if table.TakeSome(client, Data, tt.n, time.Hour) {
				allowed++
			}
		}
		if allowed != tt.want {
			t.Errorf("by %d at once, %d times, want %d", tt.n, allowed, tt.want)
		}
	}
}
