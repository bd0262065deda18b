package certs

import (
	"fmt"
	"slices"
	"testing"

	"landfall"
)

func TestPlanKeepsHostsWhereTheyAre(t *testing.T) {
	m := network()
	for i := range 250 {
		m.Services = append(m.Services, landfall.Service{Host: fmt.Sprintf("h%03d.landfall.test", i)})
	}
	m = withExternal(m, "a.other.test", "b.other.test")
	first := plan(m, nil)
	if len(first) != 5 || len(first["_domain-1"]) != 100 || len(first["_domain-3"]) != 50 || !slices.Equal(first["b.other.test"], []string{"b.other.test"}) {
		t.Fatalf("%d groups: %v", len(first), first)
	}
	// One goes and one comes: two groups change at most.
	m.Services[3].Host = "aaa.landfall.test"
	second := plan(m, first)
	if !slices.Contains(second["_domain-1"], "aaa.landfall.test") || !slices.Equal(second["_domain-2"], first["_domain-2"]) || !slices.Equal(second["_domain-3"], first["_domain-3"]) {
		t.Errorf("%v", second)
	}
	// A group that has vanished leaves the others alone.
	delete(first, "_domain-2")
	third := plan(m, first)
	for _, h := range first["_domain-3"] {
		if h != "h003.landfall.test" && !slices.Contains(third["_domain-3"], h) {
			t.Errorf("%s has moved", h)
		}
	}
	var all []string
	for _, hosts := range third {
		if len(hosts) > groupSize {
			t.Errorf("a group of %d", len(hosts))
		}
		all = append(all, hosts...)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != 252 {
		t.Errorf("%d hosts", len(all))
	}
}
