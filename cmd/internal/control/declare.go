package control

import (
	"errors"
	"fmt"
	"slices"

	"landfall"
)

// Declare takes over into a map what operators declare in a file, and leaves
// what nodes brought with them. Regions that the file does not have but that
// nodes stand in are kept, and returned.
func Declare(m, declared *landfall.Map) (kept []landfall.RegionID, err error) {
	switch {
	case declared.Network != m.Network:
		return nil, fmt.Errorf("the file describes the network %q, and this is %q: a network keeps its name", declared.Network, m.Network)
	case declared.Domain != m.Domain:
		return nil, fmt.Errorf("the file has the domain %q, and the network answers for %q: its delegation and its authority are made for that; a new domain is a new network", declared.Domain, m.Domain)
	case len(declared.Nodes) > 0:
		return nil, errors.New("the file has [[node]] entries: nodes join and bring their own (`landfall invite`); take the entries out")
	}
	was, _ := m.Home()
	if is, _ := declared.Home(); is.ID != was.ID {
		return nil, fmt.Errorf("the file makes %q the home region, and it is %q: the data and its servers stand there, a map cannot move them", is.ID, was.ID)
	}
	next := declared.Clone()
	for _, r := range m.Regions {
		inUse := slices.ContainsFunc(m.Nodes, func(n landfall.Node) bool { return n.Region == r.ID })
		if _, there := declared.Region(r.ID); !there && inUse {
			next.Regions = append(next.Regions, r)
			kept = append(kept, r.ID)
		}
	}
	m.Regions, m.Services = next.Regions, next.Services
	m.Records, m.Zones = next.Records, next.Zones
	m.Overrides, m.Preferences = next.Overrides, next.Preferences
	m.Steering, m.Health = next.Steering, next.Health
	m.Ports, m.ACME = next.Ports, next.ACME
	m.Secondaries, m.DNS = next.Secondaries, next.DNS
	return kept, nil
}
