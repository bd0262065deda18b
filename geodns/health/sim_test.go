package health

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"landfall"
)

// step is how finely time passes in the simulation, and lag for how long a
// thing that was so may still be believed: the slowest probe, votes on their
// way, and votes that are not yet stale.
const (
	step = 50 * time.Millisecond
	lag  = 10 * time.Second
	soon = 7 * time.Second // a death that all see is told by then
)

// day is a simulated network: name servers that watch edges through whatever
// befalls the ways between them. It knows the truth, and judges them by it.
type day struct {
	rng      *rand.Rand
	now      time.Time
	tick     int
	net      *landfall.Map
	machines []*machine
	ways     [][]*way // by name server and edge, as indices of machines
	side     []int    // of a partition
	mesh     [][]bool // votes do not get through
	pending  [][]func()
	counts   dayCounts
	faults   []string
}

// dayCounts is what a simulated day had.
type dayCounts struct {
	Partitions, Firewalls, Deaths, Flapping, Restarts int // what befell
	Down, Up, Held                                    int // verdicts that changed, and those that damping made
	Unjustified, Undetected                           int
}

// machine is one server of the day.
type machine struct {
	node landfall.Node
	off  bool // nothing runs
	sick bool // its edge does not serve
	mute bool // and is silent rather than refusing

	dead, alive time.Time // since when it is one, if it is
	v           *vantage  // nil unless a name server
	started     time.Time
	kept        []byte
	phase       int
	answers     bool
	last, votes Down
	heard       []time.Time // since when it has had the others' votes, if it has
}

// way is from a name server to an edge.
type way struct {
	road
	shut      bool
	refuses   bool
	bad, good time.Time // since when it is so, if it is
	was       time.Time // when it was last bad, for a second or more
	fine      time.Time // when it was last good
}

func newDay(seed uint64) *day {
	d := &day{rng: rand.New(rand.NewPCG(seed, 14)), now: time.Unix(1_700_000_000, 0), pending: make([][]func(), 256)}
	vantages, edges := 3+d.rng.IntN(3), 3+d.rng.IntN(6)
	both := d.rng.IntN(min(vantages, edges) + 1)
	d.net = &landfall.Map{}
	for i := range vantages + edges - both {
		n := landfall.Node{ID: landfall.NodeID(fmt.Sprintf("n%d", i))}
		if i < vantages {
			n.Roles = append(n.Roles, landfall.RoleDNS)
		}
		if i >= vantages-both {
			n.Roles = append(n.Roles, landfall.RoleEdge)
		}
		d.net.Nodes = append(d.net.Nodes, n)
		d.machines = append(d.machines, &machine{node: n, alive: d.now, phase: d.rng.IntN(10)})
	}
	for range d.machines {
		row := make([]*way, len(d.machines))
		for j := range row {
			row[j] = &way{good: d.now, fine: d.now}
			row[j].rtt, row[j].rng = time.Duration(5+d.rng.IntN(250))*time.Millisecond, d.rng
		}
		d.ways = append(d.ways, row)
		d.mesh = append(d.mesh, make([]bool, len(d.machines)))
	}
	d.side = make([]int, len(d.machines))
	for _, m := range d.machines {
		if m.node.Has(landfall.RoleDNS) {
			d.start(m, nil)
		}
	}
	return d
}

// start lets the name server of a machine begin, with what it kept.
func (d *day) start(m *machine, kept []byte) {
	m.v, m.started, m.heard = newVantage(m.node.ID), d.now, make([]time.Time, len(d.machines))
	var r *record
	if kept != nil {
		r, _ = decode(kept, d.now)
	}
	m.v.setMap(d.now, d.net, r)
	m.answers = false
}

// after does something a while later, up to ten seconds.
func (d *day) after(wait time.Duration, what func()) {
	at := (int(d.now.UnixNano()/int64(step)) + max(int(wait/step), 1)) % len(d.pending)
	d.pending[at] = append(d.pending[at], what)
}

// run lets time pass.
func (d *day) run(lasting time.Duration) dayCounts {
	for range int(lasting / step) {
		d.now = d.now.Add(step)
		at := int(d.now.UnixNano()/int64(step)) % len(d.pending)
		due := d.pending[at]
		d.pending[at] = nil
		for _, what := range due {
			what()
		}
		if d.rng.Float64() < float64(step)/float64(45*time.Second) {
			d.befall()
		}
		for i, m := range d.machines {
			if m.v != nil && !m.off && (d.tick+m.phase)%10 == 0 {
				d.round(i, m)
			}
		}
		d.tick++
		d.see()
		for i, m := range d.machines {
			if m.v == nil || m.off || !m.v.known() && d.now.Sub(m.started) < patience {
				continue
			}
			if !m.answers { // what it begins with is no change
				m.answers, m.last, m.votes = true, m.v.down, m.v.votes
			}
			d.check(i, m)
		}
	}
	return d.counts
}

// lately is a duration that is short mostly, and long sometimes.
func (d *day) lately() time.Duration {
	return time.Duration(float64(time.Second) * []float64{1, 3, 10, 60, 400}[d.rng.IntN(5)] * (0.5 + d.rng.ExpFloat64()))
}

