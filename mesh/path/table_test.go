package path

import (
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"
)

// FuzzTable makes any calls in any order, with time going on by any steps,
// now and then backwards.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 1, 2, 9, 9, 3, 3, 9, 4, 9, 7, 9, 9})
	f.Add([]byte("\x00\x10\x20\x30\x09\x19\x03\x13\x23\x05\x15\x25\x09\x06\x16\x09\x08\x09"))
	f.Add(slices.Repeat([]byte{0, 9, 3, 0x17, 9, 0x25, 0x34, 9, 0x46}, 20))
	f.Fuzz(func(t *testing.T, script []byte) {
		z := &fuzzer{t: t, now: began, ways: []Way{
			{Addr: address(0, 0)}, {Addr: address(1, 0)}, {Addr: address(1, 1)}, {Addr: address(2, 0)},
			{Via: id(0)}, {Via: id(1)}, {Via: id(2)}, {Via: "stranger"}, {},
		}}
		for i, b := range script[:min(len(script), 500)] {
			z.step(b, script[len(script)-1-i])
		}
		z.rest()
	})
}

type fuzzer struct {
	t     *testing.T
	table Table
	now   time.Time
	ways  []Way
	sent  []Probe
	count uint32
}

func (z *fuzzer) step(b, more byte) {
	peer, way := id(int(b>>4)%3), z.ways[int(more)%len(z.ways)]
	switch b & 15 {
	case 0:
		z.table.SetPeer(peer, []netip.AddrPort{address(number(peer), 0), address(number(peer), int(more)%3)}, z.now)
	case 1:
		if more%4 == 0 {
			z.table.RemovePeer(peer)
		}
	case 2:
		z.table.Heard(peer, way, more&64 != 0, z.now)
	case 3, 4:
		if len(z.sent) > 0 {
			p := z.sent[int(more)%len(z.sent)]
			z.count += uint32(more) % 9
			z.table.Answered(p.Peer, Answer{Stamp: p.Stamp, Heard: z.count * uint32(more%2), Largest: int(more) * 8}, z.now)
		}
	case 5:
		z.count += uint32(more)
		z.table.Traffic(peer, []Traffic{{
			Way: way, Sent: z.count, Heard: uint32(more), LastSent: z.now, LastHeard: z.now.Add(-time.Duration(more) * time.Millisecond),
			Unanswered: z.now.Add(-time.Duration(b) * time.Millisecond), Gap: time.Duration(more) * time.Millisecond, LargestSent: int(more) * 9,
		}}, z.now)
	case 6:
		z.table.Reported(peer, []Report{{Node: id(int(more) % 4), RTT: time.Duration(more) * time.Millisecond, Loss: float64(more)/64 - 1}}, z.now)
		z.table.Reports(peer, int(more), z.now)
	case 7:
		z.table.Active(peer, z.now)
		z.table.Ask(peer, z.now)
		z.table.TooBig(peer, way, int(more)*8, z.now)
	case 8:
		z.now = z.now.Add(-time.Duration(more) * time.Millisecond)
	case 15:
		z.now = z.now.Add(time.Duration(more) * time.Second)
	default:
		z.tick(later(z.now.Add(time.Duration(more)*time.Millisecond/4), z.table.Next()))
	}
}

func (z *fuzzer) tick(at time.Time) {
	if at.IsZero() {
		return
	}
	z.now = at
	z.table.Due(at)
	probes, _ := z.table.Tick(at)
	z.sent = append(z.sent, probes...)
	if len(z.sent) > 30 {
		z.sent = z.sent[len(z.sent)-30:]
	}
	if next := z.table.Next(); !next.IsZero() && !next.After(at) {
		z.t.Fatalf("after Tick at %v it is wanted again at %v", at, next)
	}
	for n := range 3 {
		z.check(n)
	}
}

