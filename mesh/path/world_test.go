package path

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"landfall"
	"landfall/mesh/pmtu"
	"landfall/mesh/probe"
	"landfall/mesh/relay"
)

// world is a small network in virtual time: nodes whose tables talk to each
// other with what real probes say, over links of a delay each way. It does
// what the data plane does, as far as a table can see it.
type world struct {
	t     testing.TB
	now   time.Time
	nodes []*station
	agenda
	delay  func(hop) time.Duration
	lost   func(hop) bool // asked for each hop
	random *rand.Rand
	trace  bool
	bytes  map[load]int // of probes and their answers, on all legs together
}

// load is what bytes are counted for: a pair, and a way from one to the other.
type load struct {
	a, b int
	way  Way
}

// hop is one datagram on one leg of its way.
type hop struct {
	from, to int
	addr     int  // which of the receiver's addresses; -1 for a leg that ends or begins at a relay
	relayed  bool // a leg of a relayed way
	data     bool
}

type station struct {
	w      *world
	n      int
	table  Table
	addrs  int // it has this many
	from   int // the address it sends from
	mates  []*mate
	routed []change // of the primary
	dead   int      // peers thought dead, counted
}

type change struct {
	at   time.Time
	peer int
	Event
}

// mate is what the data plane of one node keeps about another.
type mate struct {
	route  Route
	ways   map[Way]*Traffic
	last   time.Time
	seen   map[int]bool
	number int
}

type task struct {
	at  time.Time
	seq int
	do  func()
}

// agenda is what will happen, by time.
type agenda struct {
	tasks []task
	seq   int
}

func (a *agenda) Len() int { return len(a.tasks) }
func (a *agenda) Less(i, j int) bool {
	if c := a.tasks[i].at.Compare(a.tasks[j].at); c != 0 {
		return c < 0
	}
	return a.tasks[i].seq < a.tasks[j].seq
}
func (a *agenda) Swap(i, j int) { a.tasks[i], a.tasks[j] = a.tasks[j], a.tasks[i] }
func (a *agenda) Push(x any)    { a.tasks = append(a.tasks, x.(task)) }
func (a *agenda) Pop() any {
	x := a.tasks[len(a.tasks)-1]
	a.tasks = a.tasks[:len(a.tasks)-1]
	return x
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.agenda, task{w.now.Add(d), w.seq, do})
}

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func id(n int) landfall.NodeID { return landfall.NodeID("n" + strconv.Itoa(n)) }

func address(n, k int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(k), 0, byte(n)}), 1)
}

// newWorld makes one of n nodes with so many addresses each, all of which know
// each other.
func newWorld(t testing.TB, n, addrs int, seed uint64, delay func(hop) time.Duration) *world {
	w := &world{t: t, now: began, delay: delay, lost: func(hop) bool { return false }, bytes: map[load]int{}, random: rand.New(rand.NewPCG(seed, 6))}
	for i := range n {
		w.nodes = append(w.nodes, &station{w: w, n: i, addrs: addrs})
	}
	for _, s := range w.nodes {
		for j := range w.nodes {
			s.mates = append(s.mates, &mate{ways: map[Way]*Traffic{}, seen: map[int]bool{}})
			if j == s.n {
				continue
			}
			var list []netip.AddrPort
			for k := range addrs {
				list = append(list, address(j, k))
			}
			s.note(s.table.SetPeer(id(j), list, w.now))
		}
	}
	return w
}

// run plays the world for a while.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		next, who := end, -1
		for i, s := range w.nodes {
			if t := s.table.Next(); !t.IsZero() && t.Before(next) {
				next, who = t, i
			}
		}
		if len(w.tasks) > 0 && !w.tasks[0].at.After(next) && w.tasks[0].at.Before(end) {
			x := heap.Pop(&w.agenda).(task)
			w.now = later(w.now, x.at)
			x.do()
			continue
		}
		w.now = later(w.now, next)
		if who < 0 {
			return
		}
		w.nodes[who].tick()
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func number(id landfall.NodeID) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(string(id), "n"))
	return n
}

// legs are the hops of a datagram from one node to another by a way, and the
// way as the receiver sees it. None, if it leads nowhere.
func (s *station) legs(to int, way Way, data bool) (list []hop, seen Way) {
	if way.Relayed() {
		by := number(way.Via)
		return []hop{{s.n, by, -1, true, data}, {by, to, -1, true, data}}, way
	}
	a := way.Addr.Addr().As4()
	return []hop{{s.n, to, int(a[1]), false, data}}, Way{Addr: address(s.n, s.w.sends(s.n, int(a[1])))}
}

// sends is the address a node sends from to others' address k.
func (w *world) sends(n, k int) int {
	if w.nodes[n].from > 0 {
		return w.nodes[n].from
	}
	return k
}

// send sends a datagram; got runs where it arrives.
func (s *station) send(to int, way Way, data bool, got func(seen Way)) {
	list, seen := s.legs(to, way, data)
	var d time.Duration
	for _, h := range list {
		if s.w.lost(h) {
			return
		}
		d += s.w.delay(h)
	}
	s.w.after(d, func() { got(seen) })
}

