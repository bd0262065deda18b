package trial

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"landfall"
	"landfall/mesh"
	"landfall/mesh/meshtest"
	"landfall/mesh/wan/day"
	"landfall/mesh/wan/wantest"
)

// TestDay is a busy day. By itself it is a short one.
func TestDay(t *testing.T) {
	live(t, day.Config{Spec: day.Spec{Seed: 1, Length: 5 * time.Minute}, Start: startPlace})
}

// TestQuietDay is one whose pairs are idle most of the time, as those of a mesh
// are.
func TestQuietDay(t *testing.T) {
	live(t, day.Config{Spec: day.Spec{Seed: 1, Length: 30 * time.Minute}, Start: startPlace, Pause: 10 * time.Minute})
}

func live(t *testing.T, c day.Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("lives through many minutes")
	}
	r := day.Live(t, c)
	if r.Wrong != 0 || r.Refused != 0 {
		t.Errorf("%d messages were wrong, %d refused", r.Wrong, r.Refused)
	}
	// Regions are cut off, now and then.
	if r.Arrived+5+r.Sent/50 < r.Sent || r.P50 < 5*ms || r.P50 > 300*ms {
		t.Errorf("%d of %d messages arrived, median %v", r.Arrived, r.Sent, r.P50)
	}
}

// TestSameSeedSameDay compares the traces of days in processes of their own.
// The full size is a whole day.
func TestSameSeedSameDay(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	quiet, busy := time.Hour, 5*time.Minute
	if os.Getenv("LANDFALL_SOAK") != "" {
		quiet, busy = 24*time.Hour, time.Hour
	}
	p, err := wantest.Build(t.Context(), ".", "landfall/mesh/trial")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	// What happens in a bubble happens one after the other.
	t.Setenv("GOMAXPROCS", "1")
	t.Setenv("GOGC", "1000")
	print(t, "day", twice(t, p, "TestQuietDay", quiet))
	twice(t, p, "TestDay", busy)
}

// twice lives through a day twice.
func twice(t *testing.T, p *wantest.Program, test string, length time.Duration) (results []day.Result) {
	t.Helper()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, log := range []string{one, two} {
		r, err := day.Spec{Seed: 1, Length: length, Log: log}.Test(t.Context(), p, test)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r)
		results = append(results, r)
	}
	if results[0].Trace.Hash != results[1].Trace.Hash {
		t.Errorf("%s: one seed, two traces; they part at\n%s", test, parting(t, one, two))
	}
	return results
}

// parting is the first line in which two files differ, and what comes before.
func parting(t *testing.T, one, two string) []byte {
	t.Helper()
	x, err1 := os.ReadFile(one)
	y, err2 := os.ReadFile(two)
	if err := cmp.Or(err1, err2); err != nil {
		t.Fatal(err)
	}
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	line := func(b []byte) []byte {
		before := max(bytes.LastIndexByte(b[:n], '\n')-1000, 0)
		end, _, _ := bytes.Cut(b[n:], []byte("\n"))
		return b[before : n+len(end)]
	}
	return fmt.Appendf(nil, "%s\nand\n%s", line(x), line(y))
}

// resident is a node that lives at a place.
type resident struct {
	place day.Place
	front *meshtest.Front
	stop  context.CancelFunc
	done  chan error
}

func startPlace(p day.Place) (day.Node, error) {
	n := &resident{place: p, done: make(chan error, 1)}
	numbers := map[netip.Addr]int{}
	m := &landfall.Map{Network: "day", Serial: 1}
	for i, peer := range p.Peers {
		id := landfall.NodeID(peer.Region.Name)
		addr := landfall.MeshAddr(m.Network, id)
		numbers[addr] = i
		m.Nodes = append(m.Nodes, landfall.Node{
			ID: id, Key: privateKey(peer.Seed).Public(), Endpoints: []netip.AddrPort{peer.Addr}, Mesh: addr,
		})
	}
	n.front = meshtest.NewFront(func(b []byte) {
		if body, ok := meshtest.Body(b); ok {
			p.Got(numbers[netip.AddrFrom16([16]byte(b[8:24]))], body)
		}
	})
	node, err := mesh.New(mesh.Config{
		Self: landfall.NodeID(p.Region.Name), Network: m.Network, Key: privateKey(p.Peers[p.Number].Seed),
		Conns: []net.PacketConn{p.Conn}, Packets: n.front,
	})
	if err != nil {
		return nil, err
	}
	node.SetMap(m)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() { n.done <- node.Run(ctx) }()
	return n, nil
}

// Send implements day.Node.
func (n *resident) Send(to int, message []byte) error {
	p := n.place
	address := func(i int) netip.Addr {
		return landfall.MeshAddr("day", landfall.NodeID(p.Peers[i].Region.Name))
	}
	if !n.front.Send(meshtest.Packet(address(p.Number), address(to), landfall.Interactive, message)) {
		return errors.New("the front is full")
	}
	return nil
}

// Close implements day.Node.
func (n *resident) Close() error {
	n.stop()
	return <-n.done
}
