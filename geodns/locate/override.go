package locate

import (
	"errors"
	"fmt"
	"net/netip"

	"landfall"
	"landfall/geodns/prefix"
)

// override lays what operators know over what databases say: first what they
// know of networks, then of prefixes.
func (l *loader) override(over []landfall.Override) error {
	var faults []error
	var prefixes []prefix.Leaf
	numbers := map[uint32]landfall.Override{}
	for i, o := range over {
		if err := l.fit(o); err != nil {
			faults = append(faults, fmt.Errorf("override %s: %w", o.Of(), err))
		}
		if o.Prefix.IsValid() {
			prefixes = append(prefixes, prefix.Leaf{Prefix: o.Prefix, Label: uint32(i + 1)})
		} else {
			numbers[o.ASN] = o
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if len(numbers) > 0 {
		l.table.places = prefix.Cross(l.table.places, l.table.networks, func(place, asn uint32) uint32 {
			o, ok := numbers[asn]
			if !ok {
				return place
			}
			return l.correct(place, o)
		})
	}
	if len(prefixes) > 0 {
		l.table.places = prefix.Cross(l.table.places, prefix.Build(prefixes), func(place, i uint32) uint32 {
			if i == 0 {
				return place
			}
			return l.correct(place, over[i-1])
		})
	}
	return nil
}

// correct is the Location with a number as an override has it. Its city is no
// longer told; its country and continent are, unless the override names
// another.
func (l *loader) correct(place uint32, o landfall.Override) uint32 {
	if o.Country == "" && o.Place == (landfall.Place{}) {
		return unknown
	}
	loc := l.locations[place]
	loc.Known, loc.City, loc.Place = true, "", o.Place
	if o.Country != "" {
		at := l.world[o.Country]
		loc.Country, loc.Continent = o.Country, at.continent
		if o.Place == (landfall.Place{}) {
			loc.Place = at.place
		}
	}
	return l.intern(loc)
}

// fit tells what is wrong with an override.
func (l *loader) fit(o landfall.Override) error {
	_, known := l.world[o.Country]
	switch {
	case !o.Prefix.IsValid() && o.ASN == 0:
		return errors.New(`it is about nobody: give it prefix = "203.0.113.0/24" or asn = 64500`)
	case !o.Prefix.IsValid() && l.table.networks == nil:
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
