package conformance

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// exchange is a message and what two servers made of it.
type exchange struct {
	peer         string
	sent         []byte
	msg          dns.Msg
	err          error    // the message cannot be read
	sense        *flaws   // what can be read of it
	lacks        []string // names that the peer does not have
	ours, theirs *answer
	differ       []string
}

func (x *exchange) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\nsent %s\n%v%v\n", x.peer, strings.Join(x.differ, "; "), hex.EncodeToString(x.sent), x.err, &x.msg)
	for who, a := range map[string]*answer{"landfall": x.ours, x.peer: x.theirs} {
		fmt.Fprintf(&b, "---- %s: silent %v, %v\n%s\n%v\n", who, a.silent, a.err, hex.EncodeToString(a.raw), &a.msg)
	}
	return b.String()
}

// askers is how many messages are on their way at a time.
const askers = 48

// TestServersAgree asks this server and three others the same, and finds that
// they answer alike but where the table of differences says why not.
func TestServersAgree(t *testing.T) {
	outside(t)
	us := landfallServer(t, "")
	peers := []*server{knot(t), nsd(t), gdnsd(t)}
	zone := zoneText(t)
	each := sized(10_000, 400_000) / askers
	all := newTally()
	all.lacks = without(zone)
	var working sync.WaitGroup
	for i := range askers {
		mine := newLine(t, i, us.addr)
		var theirs []*line
		for _, p := range peers {
			theirs = append(theirs, newLine(t, i, p.addr))
		}
		working.Go(func() {
			a := newAsker(uint64(i), zone)
			seldom := rare()
			for n := range each {
				msg := a.message()
				if i == 0 && n < len(seldom) {
					msg = seldom[n]
				}
				if err := compare(msg, mine, theirs, us, peers, all); err != nil {
					all.fault(err)
					return
				}
			}
		})
	}
	working.Wait()
	for _, s := range append(peers, us) {
		s.alive(t)
	}
	all.judge(t)
}

// compare sends one message to all.
func compare(msg []byte, mine *line, theirs []*line, us *server, peers []*server, all *tally) error {
	for _, l := range append([]*line{mine}, theirs...) {
		if err := l.send(msg); err != nil {
			return err
		}
	}
	raw, err := mine.receive()
	if err != nil {
		return fmt.Errorf("landfall: %w, after %x", err, msg)
	}
	ours := readAnswer(raw)
	for i, l := range theirs {
		raw, err := l.receive()
		if err != nil {
			return fmt.Errorf("%s: %w, after %x", peers[i].name, err, msg)
		}
		x := &exchange{peer: peers[i].name, sent: msg, ours: ours, theirs: readAnswer(raw)}
		x.err, x.sense = x.msg.Unpack(slices.Clone(msg)), read(msg)
		if x.peer == "gdnsd" {
			x.lacks = all.lacks
		}
		if x.differ = aspects(ours, x.theirs); len(x.differ) > 0 {
			all.add(x)
		}
		if x.sense.found == sound && !ours.silent && !x.theirs.silent && (ours.msg.Truncated || x.theirs.msg.Truncated) {
			if err := again(x, us, peers[i], all); err != nil {
				return err
			}
		}
	}
	return nil
}

// again asks by TCP what was too long for UDP.
func again(x *exchange, us, peer *server, all *tally) error {
	y := *x
	for s, a := range map[*server]**answer{us: &y.ours, peer: &y.theirs} {
		raw, err := byTCP(s.addr, x.sent)
		if err != nil {
			return fmt.Errorf("%s by TCP: %w, after %x", s.name, err, x.sent)
		}
		*a = readAnswer(raw)
	}
	if y.differ = aspects(y.ours, y.theirs); len(y.differ) > 0 {
		all.add(&y)
	}
	return nil
}

// tally gathers exchanges that differ.
type tally struct {
	rows  []difference
	lacks []string // names that gdnsd does not have

	mu     sync.Mutex
	faults []error
	used   []int                // how often each row explained something
	open   map[string]*exchange // the shortest of each kind that no row explains
	counts map[string]int
}

func newTally() *tally {
	rows := differences()
	return &tally{rows: rows, used: make([]int, len(rows)), open: map[string]*exchange{}, counts: map[string]int{}}
}

func (a *tally) fault(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, err)
}

// add looks for what explains each way in which the answers differ.
func (a *tally) add(x *exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, aspect := range x.differ {
		row := slices.IndexFunc(a.rows, func(d difference) bool { return d.covers(x, aspect) })
		if row >= 0 {
			a.used[row]++
			continue
		}
		k := fmt.Sprintf("%s: %s (%s)", x.peer, aspect, x.sense.found)
		if a.counts[k]++; a.open[k] == nil || len(x.sent) < len(a.open[k].sent) {
			a.open[k] = x
		}
	}
}

// judge fails the test for every difference that is not in the table, and for
// every row that explains nothing.
func (a *tally) judge(t *testing.T) {
	for _, err := range a.faults {
		t.Error(err)
	}
	for _, k := range slices.Sorted(maps.Keys(a.open)) {
		t.Errorf("%d times, for no reason that is listed: %s, such as\n%v", a.counts[k], k, a.open[k])
	}
	for i, n := range a.used {
		if n == 0 {
			t.Errorf("nothing differs so any more: %s", a.rows[i].what)
		}
	}
}
