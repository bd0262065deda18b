package health

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"landfall"
)

// see writes down how things are.
func (d *day) see() {
	for j, m := range d.machines {
		for k, u := range d.machines {
			if m.v == nil || u.v == nil || k == j {
				continue
			}
			if h, ok := m.v.heard[u.node.ID]; !ok || d.now.Sub(h.when) > time.Second {
				m.heard[k] = time.Time{}
			} else if m.heard[k].IsZero() {
				m.heard[k] = d.now
			}
		}
		if m.off || m.sick {
			m.alive = time.Time{}
			if m.dead.IsZero() {
				m.dead = d.now
			}
		} else {
			m.dead = time.Time{}
			if m.alive.IsZero() {
				m.alive = d.now
			}
		}
		for i := range d.machines {
			w := d.ways[i][j]
			if ok, _ := d.reaches(i, j); ok {
				w.bad, w.fine = time.Time{}, d.now
				if w.good.IsZero() {
					w.good = d.now
				}
				continue
			}
			w.good = time.Time{}
			if w.bad.IsZero() {
				w.bad = d.now
			}
			if d.now.Sub(w.bad) >= time.Second {
				w.was = d.now
			}
		}
	}
}

// check holds a name server's verdict against the truth.
func (d *day) check(i int, m *machine) {
	for j, e := range d.machines {
		id := e.node.ID
		if !e.node.Has(landfall.RoleEdge) {
			continue
		}
		before, after := m.last[id], m.v.down[id]
		switch {
		case after && !before:
			d.counts.Down++
			if !d.mayFall(i, j) && !slices.Contains(m.v.watch.Shy(), id) {
				d.counts.Unjustified++
				d.fault("%s takes %s down: %+v %v", m.node.ID, id, m.v.why(d.now, id), m.v.down)
			}
		case before && !after:
			d.counts.Up++
		}
		held := m.v.penalties[id].Holds(d.now.Add(-time.Second)) // it is let go with the next probe
		if held && after && !m.v.votes[id] && m.votes[id] {
			d.counts.Held++
		}
		if !after && d.mustFall(i, j) {
			d.counts.Undetected++
			d.fault("%s still names %s", m.node.ID, id)
		}
		if after && !held && d.mustRise(i, j) {
			d.counts.Undetected++
			d.fault("%s does not name %s: %+v", m.node.ID, id, m.v.why(d.now, id))
		}
	}
	m.last, m.votes = m.v.down, m.v.votes
}

func (d *day) fault(format string, args ...any) {
	if len(d.faults) < 5 && !(len(d.faults) == 4 && d.counts.Unjustified == 0) {
		d.faults = append(d.faults, fmt.Sprintf("%v: ", d.now.Sub(time.Unix(1_700_000_000, 0)))+fmt.Sprintf(format, args...))
	}
}

// mayFall reports whether more than half of the name servers beside its own
// were really cut off from an edge of late, and not from all edges. Those that a name server has lost
// before, for such a reason, are not asked.
func (d *day) mayFall(i, j int) bool {
	lost, all := 0, 0
	for k, u := range d.machines {
		if u.v == nil || k == j {
			continue
		}
		if _, heard := d.machines[i].v.heard[u.node.ID]; !heard && k != i && d.machines[i].v.down[u.node.ID] {
			continue
		}
		all++
		if d.now.Sub(d.ways[k][j].was) <= lag && d.sees(k, j) {
			lost++
		}
	}
	return 2*lost > all
}

// sees reports whether a name server has had a way to any other edge of late, or
// there is hardly another to see.
func (d *day) sees(k, j int) bool {
	others := 0
	for e, m := range d.machines {
		if e == k || !m.node.Has(landfall.RoleEdge) {
			continue
		}
		others++
		if e != j && d.now.Sub(d.ways[k][e].fine) <= lag {
			return true
		}
	}
	return others < 2
}

// calm reports whether a name server has been running, heard by another, and
// without a change on its ways, for some time; it sees something at least.
func (d *day) calm(i, k int, lasting time.Duration) bool {
	u := d.machines[k]
	if u.v == nil || u.off || d.now.Sub(u.started) < lasting || d.mesh[i][k] || d.side[i] != d.side[k] {
		return false
	}
	for j, w := range d.ways[k] {
		if j != k && d.machines[j].node.Has(landfall.RoleEdge) && !w.good.IsZero() && d.now.Sub(w.good) >= lasting && w.loss == 0 {
			return true
		}
	}
	return false
}

// mustFall reports whether an edge has been dead for so long that a name server
// which hears a sufficient number of others has to know.
func (d *day) mustFall(i, j int) bool {
	if dead := d.machines[j].dead; dead.IsZero() || d.now.Sub(dead) < soon {
		return false
	}
	return d.agree(i, j, soon, func(*way) bool { return true })
}

// mustRise is the same for one that has served for some time, and whom all
// reach.
func (d *day) mustRise(i, j int) bool {
	if alive := d.machines[j].alive; alive.IsZero() || d.now.Sub(alive) < soon {
		return false
	}
	return d.agree(i, j, soon, func(w *way) bool { return !w.good.IsZero() && d.now.Sub(w.good) >= soon && w.loss == 0 })
}

// agree reports whether more than half of all name servers beside an edge's own
// are calm, and their way to it is such.
func (d *day) agree(i, j int, lasting time.Duration, such func(*way) bool) bool {
	n, all := 0, 0
	for k, u := range d.machines {
		if u.v == nil || k == j {
			continue
		}
		all++
		if d.calm(i, k, lasting) && d.heardFor(i, k, lasting) && such(d.ways[k][j]) {
			n++
		}
	}
	return 2*n > all
}

// heardFor reports whether one name server has had another's votes for a while.
func (d *day) heardFor(i, k int, lasting time.Duration) bool {
	since := d.machines[i].heard
	return i == k || !since[k].IsZero() && d.now.Sub(since[k]) >= lasting
}

// What name servers make of a day of partitions, firewalls, loss, deaths and
// flapping: they take down who is dead or cut off from most of them, nobody
// else, and in time.
func TestDayOfPartitions(t *testing.T) {
	seeds, lasting := 6, 12*time.Minute
	if testing.Short() {
		seeds = 3
	}
	if os.Getenv("LANDFALL_SOAK") != "" {
		seeds, lasting = 20, 24*time.Hour
	}
	var sum dayCounts
	for seed := range seeds {
		d := newDay(uint64(seed))
		c := d.run(lasting)
		if c.Unjustified+c.Undetected > 0 {
			t.Errorf("seed %d: %+v\n%q", seed, c, d.faults)
		}
		sum.Partitions += c.Partitions
		sum.Firewalls += c.Firewalls
		sum.Deaths += c.Deaths
		sum.Flapping += c.Flapping
		sum.Restarts += c.Restarts
		sum.Down += c.Down
		sum.Up += c.Up
		sum.Held += c.Held
		sum.Unjustified += c.Unjustified
		sum.Undetected += c.Undetected
	}
	t.Logf("%d networks, %v each: %+v", seeds, lasting, sum)
	if sum.Partitions == 0 || sum.Deaths == 0 || sum.Down == 0 || sum.Up == 0 {
		t.Error("nothing has befallen them")
	}
}
