package landfall

import (
	"fmt"
	"slices"
	"strings"
)

// MaxSecondaries bounds those that are told of every change.
const MaxSecondaries = 100

func (c *checker) secondaries() {
	seen := map[string]int{}
	for i, s := range c.m.Secondaries {
		path := fmt.Sprintf("secondary[%d]", i)
		if first, twice := seen[s.Who()]; twice {
			c.fault(path, "keep one of the two", "the secondary %s is already secondary[%d]", s.Who(), first)
		}
		seen[s.Who()] = i
		if !s.Address.IsValid() && len(s.From) == 0 && s.Key == "" {
			c.fault(path, `write address = "192.0.2.7", key = "NAME" or both`, "the secondary has neither an address nor a key, so that nobody could be it")
		}
		if a := s.Address; a.IsValid() && (a.Addr().IsUnspecified() || a.Addr().IsMulticast() || a.Addr().Zone() != "" || a.Port() == 0) {
			c.fault(path+".address", `want the address of one server, such as address = "192.0.2.7"`, "secondary %v is not an address to send to", a)
		}
		for j, p := range s.From {
			if p != p.Masked() || !p.IsValid() {
				c.fault(fmt.Sprintf("%s.from[%d]", path, j), fmt.Sprintf("write %v", p.Masked()), "prefix %v has bits beyond its length", p)
			}
		}
		if s.Key != "" && !isKeyName(s.Key) {
			c.fault(path+".key", `keys have domain names in lower case, such as key = "transfer.example.com"`, "key %q is not the name of one", s.Key)
		}
		c.secondaryZone(path, s)
	}
	if n := len(c.m.Secondaries); n > MaxSecondaries {
		c.fault("secondary", "have secondaries ask secondaries", "%d secondaries are more than %d", n, MaxSecondaries)
	}
}

// isKeyName reports whether s can be the name of a key: a domain name, which
// need be nobody's, without a final dot.
func isKeyName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= 253
}

func (c *checker) secondaryZone(path string, s Secondary) {
	known := s.Zone == "" || s.Zone == c.m.Domain || slices.ContainsFunc(c.m.Zones, func(z Zone) bool { return z.Name == s.Zone })
	if !known {
		c.fault(path+".zone", "name the domain or a [[zone]]; leave it out for all of them", "zone %q is none of this network's", s.Zone)
	}
}
