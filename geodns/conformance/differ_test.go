package conformance

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// sentinel is the id of a good question that is sent after each other one, by
// the same socket: no time is spent on waiting for an answer that does not come.
// The next id is that of a second one, see receive.
const sentinel = 0xbeee

// line is a socket to a server. Each has an address in a network of its own, so
// that no server holds its answers back.
type line struct {
	conn *net.UDPConn
	last []byte // the sentinel
	buf  [65536]byte
}

func newLine(t *testing.T, number int, to netip.AddrPort) *line {
	t.Helper()
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, byte(1 + number>>8), byte(number), 1}), 0)
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	last, err := new(dns.Msg).SetQuestion("mail."+static+".", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &line{conn: conn, last: last}
}

// send sends a message and the sentinel.
func (l *line) send(msg []byte) error {
	_, err := l.conn.Write(msg)
	return errors.Join(err, l.again(sentinel))
}

func (l *line) again(id uint16) error {
	binary.BigEndian.PutUint16(l.last, id)
	_, err := l.conn.Write(l.last)
	return err
}

// receive returns what is answered to a message that was sent; nil: nothing.
// Servers that read several messages at once may answer them in another order,
// so that the sentinel's answer may be the first. Then a second sentinel goes
// out, which the server has not read yet when it answers the rest.
func (l *line) receive() (reply []byte, err error) {
	l.conn.SetReadDeadline(time.Now().Add(patience))
	for want := uint16(sentinel); ; {
		n, err := l.conn.Read(l.buf[:])
		switch got := l.buf[:n]; {
		case err != nil:
			return nil, err
		case n < 2 || binary.BigEndian.Uint16(got)&^1 != sentinel:
			if reply != nil {
				return nil, fmt.Errorf("two answers to one message: %x and %x", reply, got)
			}
			reply = slices.Clone(got)
		case binary.BigEndian.Uint16(got) != want:
			return nil, fmt.Errorf("an answer that nobody waits for: %x", got)
		case reply != nil || want != sentinel:
			return reply, nil
		default:
			want++
			if err := l.again(want); err != nil {
				return nil, err
			}
		}
	}
}

// answer is what a server said, in a form that can be compared: order,
// compression, the case of names in records (RFC 4343) and the zone's serial do
// not matter, all else does.
type answer struct {
	raw    []byte
	silent bool
	err    error // it cannot be read
	msg    dns.Msg
	opt    *dns.OPT

	sections [3][]string
}

func readAnswer(raw []byte) *answer {
	a := &answer{raw: raw, silent: raw == nil}
	if a.silent {
		return a
	}
	if a.err = a.msg.Unpack(raw); a.err != nil {
		return a
	}
	for i, section := range [][]dns.RR{a.msg.Answer, a.msg.Ns, a.msg.Extra} {
		for _, rr := range section {
			if o, ok := rr.(*dns.OPT); ok && i == 2 {
				a.opt = o
				continue
			}
			if soa, ok := rr.(*dns.SOA); ok {
				soa.Serial = 0 // ours is that of the file and the map's together
			}
			a.sections[i] = append(a.sections[i], strings.ToLower(rr.String()))
		}
		slices.Sort(a.sections[i])
	}
	return a
}

// rcode is the whole of it (RFC 6891, 6.1.3).
func (a *answer) rcode() string {
	code := a.msg.Rcode
	if a.opt != nil {
		code |= int(a.opt.Hdr.Ttl>>24) << 4
	}
	if code == dns.RcodeBadVers {
		return "BADVERS"
	}
	return dns.RcodeToString[code]
}

