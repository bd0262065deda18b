package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"landfall"
)

// How far clocks may be apart. Certificates and invitations are judged by
// them; a map is not.
const (
	skewWarn = 2 * time.Second
	skewFail = 5 * time.Minute
)

// reading is another clock, and how much it is ahead of ours.
type reading struct {
	who   string
	node  landfall.NodeID // empty: none of ours, and nothing to be done there
	ahead time.Duration
	exact time.Duration // how far the reading may be off
}

// clocks compares ours with those of the other nodes and of the authority.
func (p *patient) clocks(_ context.Context, n *notes) {
	var all []reading
	// A status was given at some moment between the question and its answer.
	half := p.overviewed.Sub(p.asked) / 2
	for _, s := range p.overview.Nodes {
		if _, ours := p.Map.Node(s.Node); ours && s.Node != p.Self && !s.Clock.IsZero() {
			all = append(all, reading{"node " + string(s.Node), s.Node, s.Clock.Sub(p.asked.Add(half)), half})
		}
	}
	if !p.acme.date.IsZero() {
		all = append(all, reading{"the certificate authority", "", p.acme.date.Sub(p.acme.heard), time.Second})
	}
	n.list = append(n.list, judgeClocks(p.Self, all)...)
}

// judgeClocks takes what most clocks agree on for the time, and tells who is
// off. Two that disagree are both told.
func judgeClocks(self landfall.NodeID, others []reading) []Finding {
	n := notes{check: "clock"}
	if len(others) == 0 {
		return nil // nothing to compare with
	}
	all := append([]reading{{who: "this node", node: self}}, others...)
	slices.SortStableFunc(all, func(a, b reading) int { return int(sign(a.ahead - b.ahead)) })
	if len(all) == 2 {
		if gap := all[1].ahead - all[0].ahead - all[0].exact - all[1].exact; gap > skewWarn {
			n.add(skewLevel(gap), cureClocks(self, all), "the clocks of %s and %s are %v apart: one of them is wrong", all[0].who, all[1].who, (all[1].ahead - all[0].ahead).Round(100*time.Millisecond))
			return n.list
		}
	}
	middle := (all[(len(all)-1)/2].ahead + all[len(all)/2].ahead) / 2
	for _, r := range all {
		off := r.ahead - middle
		gap := max(off, -off) - r.exact
		if gap <= skewWarn || len(all) == 2 {
			continue
		}
		way := "ahead of"
		if off < 0 {
			way = "behind"
		}
		n.add(skewLevel(gap), cureClocks(self, []reading{r}), "the clock of %s is %v %s the others", r.who, max(off, -off).Round(100*time.Millisecond), way)
	}
	if len(n.list) == 0 {
		n.ok("%d clocks agree", len(all))
	}
	return n.list
}

func sign(d time.Duration) time.Duration { return min(max(d, -1), 1) }

func skewLevel(gap time.Duration) Level {
	if gap > skewFail {
		return Fail
	}
	return Warn
}

// cureClocks says where to set which clocks.
func cureClocks(self landfall.NodeID, wrong []reading) string {
	const set = "timedatectl set-ntp true && timedatectl status"
	for _, r := range wrong {
		if r.node != "" && (r.node != self || len(wrong) == 1) {
			return fmt.Sprintf("on %s: %s", r.node, set)
		}
	}
	return set
}
