package main

import (
	"cmp"
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
	"landfall/mesh/front"
	"landfall/mesh/wan"
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
	Self    int          // 0 or 1
	Wire    []netip.Addr // addresses of both ends, outside
	Inside  bool         // the load of an end without a tunnel goes through another's, not past it
	Port    uint16       // of the load at an end without a tunnel; 0 is loadPort
	Control string       // congestion control of the kernel's TCP
	Profile string       // a file for where its processor time goes
	Both    bool         // both ends of upstream's keep the path alive, not the first alone
	Link    wan.Link     // of the ocean
	Full    bool         // whether all of a crowd know each other
	Crowd   int          // how many others the first end knows, all of them in one process; 0 is one, in a process like it
}

// endKey is the key of an end: nobody keeps secrets here.
func endKey(i int) landfall.PrivateKey {
	sum := sha256.Sum256([]byte(endName(i)))
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
	kept   net.Conn         // for mebibytes
	begin  func()           // a phase of the ocean
	finish func() wan.Phase // the one that was begun
	got    atomic.Int64     // bytes of bulk
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
	At         time.Time     // of the answer, or of the beginning of a start
	CPU        time.Duration // of the process, so far
	Got        int64         // bytes of bulk, so far
	Heap       uint64        // bytes in use, after two collections
	Stacks     uint64        // bytes
	Goroutines int
	Wire       wireCount       // so far
	Took       []time.Duration // of round trips
	Phase      wan.Phase       // of the ocean
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
	case "mib":
		took, e := e.mib(ctx)
		a.Took, err = []time.Duration{took}, e
	case "answer":
		a.At = time.Now()
		ready, e := e.answer(ctx)
		a.Took, err = []time.Duration{ready}, e
	case "ask":
		a.At = time.Now()
		took, e := e.ask(ctx)
		a.Took, err = []time.Duration{took}, e
	case "begin":
		e.begin()
	case "end":
		a.Phase = e.finish()
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
	case ocean:
		return e.openOcean()
	case ourCrowd:
		return e.openOurCrowd()
	case itsCrowd:
		return e.openTheirCrowd()
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
	port := cmp.Or(e.Port, loadPort)
	lc, d := net.ListenConfig{Control: congestion(e.Control)}, net.Dialer{Control: congestion(e.Control)}
	e.listen = func() (net.Listener, error) {
		return lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(at(e.Self), port).String())
	}
	e.dial = func(ctx context.Context) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", netip.AddrPortFrom(at(1-e.Self), port).String())
	}
}

// openOurs joins the mesh.
func (e *end) openOurs(name string) error {
	m, stop, err := e.join(e.Self, e.network(e.known()...), name, nil)
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

// join runs a node of a map, with a front of its own or with packets.
func (e *end) join(i int, m *landfall.Map, name string, packets front.Packets) (*mesh.Mesh, func() error, error) {
	conn, err := e.socket(i)
	if err != nil {
		return nil, nil, err
	}
	node, err := mesh.New(mesh.Config{
		Self: endName(i), Network: meshNetwork, Key: endKey(i), Conns: []net.PacketConn{conn}, Front: name, Packets: packets,
		Allow: []string{"all"}, // the load is another program
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
	t := peers.Tunnel{Key: endKey(e.Self), Listen: meshPort, Addr: inside(e.Self)}
	for _, i := range e.known() {
		if i == e.Self {
			continue
		}
		p := peers.TunnelPeer{Key: endKey(i).Public(), Addr: inside(i), Endpoint: e.place(i)}
		if e.Both || e.Self == 0 {
			p.Keepalive = 25 // as its manual has it
		}
		t.Peers = append(t.Peers, p)
	}
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