// aspects are the ways in which two answers differ.
func aspects(ours, theirs *answer) (out []string) {
	add := func(differ bool, what string, values ...any) {
		if differ {
			out = append(out, fmt.Sprintf(what, values...))
		}
	}
	switch {
	case ours.silent && theirs.silent:
		return nil
	case ours.silent:
		return []string{"we are silent"}
	case theirs.silent:
		return []string{"they are silent"}
	case ours.err != nil || theirs.err != nil:
		return []string{"unreadable"}
	}
	o, t := &ours.msg, &theirs.msg
	aa, tc := t.Authoritative, t.Truncated
	if ours.rcode() != theirs.rcode() {
		aa, tc = o.Authoritative, o.Truncated // a consequence
	}
	add(ours.rcode() != theirs.rcode(), "rcode %s, not %s", ours.rcode(), theirs.rcode())
	add(o.Id != t.Id, "id")
	add(o.Opcode != t.Opcode, "opcode")
	for _, f := range []struct {
		name         string
		ours, theirs bool
	}{
		{"QR", o.Response, t.Response}, {"AA", o.Authoritative, aa}, {"TC", o.Truncated, tc}, {"RD", o.RecursionDesired, t.RecursionDesired},
		{"RA", o.RecursionAvailable, t.RecursionAvailable}, {"Z", o.Zero, t.Zero}, {"AD", o.AuthenticatedData, t.AuthenticatedData}, {"CD", o.CheckingDisabled, t.CheckingDisabled},
	} {
		add(f.ours && !f.theirs, "%s set", f.name)
		add(!f.ours && f.theirs, "%s clear", f.name)
	}
	add(!slices.Equal(o.Question, t.Question), "question")
	if ours.rcode() != theirs.rcode() || o.Truncated != t.Truncated {
		return out // all else is a consequence
	}
	for i, name := range []string{"answer", "authority", "additional"} {
		section(ours.sections[i], theirs.sections[i], name, add)
	}
	return append(out, optAspects(ours.opt, theirs.opt)...)
}

// section tells what one section lacks, has too much, or has otherwise.
func section(ours, theirs []string, name string, add func(bool, string, ...any)) {
	switch {
	case slices.Equal(ours, theirs):
	case len(ours) == 0:
		add(true, "%s empty", name)
	case len(theirs) == 0:
		add(true, "%s not empty", name)
	case within(ours, theirs):
		add(true, "%s shorter", name)
	case within(theirs, ours):
		add(true, "%s longer", name)
	default:
		add(true, "%s other", name)
	}
}

func within(small, large []string) bool {
	return !slices.ContainsFunc(small, func(s string) bool { return !slices.Contains(large, s) })
}

func optAspects(ours, theirs *dns.OPT) (out []string) {
	switch {
	case ours == nil && theirs == nil:
		return nil
	case ours == nil:
		return []string{"no OPT"}
	case theirs == nil:
		return []string{"OPT"}
	}
	if ours.UDPSize() != theirs.UDPSize() {
		out = append(out, "OPT size")
	}
	if ours.Version() != theirs.Version() {
		out = append(out, "OPT version")
	}
	if ours.Hdr.Ttl&0xffff != theirs.Hdr.Ttl&0xffff {
		out = append(out, "OPT flags")
	}
	return append(out, optionAspects(optionsOf(ours), optionsOf(theirs))...)
}

func optionAspects(ours, theirs map[uint16]string) (out []string) {
	for code, data := range ours {
		if other, ok := theirs[code]; !ok {
			out = append(out, fmt.Sprintf("option %d", code))
		} else if data != other {
			out = append(out, fmt.Sprintf("option %d other", code))
		}
	}
	for code := range theirs {
		if _, ok := ours[code]; !ok {
			out = append(out, fmt.Sprintf("no option %d", code))
		}
	}
	slices.Sort(out)
	return out
}

// optionsOf are those of an OPT record. No two servers have the same cookies.
func optionsOf(o *dns.OPT) map[uint16]string {
	out := map[uint16]string{}
	for _, e := range o.Option {
		if out[e.Option()] = e.String(); e.Option() == dns.EDNS0COOKIE {
			out[e.Option()] = fmt.Sprint(len(e.String()))
		}
	}
	return out
}

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

// byTCP asks on a connection of its own.
func byTCP(addr netip.AddrPort, msg []byte) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	c := &dns.Conn{Conn: conn}
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	buf := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(buf)
	return buf[:n], err
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
