package main

import (
	"path/filepath"
	"testing"

	"landfall"
	"landfall/bench/atlas"
	"landfall/bench/peers"
	"landfall/geodns/locate"
	"landfall/geodns/plan"
)

// What the profile says and what package budget did are found in two ways.
func TestOnlyTheBoundKeepsPrefixesApartIfEverybodyMayBeMoved(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole world")
	}
	w, err := atlas.New(1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "city.mmdb")
	if err := w.WriteMMDB(file); err != nil {
		t.Fatal(err)
	}
	a, err := locate.Open(locate.Sources{Places: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := w.Map(peers.Zone, peers.Host, 1)
	m.Steering.Budget, m.Steering.WorseBy = 1, landfall.DefaultWorseBy
	clients, kept := newClients(w, landfall.DefaultWorseBy), [reasons]int{}
	for at := range plan.Compile(plan.Input{Map: m, Atlas: a}).Table(plan.A).All() {
		if at.Addr().Is4() {
			kept[clients.why(at)]++
		}
	}
	if kept[byBound] == 0 || kept[byUnknown] == 0 || kept[byBudget] > 0 {
		t.Errorf("%d kept apart by the bound, %d by clients of no place, %d by the budget; want some, some and none", kept[byBound], kept[byUnknown], kept[byBudget])
	}
}