// until ends something a while later.
func (d *day) until(what func()) {
	end := d.now.Add(d.lately())
	var wait func()
	wait = func() {
		if d.now.Before(end) {
			d.after(min(end.Sub(d.now), 10*time.Second), wait)
			return
		}
		what()
	}
	wait()
}

// befall lets one more thing go wrong, for a while.
func (d *day) befall() {
	one := d.machines[d.rng.IntN(len(d.machines))]
	w := d.ways[d.rng.IntN(len(d.machines))][d.rng.IntN(len(d.machines))]
	switch d.rng.IntN(8) {
	case 0:
		d.counts.Partitions++
		for i := range d.side {
			d.side[i] = d.rng.IntN(2)
		}
		d.until(func() { clear(d.side) })
	case 1: // one machine against all others
		d.counts.Partitions++
		clear(d.side)
		d.side[d.rng.IntN(len(d.side))] = 1
		d.until(func() { clear(d.side) })
	case 7: // all edges against those that are none
		d.counts.Partitions++
		for i, m := range d.machines {
			d.side[i] = 0
			if m.node.Has(landfall.RoleEdge) {
				d.side[i] = 1
			}
		}
		d.until(func() { clear(d.side) })
	case 2: // one way only
		d.counts.Firewalls++
		w.shut, w.refuses = true, d.rng.IntN(2) == 0
		d.until(func() { w.shut = false })
	case 3:
		w.loss = 0.1 * d.rng.Float64()
		d.until(func() { w.loss = 0 })
	case 4:
		a, b := d.rng.IntN(len(d.mesh)), d.rng.IntN(len(d.mesh))
		d.mesh[a][b], d.mesh[b][a] = true, true
		d.until(func() { d.mesh[a][b], d.mesh[b][a] = false, false })
	case 5:
		d.die(one)
	case 6:
		d.flap(one, 3+d.rng.IntN(20))
	}
}

// die switches a machine off, or only its edge.
func (d *day) die(m *machine) {
	if m.off || m.sick {
		return
	}
	d.counts.Deaths++
	m.mute = d.rng.IntN(2) == 0
	if d.rng.IntN(2) == 0 {
		m.sick = true
		d.until(func() { m.sick = false })
		return
	}
	if m.v != nil {
		m.kept, _ = json.Marshal(m.v.remember(d.now))
	}
	m.off = true
	d.until(func() {
		m.off = false
		if m.v != nil {
			d.counts.Restarts++
			d.start(m, [][]byte{nil, m.kept}[d.rng.IntN(2)])
		}
	})
}

// flap lets an edge go and come some times.
func (d *day) flap(m *machine, times int) {
	if times == 0 || m.sick && !m.off {
		return
	}
	d.counts.Flapping++
	m.sick, m.mute = true, false
	d.after(time.Duration(1000+d.rng.IntN(5000))*time.Millisecond, func() {
		m.sick = false
		d.after(time.Duration(1000+d.rng.IntN(8000))*time.Millisecond, func() { d.flap(m, times-1) })
	})
}

// reaches is the truth about a way, and whether what fails on it refuses.
func (d *day) reaches(i, j int) (ok, refused bool) {
	m, w := d.machines[j], d.ways[i][j]
	switch {
	case d.side[i] != d.side[j], m.off && m.mute:
		return false, false
	case w.shut:
		return false, w.refuses
	case m.off, m.sick:
		return false, !m.mute
	}
	return true, false
}

// round is what a name server does twice a second: it begins a probe of each
// edge, and asks the others for votes.
func (d *day) round(i int, m *machine) {
	v, began := m.v, d.now
	v.tick(d.now)
	for j, target := range d.machines {
		if target.node.Has(landfall.RoleEdge) {
			d.probe(i, j, v, began)
		}
		if o := target.v; o != nil && o != v && !target.off && !d.mesh[i][j] && d.side[i] == d.side[j] {
			votes := o.watch.Votes(d.now)
			d.after(d.ways[i][j].rtt, func() {
				if m.v == v && !m.off && d.side[i] == d.side[j] {
					v.hear(d.now, target.node.ID, votes)
				}
			})
		}
	}
}

func (d *day) probe(i, j int, v *vantage, began time.Time) {
	id, timeout := d.machines[j].node.ID, landfall.DefaultProbeTimeout
	if v.watch.Lossy(id, began) {
		timeout += timeout / 3
	}
	ends := func(wait time.Duration, how Outcome, why error) {
		d.after(wait, func() {
			if d.machines[i].v == v && !d.machines[i].off {
				v.observe(id, Result{how, began, d.now}, why)
			}
		})
	}
	ok, refused := d.reaches(i, j)
	takes := d.ways[i][j].takes()
	switch {
	case refused:
		ends(min(takes, timeout), Refused, errors.New("connection refused"))
	case !ok || takes >= timeout:
		ends(timeout, Silent, errors.New("no answer"))
	default:
		d.after(takes, func() {
			if still, _ := d.reaches(i, j); still && d.machines[i].v == v && !d.machines[i].off {
				v.observe(id, Result{Answered, began, d.now}, nil)
				return
			}
			ends(timeout-takes, Silent, errors.New("no answer"))
		})
	}
}
