package config

import (
	"math"

	"landfall"
)

// top are the keys of the file. The tables and their keys below are all that
// network.toml can say; example.toml shows every one of them.
func top(m *landfall.Map, zones *[]declaredZone) []field {
	return []field{
		{key: "name", read: words(&m.Network)},
		{key: "domain", read: words(&m.Domain)},
		{key: "region", read: tables(&m.Regions, "region", "id", region)},
		{key: "node", read: tables(&m.Nodes, "node", "id", node)},
		{key: "service", read: tables(&m.Services, "host", "host", service)},
		{key: "record", read: tables(&m.Records, "record", "name", record)},
		{key: "zone", read: tables(zones, "zone", "name", zoneFields)},
		{key: "override", read: tables(&m.Overrides, "override", "prefix", override)},
		{key: "preference", read: tables(&m.Preferences, "preference", "prefix", preference)},
		{key: "secondary", read: tables(&m.Secondaries, "secondary", "address", secondary)},
		{key: "steering", read: section(steering(&m.Steering))},
		{key: "health", read: section(health(&m.Health))},
		{key: "dns", read: section(dns(&m.DNS))},
		{key: "acme", read: section(acme(&m.ACME))},
		{key: "ports", read: section(ports(&m.Ports))},
	}
}

func region(r *landfall.Region) []field {
	return []field{
		{key: "id", read: words(&r.ID)},
		{key: "title", read: words(&r.Title)},
		// Without a place a region would stand in the Gulf of Guinea, at 0,0.
		{key: "place", read: place(&r.Place), need: `say where it is in degrees, north and east positive, such as place = "50.11,8.68"`},
		{key: "home", read: boolean(&r.Home)},
	}
}

func node(n *landfall.Node) []field {
	return []field{
		{key: "id", read: words(&n.ID)},
		{key: "region", read: words(&n.Region)},
		{key: "roles", read: several(&n.Roles, role)},
		{key: "addresses", read: several(&n.Advertised, address)},
		{key: "protocols", read: several(&n.Protocols, protocol)},
		{key: "bound", read: several(&n.Bound, address)},
		{key: "weight", read: number(&n.Weight, 0, landfall.MaxWeight)},
		{key: "ceiling", read: number(&n.Ceiling, 0, landfall.MaxCeiling)},
	}
}

func role(r *landfall.Role) reader { return oneOf(r, "role", landfall.Roles()...) }

func protocol(p *string) reader { return oneOf(p, "protocol", "h3", "h2", "http/1.1") }

func service(s *landfall.Service) []field {
	return []field{
		{key: "host", read: words(&s.Host)},
		{key: "kind", read: oneOf(&s.Kind, "kind", landfall.HTTP, landfall.TCP)},
		{key: "upstream", read: words(&s.Upstream)},
		{key: "external", read: boolean(&s.External)},
		{key: "port", read: number(&s.Port, 0, math.MaxUint16)},
		{key: "proxy", read: oneOf(&s.Proxy, "proxy", landfall.ProxyV2, landfall.ProxyOff)},
	}
}

func record(r *landfall.Record) []field {
	return []field{
		{key: "name", read: words(&r.Name)},
		{key: "type", read: words(&r.Type)},
		{key: "data", read: words(&r.Data)},
		{key: "ttl", read: duration(&r.TTL)},
	}
}

func override(o *landfall.Override) []field {
	return []field{
		{key: "prefix", read: prefix(&o.Prefix)},
		{key: "asn", read: asn(&o.ASN)},
		{key: "place", read: place(&o.Place)},
		{key: "country", read: words(&o.Country)},
	}
}

func preference(p *landfall.Preference) []field {
	return []field{
		{key: "prefix", read: prefix(&p.Prefix)},
		{key: "asn", read: asn(&p.ASN)},
		{key: "country", read: words(&p.Country)},
		{key: "continent", read: words(&p.Continent)},
		{key: "regions", read: several(&p.Regions, words[landfall.RegionID])},
	}
}

