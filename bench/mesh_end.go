package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/bench/peers"
	"landfall/mesh"
)

// meshEnd is the argument that makes this program one end of a path.
const meshEnd = "mesh-end"

// The kinds of ends. One with a stack of its own has its load in its process;
// one behind a device leaves it to an end without a tunnel in the same namespace.
const (
	noTunnel     = "no tunnel" // the kernel's TCP, nothing else
	ourTUN       = "landfall, tun"
	ourNetstack  = "landfall, netstack"
	itsTUN       = "wireguard-go, tun"
	itsNetstack  = "wireguard-go, netstack"
	meshNetwork  = "bench"
	meshPort     = 51820
	loadPort     = 5201
	tunnelDevice = "tunnel"
)

// endConfig says which end it is.
type endConfig struct {
	Kind    string
	Self    int           // 0 or 1
	Wire    []netip.Addr  // addresses of both ends, outside
	Inside  bool          // the load of an end without a tunnel goes through another's, not past it
	Control string        // congestion control of the kernel's TCP
	Profile string        // a file for where its processor time goes
	Both    bool          // both ends of upstream's keep the path alive, not the first alone
	Crowd   int           // how many others each knows, or how many ends it is; 0 is the one
	Patient time.Duration // landfall's Timeout
}

// endKey is the key of an end: nobody keeps secrets here.
func endKey(name string) landfall.PrivateKey {
	sum := sha256.Sum256([]byte(name))
	k, err := landfall.ParsePrivateKey("wg-key:" + base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		panic(err) // 32 bytes are always a key
	}
	return k
}

func endName(i int) landfall.NodeID { return landfall.NodeID(fmt.Sprint("node", i)) }

// inside is the address of an end in the tunnel.
func inside(i int) netip.Addr { return landfall.MeshAddr(meshNetwork, endName(i)) }

// end is one that runs.
type end struct {
	endConfig
	dial   func(context.Context) (net.Conn, error)
	listen func() (net.Listener, error)
	stop   func() error
	got    atomic.Int64 // bytes of bulk
}

// serveEnd is such an end, told what to do line by line.
func serveEnd(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var e end
	if err := json.Unmarshal([]byte(strings.Join(args, " ")), &e.endConfig); err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	for orders := json.NewDecoder(in); ; {
		var o order
		err := orders.Decode(&o)
		if errors.Is(err, io.EOF) {
			return e.close()
		}
		if err != nil {
			return errors.Join(err, e.close())
		}
		a, err := e.obey(ctx, o)
		if err != nil {
			a.Err = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return errors.Join(err, e.close())
		}
	}
}

// order is what an end is told.
type order struct {
	Do  string // open, serve, bulk, ping, look, first
	For time.Duration
}

// seen is what it answers.
type seen struct {
	Err        string
	At         time.Time
	CPU        time.Duration // of the process, so far
	Got        int64         // bytes of bulk, so far
	Heap       uint64        // bytes in use, after two collections
	Stacks     uint64        // bytes
	Goroutines int
	Wire       wireCount       // so far
	Took       []time.Duration // of round trips
}

func (e *end) obey(ctx context.Context, o order) (a seen, err error) {
	switch o.Do {
	case "open":
		err = e.open(ctx)
	case "serve":
		err = e.serve()
	case "bulk":
		err = e.bulk(ctx, o.For)
	case "ping":
		a.Took, err = e.ping(ctx, o.For)
	case "settle":
		runtime.GC()
		runtime.GC() // what pools hold is gone after the second
	case "look":
		a, err = e.look()
	default:
		err = fmt.Errorf("an end cannot %q", o.Do)
	}
	return a, err
}

func (e *end) look() (seen, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w, err := countWire()
	return seen{At: time.Now(), CPU: busy(), Got: e.got.Load(), Heap: m.HeapAlloc, Stacks: m.StackInuse,
		Goroutines: runtime.NumGoroutine(), Wire: w}, err
}

