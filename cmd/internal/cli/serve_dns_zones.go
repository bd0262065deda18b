package cli

import (
	"fmt"
	"strings"

	"landfall"
	"landfall/geodns/zone"
)

// beheaded are the zones of a map that had an SOA record, or NS records, of
// their own in the map before, and have none now. A file that was cut off, or
// written anew by something that failed, looks so; who means it can start the
// name server anew.
func beheaded(before, m *landfall.Map) (faults []landfall.Fault) {
	if before == nil {
		return nil
	}
	had := map[zone.Name]map[string]bool{}
	for _, z := range before.Zones {
		if apex, err := zone.ParseName(z.Name); err == nil {
			had[apex] = head(z, apex)
		}
	}
	for i, z := range m.Zones {
		apex, err := zone.ParseName(z.Name)
		if err != nil {
			continue // told elsewhere
		}
		has := head(z, apex)
		for _, rrtype := range []string{"SOA", "NS"} {
			if had[apex][rrtype] && !has[rrtype] {
				faults = append(faults, landfall.Fault{
					Path: fmt.Sprintf("zone[%d].file", i),
					Msg:  fmt.Sprintf("zone %s has lost its %s record, which it had when it was read before", apex, rrtype),
					Cure: "put it back; if it is meant, start the name server anew",
				})
				break // the other has gone the same way
			}
		}
	}
	return faults
}

// head tells which of SOA and NS there are at the top of a zone.
func head(z landfall.Zone, apex zone.Name) map[string]bool {
	types := map[string]bool{}
	for _, r := range z.Records {
		if rrtype := strings.ToUpper(r.Type); rrtype == "SOA" || rrtype == "NS" {
			if name, err := zone.ParseName(r.Name); err == nil && name == apex {
				types[rrtype] = true
			}
		}
	}
	return types
}
