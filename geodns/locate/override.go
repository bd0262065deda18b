package locate

import (
	"errors"
	"fmt"
	"net/netip"

	"landfall"
	"landfall/geodns/prefix"
)

// With is what the databases of t say with the overrides laid over them: first
// what operators know of networks, then of prefixes. Overrides that t has
// already are dropped. The error tells all that is wrong with any.
func (t *Table) With(over []landfall.Override) (*Table, error) {
	bare := t.bare()
	if len(over) == 0 {
		return bare, nil
	}
	if err := fit(over, bare.networks != nil); err != nil {
		return nil, err
	}
	c := corrector{bookOf(bare.locations), world()}
	var prefixes []prefix.Leaf
	numbers := map[uint32]landfall.Override{}
	for i, o := range over {
		if o.Prefix.IsValid() {
			prefixes = append(prefixes, prefix.Leaf{Prefix: o.Prefix, Label: uint32(i + 1)})
		} else {
			numbers[o.ASN] = o
		}
	}
	out := *bare
	out.under = bare
	out.places = prefix.Cross(out.places, out.networks, func(place, asn uint32) uint32 {
		if o, ok := numbers[asn]; ok {
			return c.correct(place, o)
		}
		return place
	})
	out.places = prefix.Cross(out.places, prefix.Build(prefixes), func(place, i uint32) uint32 {
		if i > 0 {
			return c.correct(place, over[i-1])
		}
		return place
	})
	out.locations = c.locations
	return &out, nil
}

// bare is what the databases say.
func (t *Table) bare() *Table {
	switch {
	case t == nil:
		return &Table{}
	case t.under != nil:
		return t.under
	}
	return t
}

// corrector makes Locations as overrides have them.
type corrector struct {
	*book
	world map[string]country
}

// correct is the Location with a number as an override has it. Its city is no
// longer told; its country and continent are, unless the override names
// another.
func (c *corrector) correct(place uint32, o landfall.Override) uint32 {
	if o.Country == "" && o.Place == (landfall.Place{}) {
		return unknown
	}
	loc := c.locations[place]
	loc.Known, loc.City, loc.Place = true, "", o.Place
	if o.Country != "" {
		at := c.world[o.Country]
		loc.Country, loc.Continent = o.Country, at.continent
		if o.Place == (landfall.Place{}) {
			loc.Place = at.place
		}
	}
	return c.intern(loc)
}

// fit tells all that is wrong with overrides. Those of networks are of use only
// if a database tells the networks.
func fit(over []landfall.Override, networks bool) error {
	var faults []error
	countries := world()
	for _, o := range over {
		var err error
		_, known := countries[o.Country]
		switch {
		case !o.Prefix.IsValid() && o.ASN == 0:
			err = errors.New(`it is about nobody: give it prefix = "203.0.113.0/24" or asn = 64500`)
		case !o.Prefix.IsValid() && !networks:
			err = errors.New("nobody knows who is in this network: name a database of networks (ASN) too, or write its prefixes")
		case !o.Place.Valid():
			err = fmt.Errorf("place %v is not on the Earth: latitude goes from -90 to 90, longitude from -180 to 180", o.Place)
		case o.Country != "" && !known:
			err = fmt.Errorf(`%q is no country's code: want one of ISO 3166-1, such as "DE"`, o.Country)
		case o.Prefix.IsValid():
			err = fitPrefix(o.Prefix)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("override %s: %w", o.Of(), err))
		}
	}
	return errors.Join(faults...)
}

func fitPrefix(p netip.Prefix) error {
	if p != p.Masked() {
		return fmt.Errorf("it has bits beyond its length: want %v", p.Masked())
	}
	if v4, shift, ok := prefix.Fold(p.Addr()); ok && p.Bits() >= shift {
		return fmt.Errorf("write IPv4 networks as such: %v", netip.PrefixFrom(v4, p.Bits()-shift))
	}
	return nil
}