func (s *station) tick() {
	w := s.w
	for _, peer := range s.table.Due(w.now) {
		s.traffic(number(peer))
	}
	probes, events := s.table.Tick(w.now)
	s.note(events)
	for _, p := range probes {
		s.ping(p)
	}
}

// count counts a datagram, with the headers of every leg.
func (w *world) count(from, to int, way Way, size int) {
	size += pmtu.HeadersV4
	if way.Relayed() {
		size = 2 * (size + relay.Overhead)
	} else if from > to { // the same way seen from the other end
		way.Addr = address(from, int(way.Addr.Addr().As4()[1]))
	}
	w.bytes[load{min(from, to), max(from, to), way}] += size
}

func (s *station) ping(p Probe) {
	to := number(p.Peer)
	far := s.w.nodes[to]
	s.w.count(s.n, to, p.Way, max(probe.MinSize, p.Size))
	s.send(to, p.Way, false, func(seen Way) {
		far.table.Heard(id(s.n), seen, p.Doubt, s.w.now)
		reports := far.table.Reports(id(s.n), 64, s.w.now)
		s.w.count(s.n, to, p.Way, probe.MinSize+probe.ReportSize*len(reports))
		a := Answer{Stamp: p.Stamp}
		if m := far.mates[s.n].ways[seen]; m != nil {
			a.Heard = m.Heard
		}
		far.send(s.n, seen, false, func(Way) {
			s.table.Reported(p.Peer, reports, s.w.now)
			_, events := s.table.Answered(p.Peer, a, s.w.now)
			s.note(events)
		})
	})
}

func (s *station) note(events []Event) {
	for _, e := range events {
		n := number(e.Peer)
		if s.w.trace {
			s.w.t.Logf("%v n%d: %s %v %v: %s", s.w.now.Sub(began), s.n, e.Peer, e.Kind, e.Route, e.Why)
		}
		if e.Kind == Dead {
			s.dead++
		}
		if e.Kind != Routed {
			continue
		}
		if old := s.mates[n].route.Primary; old != e.Route.Primary {
			s.routed = append(s.routed, change{s.w.now, n, e})
		}
		s.mates[n].route = e.Route
	}
}

func (s *station) traffic(peer int) {
	var list []Traffic
	m := s.mates[peer]
	for _, x := range m.ways {
		list = append(list, *x)
	}
	slices.SortFunc(list, func(a, b Traffic) int {
		return cmp.Or(cmp.Compare(a.Way.Via, b.Way.Via), a.Way.Addr.Compare(b.Way.Addr))
	})
	s.table.Traffic(id(peer), list, s.w.now)
}

func (m *mate) way(w Way) *Traffic {
	if m.ways[w] == nil {
		m.ways[w] = &Traffic{Way: w}
	}
	return m.ways[w]
}

// data sends a datagram as the route says; copies beyond the first are dropped
// where they arrive.
func (s *station) data(to int, got func()) {
	m, now := s.mates[to], s.w.now
	if now.Sub(m.last) > activeFor {
		s.table.Active(id(to), now)
	}
	m.last, m.number = now, m.number+1
	n, far := m.number, s.w.nodes[to]
	ways := []Way{m.route.Primary}
	if m.route.Doubt {
		ways = append(ways, m.route.Backup)
	}
	for _, way := range ways {
		t := m.way(way)
		t.Sent, t.LastSent = t.Sent+1, now
		if t.Unanswered.IsZero() {
			t.Unanswered = now
		}
		s.send(to, way, true, func(seen Way) { far.heard(s.n, n, seen, got) })
	}
}

func (s *station) heard(from, n int, seen Way, got func()) {
	m, now := s.mates[from], s.w.now
	if m.seen[n] {
		return
	}
	m.seen[n] = true
	t := m.way(seen)
	if !t.LastHeard.IsZero() {
		const memory = 250 * time.Millisecond // a gap counts by its length
		gap := min(now.Sub(t.LastHeard), memory)
		t.Gap += time.Duration(float64(gap-t.Gap) * float64(gap) / float64(memory))
	}
	t.Heard, t.LastHeard, m.last = t.Heard+1, now, now
	for _, x := range m.ways {
		x.Unanswered = time.Time{}
	}
	if got != nil {
		got()
	}
}

// flow is one node asking another again and again.
type flow struct {
	on              bool
	asked, answered int
	slowest         time.Duration // answer
}

// load begins a flow with so much time between questions, on average.
func (w *world) load(from, to int, every time.Duration) *flow {
	f := &flow{on: true}
	a, b := w.nodes[from], w.nodes[to]
	var ask func()
	ask = func() {
		if !f.on {
			return
		}
		asked := w.now
		f.asked++
		a.data(to, func() {
			b.data(from, func() { f.answered, f.slowest = f.answered+1, max(f.slowest, w.now.Sub(asked)) })
		})
		w.after(every/2+time.Duration(w.random.Int64N(int64(every))), ask)
	}
	w.after(0, ask)
	return f
}

// rtt is the round trip between two nodes by a way, as the links have it.
func (w *world) rtt(from, to int, way Way) time.Duration {
	var d time.Duration
	there, _ := w.nodes[from].legs(to, way, true)
	back, _ := w.nodes[to].legs(from, way, true)
	for _, h := range append(there, back...) {
		d += w.delay(h)
	}
	return d
}