// check holds what must always be so after a Tick.
func (z *fuzzer) check(n int) {
	s, ok := z.table.Status(id(n), z.now)
	if !ok {
		return
	}
	ways := z.table.Ways(id(n), z.now)
	life := map[Way]Life{}
	alive := false
	for _, w := range ways {
		life[w.Way] = w.Life
		alive = alive || w.Life == Living || w.Life == Suspect
	}
	r := s.Route
	switch {
	case alive && (life[r.Primary] == Gone || life[r.Primary] == Mute || !r.Primary.IsValid()):
		z.t.Fatalf("%v is %v, others work: %v", r.Primary, life[r.Primary], ways)
	case r.Backup.IsValid() && (r.Backup == r.Primary || life[r.Backup] == Gone):
		z.t.Fatalf("bad second way: %v, %v", r, ways)
	case r.Doubt && !r.Backup.IsValid():
		z.t.Fatalf("nothing to fall back on in doubt: %v", r)
	case len(ways) > maxNamed+maxLearned+maxRelayed:
		z.t.Fatalf("%d ways", len(ways))
	}
}

// rest lets time go on: with nothing to hear there is little to do.
func (z *fuzzer) rest() {
	for range 100 {
		z.tick(z.table.Next())
	}
	from, ticks := z.now, 0
	for z.now.Sub(from) < time.Minute && !z.table.Next().IsZero() {
		z.tick(z.table.Next())
		if ticks++; ticks > 3000 {
			z.t.Fatalf("busy: %d ticks in %v", ticks, z.now.Sub(from))
		}
	}
	for n := range 3 {
		for _, w := range z.table.Ways(id(n), z.now) {
			if w.String() == "" {
				z.t.Fatal("a way has no words")
			}
		}
	}
}

// crowd is a table of many idle peers, two addresses each, all settled, that
// have reported about each other. It is some minutes old: the longer, the less
// are they due at the same times.
func crowd(t testing.TB, n, minutes int) (*Table, time.Time) {
	table, now := &Table{}, began
	for i := range n {
		table.SetPeer(id(i), []netip.AddrPort{address(i%256, i/256), address(i%256, 100+i/256)}, now)
	}
	reports := make([]Report, n)
	for i := range reports {
		reports[i] = Report{Node: id(i), RTT: time.Duration(10+i) * time.Millisecond}
	}
	for now.Sub(began) < time.Duration(minutes)*time.Minute {
		now = table.Next()
		probes, _ := table.Tick(now)
		for _, p := range probes {
			if now.Sub(began)%(90*time.Second) < time.Second {
				table.Reported(p.Peer, reports, now)
			}
			table.Answered(p.Peer, Answer{Stamp: p.Stamp}, now.Add(50*time.Millisecond))
		}
	}
	return table, now
}

// TestIdlePeersAreSmall measures what a table of 500 idle peers holds.
func TestIdlePeersAreSmall(t *testing.T) {
	const peers, limit = 500, 4608 // two addresses and two relays each
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table, now := crowd(t, peers, 1)
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / peers
	t.Logf("%d bytes a peer, %d ways each", each, len(table.Ways(id(7), now)))
	if each > limit {
		t.Errorf("an idle peer takes %d bytes", each)
	}
	runtime.KeepAlive(table)
}

// BenchmarkTick is a Tick of 500 idle peers, which finds one of them due.
func BenchmarkTick(b *testing.B) {
	table, _ := crowd(b, 500, 20)
	var all int
	for b.Loop() {
		now := table.Next()
		probes, _ := table.Tick(now)
		for _, p := range probes {
			table.Answered(p.Peer, Answer{Stamp: p.Stamp}, now.Add(50*time.Millisecond))
		}
		all += len(probes)
	}
	b.ReportMetric(float64(all)/float64(b.N), "probes/op")
}

// BenchmarkTickNothing is a Tick that comes too early.
func BenchmarkTickNothing(b *testing.B) {
	table, _ := crowd(b, 500, 20)
	now := table.Next().Add(-time.Millisecond)
	for b.Loop() {
		table.Tick(now)
	}
}

// BenchmarkNext asks 500 peers when to tick.
func BenchmarkNext(b *testing.B) {
	table, _ := crowd(b, 500, 20)
	for b.Loop() {
		table.Next()
	}
}

// BenchmarkReports is what goes into one pong, 500 peers being known.
func BenchmarkReports(b *testing.B) {
	table, now := crowd(b, 500, 20)
	for b.Loop() {
		table.Reports(id(3), 32, now)
	}
}
