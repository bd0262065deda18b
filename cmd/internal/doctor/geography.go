package doctor

import (
	"context"
	"path/filepath"
)

// Geography is how an edge or name server knows where addresses are.
type Geography struct {
	Type    string   // of the database in use
	Coarse  bool     // which places addresses on continents only
	Missing []string // files that are asked for and not in use
}

// geography judges what the node knows of where users are.
func (p *patient) geography(_ context.Context, n *notes) {
	if p.Geography != nil {
		n.list = append(n.list, judgeGeography(p.Dir, *p.Geography)...)
	}
}

func judgeGeography(dir string, g Geography) []Finding {
	n := notes{check: "geography"}
	for _, file := range g.Missing {
		n.warn("ls -l "+file+"; journalctl -u landfall -g geograph", "the database %s is not in use: it is not there, or was refused", file)
	}
	if g.Coarse {
		n.warn("in "+filepath.Join(dir, "node.toml")+`: geo = "/var/lib/GeoIP/GeoLite2-City.mmdb", or [fetch] with provider = "dbip"`+"\nsystemctl restart landfall",
			"addresses are placed on continents only: users do not always get the edge that is nearest")
	}
	if len(n.list) == 0 {
		n.ok("addresses are placed by a %s", g.Type)
	}
	return n.list
}
