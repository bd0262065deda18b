package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"landfall"
)

// reached judges what the other nodes reach of this one.
func (p *patient) reached(_ context.Context, n *notes) {
	if p.Reports == nil {
		return
	}
	n.list = append(n.list, judgeReports(p.Map, p.self, p.reports)...)
}

// door is one thing that others should find open.
type door struct {
	addr    netip.AddrPort
	network string
	what    string
}

func (d door) String() string {
	return fmt.Sprintf("%s %d at %v", d.network, d.addr.Port(), d.addr.Addr())
}

// judgeReports takes of a report what could be true: of a node of the map, a
// door that is ours, once, and a fault that we know. All else may be a thief's.
func judgeReports(m *landfall.Map, self landfall.Node, reports []Report) []Finding {
	n := notes{check: "reach"}
	want := tries(m, self)
	var from []string
	seen := map[door][]tried{}
	for _, r := range reports {
		if peer, ok := m.Node(r.From); !ok || !peer.Joined() || r.From == self.ID || slices.Contains(from, string(r.From)) {
			continue
		}
		if r.To != self.ID || r.Error != "" {
			n.warn(fmt.Sprintf("on %s: systemctl status landfall", r.From), "%s cannot say what it reaches of us: %v", r.From, said(cmp.Or(r.Error, "it looked at another node")))
			continue
		}
		from = append(from, string(r.From))
		for d, f := range believed(r, want) {
			seen[d] = append(seen[d], tried{r.From, f})
		}
	}
	if len(from) == 0 {
		if len(want) > 0 && !accompanied(m, self.ID) {
			n.warn("landfall invite NAME --region REGION", "nobody but this node could try to reach it")
		}
		if len(want) > 0 && len(n.list) == 0 {
			n.warn("landfall doctor, on the other nodes", "no other node could try to reach this one")
		}
		return n.list
	}
	var open []string
	for _, w := range want {
		d := door{w.Addr, w.Network, w.What}
		if judgeDoor(&n, d, seen[d]) {
			open = append(open, d.String())
		}
	}
	if len(open) > 0 {
		n.ok("%s reach %s", strings.Join(from, ", "), strings.Join(open, ", "))
	}
	return n.list
}

// accompanied reports whether another node has joined.
func accompanied(m *landfall.Map, self landfall.NodeID) bool {
	return slices.ContainsFunc(m.Nodes, func(n landfall.Node) bool { return n.ID != self && n.Joined() })
}

// believed are the faults that a report gives of the doors that were to be
// tried.
func believed(r Report, want []Try) map[door]Fault {
	out := map[door]Fault{}
	for _, t := range r.Tries {
		ours := slices.ContainsFunc(want, func(w Try) bool {
			return w.Addr == t.Addr && w.Network == t.Network && w.What == t.What
		})
		if ours && t.Fault.known() {
			out[door{t.Addr, t.Network, t.What}] = t.Fault
		}
	}
	return out
}

// tried is how somebody found a door.
type tried struct {
	by    landfall.NodeID
	fault Fault
}

// judgeDoor tells who does not find a door open, and reports whether all do.
func judgeDoor(n *notes, d door, all []tried) bool {
	all = slices.DeleteFunc(all, func(t tried) bool { return t.fault == NoRoute })
	if len(all) == 0 {
		n.warn("", "nobody could try %v: no other node has a way to such an address", d)
		n.list[len(n.list)-1].Cure = "try from elsewhere: " + byHand(d)
		return false
	}
	failed := map[Fault][]tried{}
	for _, t := range all {
		if t.fault != "" {
			failed[t.fault] = append(failed[t.fault], t)
		}
	}
	for _, f := range slices.Sorted(maps.Keys(failed)) {
		level, who := Warn, make([]string, 0, len(all)) // some reach it: a path, not a door
		for _, t := range failed[f] {
			who = append(who, string(t.by))
		}
		if len(failed[f]) == len(all) || f == Wrong {
			level = Fail
		}
		words, cure := explain(d, f)
		n.add(level, cure, "%s (%s): %s; tried by %s", d, d.what, words, strings.Join(who, ", "))
	}
	return len(failed) == 0
}

// explain says what a fault means, and what to do.
func explain(d door, f Fault) (words, cure string) {
	port := fmt.Sprintf("%d/%s", d.addr.Port(), d.network)
	switch {
	case f == Silent && d.network == "udp":
		return "nothing comes back", fmt.Sprintf("ufw allow %s; let it through the firewall of the server's provider as well; then: systemctl status landfall", port)
	case f == Silent:
		return "nothing comes back: a firewall swallows it", fmt.Sprintf("ufw allow %s; let it through the firewall of the server's provider as well", port)
	case f == Refused:
		return "nobody listens there", fmt.Sprintf("systemctl status landfall; ss -lnp 'sport = :%d'", d.addr.Port())
	case d.what == "dns":
		return "another name server answers there", fmt.Sprintf("ss -lnp 'sport = :%d'", d.addr.Port())
	}
	return "no handshake for its host", "landfall certs list; " + byHand(d)
}

// byHand is how to try a door from any machine.
func byHand(d door) string {
	switch {
	case d.what == "dns" && d.network == "udp":
		return fmt.Sprintf("dig -p %d @%v SOA .", d.addr.Port(), d.addr.Addr())
	case d.what == "dns":
		return fmt.Sprintf("dig +tcp -p %d @%v SOA .", d.addr.Port(), d.addr.Addr())
	case d.what == "http":
		return fmt.Sprintf("curl -v http://%v/", d.addr)
	}
	return fmt.Sprintf("openssl s_client -connect %v", d.addr)
}
