package control

import (
	"fmt"
	"slices"

	"landfall"
)

// Served refuses a change after which nobody would be left to do what users
// need: to be named, to be asked, or at home to change the map.
func Served(before, after *landfall.Map) error {
	if len(before.Origins()) > 0 && len(after.Origins()) == 0 {
		return fmt.Errorf("node %s is the home of the network: without it nobody could change the map any more; to end the network, stop its servers", before.Origins()[0].ID)
	}
	for _, last := range []struct {
		role landfall.Role
		loss string
	}{
		{landfall.RoleEdge, "edge that is not draining: nobody would be left to name"},
		{landfall.RoleDNS, "name server that is not draining: nobody would be left to ask"},
	} {
		was, is := active(before, last.role), active(after, last.role)
		if len(was) > 0 && len(is) == 0 {
			return fmt.Errorf("node %s is the last %s", was[0].ID, last.loss)
		}
	}
	return nil
}

func active(m *landfall.Map, r landfall.Role) []landfall.Node {
	return slices.DeleteFunc(slices.Clone(m.Nodes), func(n landfall.Node) bool {
		return n.EffectiveState() != landfall.Active || !n.Has(r)
	})
}