func secondary(s *landfall.Secondary) []field {
	return []field{
		{key: "address", read: server(&s.Address)},
		{key: "from", read: several(&s.From, prefix)},
		{key: "key", read: words(&s.Key)},
		{key: "zone", read: words(&s.Zone)},
	}
}

func dns(n *landfall.DNS) []field {
	return []field{
		{key: "version", read: boolean(&n.Version)},
		{key: "identity", read: boolean(&n.Identity)},
	}
}

func health(h *landfall.Health) []field {
	return []field{
		{key: "probe", read: oneOf(&h.Probe, "probe", landfall.ProbeHTTPS, landfall.ProbeHTTP, landfall.ProbeTCP, landfall.ProbeMesh)},
		{key: "path", read: words(&h.Path)},
		{key: "interval", read: duration(&h.Interval)},
		{key: "timeout", read: duration(&h.Timeout)},
		{key: "rise", read: number(&h.Rise, 0, 100)},
		{key: "fall", read: number(&h.Fall, 0, 100)},
	}
}

func steering(s *landfall.Steering) []field {
	return []field{
		{key: "ttl", read: duration(&s.TTL)},
		{key: "answers", read: number(&s.Answers, 0, landfall.MaxAnswers)},
		{key: "budget", read: share(&s.Budget)},
		{key: "worse_by", read: duration(&s.WorseBy)},
		{key: "ceiling", read: number(&s.Ceiling, 0, landfall.MaxCeiling)},
	}
}

func acme(a *landfall.ACME) []field {
	return []field{
		{key: "agreed", read: boolean(&a.Agreed)},
		{key: "email", read: words(&a.Email)},
		{key: "directory", read: words(&a.Directory)},
		{key: "roots", read: words(&a.Roots)},
	}
}

func ports(p *landfall.Ports) []field {
	return []field{
		{key: "http", read: number(&p.HTTP, 0, math.MaxUint16)},
		{key: "https", read: number(&p.HTTPS, 0, math.MaxUint16)},
		{key: "dns", read: number(&p.DNS, 0, math.MaxUint16)},
		{key: "dns_tls", read: number(&p.DNSTLS, 0, math.MaxUint16)},
		{key: "dns_https", read: number(&p.DNSHTTPS, 0, math.MaxUint16)},
	}
}

// shelf is a table of the schema, for those who go through all of it.
type shelf struct {
	header string // as the file writes it; empty at the top
	fields []field
}

func shelves() []shelf {
	return []shelf{
		{"", top(new(landfall.Map), new([]declaredZone))},
		{"[[region]]", region(new(landfall.Region))},
		{"[[node]]", node(new(landfall.Node))},
		{"[[service]]", service(new(landfall.Service))},
		{"[[record]]", record(new(landfall.Record))},
		{"[[zone]]", zoneFields(new(declaredZone))},
		{"[[override]]", override(new(landfall.Override))},
		{"[[preference]]", preference(new(landfall.Preference))},
		{"[[secondary]]", secondary(new(landfall.Secondary))},
		{"[steering]", steering(new(landfall.Steering))},
		{"[health]", health(new(landfall.Health))},
		{"[dns]", dns(new(landfall.DNS))},
		{"[acme]", acme(new(landfall.ACME))},
		{"[ports]", ports(new(landfall.Ports))},
	}
}

// elsewhere says about a key that stands in the wrong table where it belongs,
// if that is known.
func elsewhere(key string) string {
	switch key {
	case "authority", "serial", "issued":
		return "is written by the network's control, not in this file"
	case "state":
		return "is changed by `landfall drain`, not in this file"
	case "key", "sealing", "mesh", "endpoints":
		return "is what a node brings with it when it joins"
	}
	where := ""
	for _, s := range shelves() {
		for _, f := range s.fields {
			switch {
			case f.key != key:
			case where != "":
				return "" // in more than one
			case s.header == "":
				where = "belongs at the top of the file, before the first [section]"
			default:
				where = "belongs under " + s.header
			}
		}
	}
	return where
}
