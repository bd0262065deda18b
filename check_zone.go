package landfall

import (
	"fmt"
	"strings"
)

// Limits on the records of a map, which goes to every node as a whole.
const (
	MaxZones      = 1024
	MaxRecords    = 50_000  // of all zones together
	MaxRecordData = 4 << 20 // bytes of their names, types and data
)

func (c *checker) records() {
	for i, r := range c.m.Records {
		path := fmt.Sprintf("record[%d]", i)
		name := strings.TrimPrefix(r.Name, "*.")
		if why := badRecordName(name); why != "" {
			c.fault(path+".name", "want a full name in a zone, without the final dot", "record name %q %s", r.Name, why)
		} else if c.domain && !c.m.Holds(name) {
			c.fault(path+".name", fmt.Sprintf("name it under %q, or add the [[zone]] that it is in", c.m.Domain), "record %q is outside the domain and of every zone", r.Name)
		}
		if r.Type == "" {
			c.fault(path+".type", `such as type = "MX"`, "record %q has no type", r.Name)
		}
		if r.Data == "" {
			c.fault(path+".data", `such as data = "10 mail.example.com."`, "record %q has no data", r.Name)
		}
		if r.TTL < 0 || r.TTL > MaxTTL {
			c.fault(path+".ttl", "want 0s to 24h", "record %q: ttl %v is out of range", r.Name, r.TTL)
		}
	}
}

// zones judges zones and their size. Whether their records make zones is not
// known here: see geodns/zone.
func (c *checker) zones() {
	seen := map[string]int{}
	count, size := 0, 0
	for i, z := range c.m.Zones {
		path := fmt.Sprintf("zone[%d]", i)
		if why := badZone(z.Name); why != "" {
			c.fault(path+".name", `give the zone's full name, such as name = "example.com"`, "zone name %q %s", z.Name, why)
		} else if first, twice := seen[z.Name]; twice {
			c.fault(path+".name", "write one [[zone]] with all of its records", "zone %q is already zone[%d]", z.Name, first)
		}
		seen[z.Name] = i
		before := size <= MaxRecordData && count <= MaxRecords
		for _, r := range z.Records {
			size += len(r.Name) + len(r.Type) + len(r.Data)
		}
		count += len(z.Records)
		const cure = "serve the largest zones elsewhere: the map, which every node has, holds all records"
		switch {
		case before && count > MaxRecords:
			c.fault(path, cure, "with zone %q there are %d records in zones, more than %d", z.Name, count, MaxRecords)
		case before && size > MaxRecordData:
			c.fault(path, cure, "with zone %q the records of zones have %d bytes, more than %d", z.Name, size, MaxRecordData)
		}
	}
	if len(c.m.Zones) > MaxZones {
		c.fault("zone", "split the network", "%d zones are more than %d", len(c.m.Zones), MaxZones)
	}
}
