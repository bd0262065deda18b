package peers

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"landfall"
)

func key(b byte) landfall.PublicKey { return landfall.PublicKey{b} }

func node(id landfall.NodeID, k byte, state landfall.State, endpoints ...string) landfall.Node {
	n := landfall.Node{ID: id, Key: key(k), State: state}
	for _, e := range endpoints {
		n.Endpoints = append(n.Endpoints, netip.MustParseAddrPort(e))
	}
	return n
}

func network(nodes ...landfall.Node) *landfall.Map {
	return &landfall.Map{Network: "test", Nodes: nodes}
}

// text is short enough to compare by eye.
func text(list []Peer) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "%s key=%d %v initiate=%v; ", p.Node, p.Key[0], p.Endpoints, p.Initiate)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestOf(t *testing.T) {
	own := netip.MustParseAddr("fd00::1")
	withMesh := node("nyc1", 9, "")
	withMesh.Mesh = own
	for _, c := range []struct {
		name string
		m    *landfall.Map
		want string
	}{
		{"nobody else", network(node("fra1", 5, "")), ""},
		{"by name, lower key initiates", network(node("sin1", 9, "", "192.0.2.3:1"), node("fra1", 5, ""), node("nyc1", 2, "", "192.0.2.2:1", "192.0.2.9:1")),
			"nyc1 key=2 [192.0.2.2:1 192.0.2.9:1] initiate=false; sin1 key=9 [192.0.2.3:1] initiate=true"},
		{"draining nodes still serve", network(node("nyc1", 9, landfall.Draining)), "nyc1 key=9 [] initiate=true"},
		{"gone nodes do not", network(node("nyc1", 9, landfall.Gone)), ""},
		{"no key yet", network(node("nyc1", 0, "")), ""},
		{"our own key", network(node("nyc1", 5, "")), ""},
		{"a key twice", network(node("nyc1", 9, ""), node("nyc2", 9, "")), "nyc1 key=9 [] initiate=true"},
		{"we are gone ourselves", network(node("fra1", 5, landfall.Gone), node("nyc1", 9, "")), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(Of(c.m, "fra1", key(5))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	if got := Of(network(withMesh), "fra1", key(5))[0].Addr; got != own {
		t.Errorf("address %v, want the map's %v", got, own)
	}
	if got := Of(network(node("nyc1", 9, "")), "fra1", key(5))[0].Addr; got != landfall.MeshAddr("test", "nyc1") {
		t.Errorf("address %v, want that of the names", got)
	}
}

func TestOneSideOfEachPairInitiates(t *testing.T) {
	var nodes []landfall.Node
	for i := range byte(6) {
		nodes = append(nodes, node(landfall.NodeID('a'+rune(i)), i*37+1, ""))
	}
	m := network(nodes...)
	initiates := map[[2]landfall.NodeID]bool{}
	for _, n := range nodes {
		for _, p := range Of(m, n.ID, n.Key) {
			initiates[[2]landfall.NodeID{n.ID, p.Node}] = p.Initiate
		}
	}
	for pair, yes := range initiates {
		if yes == initiates[[2]landfall.NodeID{pair[1], pair[0]}] {
			t.Errorf("%v: both or neither initiate", pair)
		}
	}
	if len(initiates) != 6*5 {
		t.Errorf("%d directions, want 30", len(initiates))
	}
}

func TestDiff(t *testing.T) {
	a, b, c := node("a", 1, "", "192.0.2.1:1"), node("b", 2, ""), node("c", 3, "")
	moved := node("a", 1, "", "192.0.2.7:1")
	rekeyed := node("a", 7, "", "192.0.2.1:1")
	of := func(nodes ...landfall.Node) []Peer { return Of(network(nodes...), "fra1", key(5)) }
	for _, c := range []struct {
		name                    string
		old, new                []Peer
		removed, added, changed string
	}{
		{"nothing", of(a, b), of(a, b), "", "", ""},
		{"order is nothing", of(a, b), of(b, a), "", "", ""},
		{"first map", nil, of(b), "", "b key=2 [] initiate=false", ""},
		{"one comes, one goes", of(b), of(c), "b key=2 [] initiate=false", "c key=3 [] initiate=false", ""},
		{"endpoints", of(a, b), of(moved, b), "", "", "a key=1 [192.0.2.7:1] initiate=false"},
		{"a new key is a new peer", of(a), of(rekeyed), "a key=1 [192.0.2.1:1] initiate=false", "a key=7 [192.0.2.1:1] initiate=true", ""},
		{"drained", of(a), of(node("a", 1, landfall.Draining, "192.0.2.1:1")), "", "", "a key=1 [192.0.2.1:1] initiate=false"},
		{"gone", of(a), of(node("a", 1, landfall.Gone, "192.0.2.1:1")), "a key=1 [192.0.2.1:1] initiate=false", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Diff(c.old, c.new)
			if text(got.Removed) != c.removed || text(got.Added) != c.added || text(got.Changed) != c.changed {
				t.Errorf("removed %q, added %q, changed %q", text(got.Removed), text(got.Added), text(got.Changed))
			}
		})
	}
}
