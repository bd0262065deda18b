package resolver

import (
	"iter"
	"net/netip"
	"slices"
)

// View says which clients stand behind which resolvers, frozen. A nil View is
// empty.
type View struct {
	resolvers []Resolver // in order of addresses
}

// Resolver is a resolver and those who ask through it.
type Resolver struct {
	Addr    netip.Addr // the address it asks from
	Weight  float64    // fetches that say so, aged: 8 and more
	Clients []Share    // in order of prefixes; their weights make 1
}

// Share is a part of a resolver's clients.
type Share struct {
	Prefix netip.Prefix // a landfall.ClientPrefix
	Weight float64      // from 0 to 1
}

// Of is the View of some resolvers, for tests and figures: weights count
// fetches, and nothing is required of them.
func Of(fetches map[netip.Addr]map[netip.Prefix]float64) *View {
	v := &View{}
	for a, clients := range fetches {
		r := Resolver{Addr: a.Unmap()}
		for p, w := range clients {
			r.Clients = append(r.Clients, Share{p, w})
		}
		slices.SortFunc(r.Clients, func(a, b Share) int { return a.Prefix.Compare(b.Prefix) })
		for _, c := range r.Clients {
			r.Weight += c.Weight
		}
		for i := range r.Clients {
			r.Clients[i].Weight /= r.Weight
		}
		v.resolvers = append(v.resolvers, r)
	}
	v.sort()
	return v
}

func (v *View) sort() {
	slices.SortFunc(v.resolvers, func(a, b Resolver) int { return a.Addr.Compare(b.Addr) })
}

// All are the resolvers, IPv4 first, in order.
func (v *View) All() iter.Seq[Resolver] {
	if v == nil {
		return func(func(Resolver) bool) {}
	}
	return slices.Values(v.resolvers)
}

// Find is what is known of a resolver.
func (v *View) Find(a netip.Addr) (Resolver, bool) {
	if v == nil {
		return Resolver{}, false
	}
	i, ok := slices.BinarySearchFunc(v.resolvers, a.Unmap(), func(r Resolver, a netip.Addr) int { return r.Addr.Compare(a) })
	if !ok {
		return Resolver{}, false
	}
	return v.resolvers[i], true
}

// Len is the number of resolvers.
func (v *View) Len() int {
	if v == nil {
		return 0
	}
	return len(v.resolvers)
}
