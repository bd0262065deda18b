package route

import (
	"strings"

	"landfall"
)

// Route is where the requests for one host go.
type Route struct {
	Service landfall.Service
	// Targets can all answer, best first: one for each origin of the home
	// region. It is empty when the map has no origin left.
	Targets []landfall.Target
}

// Table holds the routes of one map.
type Table struct {
	routes map[string]Route
	hosts  []string
}

// New draws up the table of a map. Services of kind TCP are left out: they
// are not spoken to in HTTP.
func New(m *landfall.Map) *Table {
	t := &Table{routes: make(map[string]Route, len(m.Services))}
	origins := m.Origins()
	for _, s := range m.Services {
		if s.Kind == landfall.TCP {
			continue
		}
		t.routes[s.Host] = Route{Service: s, Targets: targets(origins, s)}
		t.hosts = append(t.hosts, s.Host)
	}
	return t
}

// Hosts are the hosts with a route, in the map's order.
func (t *Table) Hosts() []string { return t.hosts }

// Find looks up a host in the form that Host gives. A service whose host
// begins with "*." answers for the names one label below, as a certificate
// for that name does (RFC 9525, 6.3); an exact host comes first.
func (t *Table) Find(host string) (Route, bool) {
	if r, ok := t.routes[host]; ok && !strings.HasPrefix(host, "*") {
		return r, true
	}
	label, parent, _ := strings.Cut(host, ".")
	if label == "" || label == "*" {
		return Route{}, false
	}
	r, ok := t.routes["*."+parent]
	return r, ok
}

// Targets are all targets of the table, each once.
func (t *Table) Targets() []landfall.Target {
	var all []landfall.Target
	seen := make(map[landfall.Target]bool)
	for _, h := range t.hosts {
		for _, target := range t.routes[h].Targets {
			if !seen[target] {
				seen[target] = true
				all = append(all, target)
			}
		}
	}
	return all
}

// Host brings the authority of a request or the server name of a handshake
// into the form of the map. It refuses a port that is not a number (RFC 3986,
// 3.2.3); a name that is no name at all is left for Find not to find.
func Host(authority string) (string, bool) {
	if _, port, ok := strings.Cut(authority, ":"); ok && strings.Trim(port, "0123456789") != "" {
		return "", false
	}
	host := landfall.CanonicalHost(authority)
	return host, host != ""
}

func targets(origins []landfall.Node, s landfall.Service) []landfall.Target {
	service := landfall.MeshHTTP
	if s.Upstream == landfall.UpstreamChat {
		service = landfall.MeshChat
	}
	out := make([]landfall.Target, 0, len(origins))
	for _, n := range origins {
		out = append(out, landfall.Target{Node: n.ID, Service: service})
	}
	return out
}
