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
// already are dropped. What is wrong with any of them the error tells; those
// are left out, and the Table has the others all the same.
func (t *Table) With(over []landfall.Override) (*Table, error) {
	bare := t.bare()
	good, err := sift(over, bare.networks != nil)
	return bare.lay(good), err
}

// strictly is With for those who want all overrides or nothing.
func (t *Table) strictly(over []landfall.Override) (*Table, error) {
	t, err := t.With(over)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// lay lays overrides over a Table that has none. Those of networks have no
// effect where nobody knows the networks.
func (t *Table) lay(over []landfall.Override) *Table {
	if len(over) == 0 {
		return t
	}
	c := corrector{bookOf(t.locations), world()}
	var prefixes []prefix.Leaf
	numbers := map[uint32]landfall.Override{}
	for i, o := range over {
		if o.Prefix.IsValid() {
			prefixes = append(prefixes, prefix.Leaf{Prefix: o.Prefix, Label: uint32(i + 1)})
		} else {
			numbers[o.ASN] = o
		}
	}
	out := *t
	out.under = t
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
	return &out
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

// sift leaves out overrides that are wrong, and tells all that is wrong with
// them. Those of networks are of use only if a database tells the networks.
func sift(over []landfall.Override, networks bool) (good []landfall.Override, err error) {
	var faults []error
	countries := world()
	for _, o := range over {
		if err := fit(o, countries, networks); err != nil {
			faults = append(faults, fmt.Errorf("override %s: %w", o.Of(), err))
			continue
		}
		good = append(good, o)
	}
	return good, errors.Join(faults...)
}

// fit tells what is wrong with an override.
func fit(o landfall.Override, countries map[string]country, networks bool) error {
	_, known := countries[o.Country]
	switch {
	case !o.Prefix.IsValid() && o.ASN == 0:
		return errors.New(`it is about nobody: give it prefix = "203.0.113.0/24" or asn = 64500`)
	case !o.Prefix.IsValid() && !networks:
		return errors.New("nobody knows who is in this network: name a database of networks (ASN) too, or write its prefixes")
	case !o.Place.Valid():
		return fmt.Errorf("place %v is not on the Earth: latitude goes from -90 to 90, longitude from -180 to 180", o.Place)
	case o.Country != "" && !known:
		return fmt.Errorf(`%q is no country's code: want one of ISO 3166-1, such as "DE"`, o.Country)
	case o.Prefix.IsValid():
		return fitPrefix(o.Prefix)
	}
	return nil
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
