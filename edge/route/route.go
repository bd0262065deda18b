package route

import (
	"maps"
	"slices"
	"strings"

	"landfall"
)

// Route is where the requests or streams for one host go.
type Route struct {
	Service landfall.Service
	// Targets can all answer, best first: one for each origin of the home
	// region. It is empty when the map has no origin left.
	Targets []landfall.Target
}

// Table holds the routes of one map.
type Table struct {
	pages   hosts            // of kind HTTP
	streams map[uint16]hosts // of kind TCP, by port; 0 is that of HTTPS
	targets []landfall.Target
}

// New draws up the table of a map.
func New(m *landfall.Map) *Table {
	t := &Table{pages: make(hosts, len(m.Services)), streams: make(map[uint16]hosts)}
	origins := m.Origins()
	for _, s := range m.Services {
		r := Route{Service: s, Targets: targets(origins, s)}
		t.list(r.Targets)
		if s.Kind != landfall.TCP {
			t.pages[s.Host] = r
			continue
		}
		port := s.Port
		if port == m.Ports.EffectiveHTTPS() {
			port = 0
		}
		if t.streams[port] == nil {
			t.streams[port] = make(hosts)
		}
		t.streams[port][s.Host] = r
	}
	return t
}

// list notes the targets that are not yet noted.
func (t *Table) list(targets []landfall.Target) {
	for _, to := range targets {
		if !slices.Contains(t.targets, to) {
			t.targets = append(t.targets, to)
		}
	}
}

// Find looks up, among the services of kind HTTP, a host in the form that
// Host gives.
func (t *Table) Find(host string) (Route, bool) { return t.pages.find(host) }

// Stream looks up a server name, in the form that Host gives, among the
// services of kind TCP on a port; 0 is that of HTTPS. On a port of its own a
// service that is alone there needs no name.
func (t *Table) Stream(port uint16, name string) (Route, bool) {
	here := t.streams[port]
	if name == "" && port != 0 && len(here) == 1 {
		for _, r := range here {
			return r, true
		}
	}
	return here.find(name)
}

// Ports are the ports that services of kind TCP have beside that of HTTPS, in
// order.
func (t *Table) Ports() []uint16 {
	var ports []uint16
	for _, p := range slices.Sorted(maps.Keys(t.streams)) {
		if p != 0 {
			ports = append(ports, p)
		}
	}
	return ports
}

// Targets are all targets of the table, each once.
func (t *Table) Targets() []landfall.Target { return t.targets }

// hosts are the routes of host names.
type hosts map[string]Route

// find knows that a service whose host begins with "*." answers for the names
// one label below, as a certificate for that name does (RFC 9525, 6.3); an
// exact host comes first.
func (h hosts) find(host string) (Route, bool) {
	if r, ok := h[host]; ok && !strings.HasPrefix(host, "*") {
		return r, true
	}
	label, parent, _ := strings.Cut(host, ".")
	if label == "" || label == "*" {
		return Route{}, false
	}
	r, ok := h["*."+parent]
	return r, ok
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
	switch {
	case s.Kind == landfall.TCP:
		service = landfall.MeshTCP
	case s.Upstream == landfall.UpstreamChat:
		service = landfall.MeshChat
	}
	out := make([]landfall.Target, 0, len(origins))
	for _, n := range origins {
		out = append(out, landfall.Target{Node: n.ID, Service: service})
	}
	return out
}