// open brings the end up.
func (e *end) open(ctx context.Context) (err error) {
	e.stop = func() error { return nil }
	if e.Profile != "" {
		f, err := os.Create(e.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer func() {
			was := e.stop
			e.stop = func() error { pprof.StopCPUProfile(); return errors.Join(f.Close(), was()) }
		}()
	}
	switch e.Kind {
	case noTunnel:
		e.openBare()
	case ourTUN:
		return e.openOurs(mesh.FrontTUN)
	case ourNetstack:
		return e.openOurs(mesh.FrontNetstack)
	case itsTUN, itsNetstack:
		return e.openTheirs(ctx)
	default:
		err = fmt.Errorf("there is no end %q", e.Kind)
	}
	return err
}

func (e *end) close() error {
	if e.stop == nil {
		return nil
	}
	return e.stop()
}

// openBare uses the kernel's TCP, through the tunnel or past it.
func (e *end) openBare() {
	at := func(i int) netip.Addr { return e.Wire[i] }
	if e.Inside {
		at = inside
	}
	lc, d := net.ListenConfig{Control: congestion(e.Control)}, net.Dialer{Control: congestion(e.Control)}
	e.listen = func() (net.Listener, error) {
		return lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(at(e.Self), loadPort).String())
	}
	e.dial = func(ctx context.Context) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", netip.AddrPortFrom(at(1-e.Self), loadPort).String())
	}
}

// openOurs joins the mesh.
func (e *end) openOurs(front string) error {
	m, stop, err := e.join(e.Self, meshMap(e.Wire), front)
	if err != nil {
		return err
	}
	e.stop = stop
	e.listen = func() (net.Listener, error) { return m.Listen(landfall.MeshHTTP) }
	e.dial = func(ctx context.Context) (net.Conn, error) {
		return m.Dial(ctx, landfall.Target{Node: endName(1 - e.Self), Service: landfall.MeshHTTP})
	}
	return nil
}

// meshMap is a network of ends at these addresses.
func meshMap(wire []netip.Addr) *landfall.Map {
	m := &landfall.Map{Network: meshNetwork, Serial: 1}
	for i, a := range wire {
		m.Nodes = append(m.Nodes, meshNode(i, netip.AddrPortFrom(a, meshPort)))
	}
	return m
}

func meshNode(i int, at netip.AddrPort) landfall.Node {
	return landfall.Node{
		ID: endName(i), Key: endKey(string(endName(i))).Public(), Endpoints: []netip.AddrPort{at}, Mesh: inside(i),
	}
}

// join runs a node of a map.
func (e *end) join(i int, m *landfall.Map, front string) (*mesh.Mesh, func() error, error) {
	me, _ := m.Node(endName(i))
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(me.Endpoints[0]))
	if err != nil {
		return nil, nil, err
	}
	node, err := mesh.New(mesh.Config{
		Self: me.ID, Network: meshNetwork, Key: endKey(string(me.ID)), Conns: []net.PacketConn{conn}, Front: front, Timeout: e.Patient,
	})
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	node.SetMap(m)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	return node, func() error { cancel(); return <-done }, nil
}

// openTheirs runs upstream's device.
func (e *end) openTheirs(ctx context.Context) (err error) {
	other := peers.TunnelPeer{
		Key: endKey(string(endName(1 - e.Self))).Public(), Addr: inside(1 - e.Self),
		Endpoint: netip.AddrPortFrom(e.Wire[1-e.Self], meshPort),
	}
	if e.Both || e.Self == 0 {
		other.Keepalive = 25 // as its manual has it
	}
	t := peers.Tunnel{Key: endKey(string(endName(e.Self))), Listen: meshPort, Addr: inside(e.Self), Peers: []peers.TunnelPeer{other}}
	var stop func()
	defer func() {
		if err == nil {
			e.stop = func() error { stop(); return nil }
		}
	}()
	if e.Kind == itsTUN {
		stop, err = t.Kernel(ctx, tunnelDevice)
		return err
	}
	stack, stop, err := t.Netstack()
	if err != nil {
		return err
	}
	e.listen = func() (net.Listener, error) {
		return stack.ListenTCPAddrPort(netip.AddrPortFrom(inside(e.Self), loadPort))
	}
	e.dial = func(ctx context.Context) (net.Conn, error) {
		return stack.DialContextTCPAddrPort(ctx, netip.AddrPortFrom(inside(1-e.Self), loadPort))
	}
	return nil
}
