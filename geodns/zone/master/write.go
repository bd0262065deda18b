package master

import (
	"fmt"
	"strings"
	"time"

	"landfall"
)

// Write makes the text of a zone, which Read reads as the same zone.
func Write(z landfall.Zone) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s.\n", z.Name)
	for _, r := range z.Records {
		fmt.Fprintf(&b, "%s %d %s %s\n", owner(r.Name, z.Name), seconds(r.TTL), r.Type, r.Data)
	}
	return b.String()
}

// owner is a record's name relative to the zone's.
func owner(name, apex string) string {
	if name == apex {
		return "@"
	}
	if strings.HasPrefix(name, "$") { // no directive
		name = `\` + name
	}
	if rest, ok := strings.CutSuffix(name, "."+apex); ok && !strings.HasSuffix(rest, `\`) && !landfall.InZone(rest, apex) {
		return rest
	}
	return name + "."
}

func seconds(ttl time.Duration) int64 {
	if ttl == 0 {
		ttl = time.Hour
	}
	return int64(ttl / time.Second)
}
