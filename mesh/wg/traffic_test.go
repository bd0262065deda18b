package wg

import (
	"testing"

	"landfall/mesh/path"
)

// TestOneWayIsForgottenForAnother: the counts of all others stay.
func TestOneWayIsForgottenForAnother(t *testing.T) {
	for name, heard := range map[string]func(i int) int64{
		"oldest first": func(i int) int64 { return int64(1000 + i) },
		"oldest last":  func(i int) int64 { return int64(2000 - i) },
		"mixed":        func(i int) int64 { return int64(1000 + i*7%maxWays) },
	} {
		var ways traffic
		for i := range maxWays {
			l := ways.on(direct(addrOf(i)), path.Way{Addr: addrOf(i)})
			l.lastHeard.Store(heard(i))
		}
		old := stalest(ways.list())
		ways.on(direct(addrOf(99)), path.Way{Addr: addrOf(99)})
		if n := len(ways.list()); n != maxWays || ways.find(old.origin) != nil {
			t.Errorf("%s: %d of %d ways are left", name, n, maxWays)
		}
	}
}
