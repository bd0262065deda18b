package day

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landfall/mesh/wan"
)

// Config is what a day is made of.
type Config struct {
	Spec
	Start   func(Place) (Node, error) // called for each place in turn, half a second apart
	Pause   time.Duration             // between two messages of a node, in the mean; 0 is ten seconds
	Message int                       // bytes; 0 is 200
	Each    func(wan.Record)          // is told of each packet, if set; see wan.Memory.Tap
}

// Place is where a node lives.
type Place struct {
	Number int
	Region Region
	Conn   *wan.MemoryConn                // to talk to the other nodes; the node closes it
	Peers  []Peer                         // all places by their numbers, this one too
	Got    func(from int, message []byte) // to be told of each message; may be called from any goroutine
}

// Peer is another node as the map would name it.
type Peer struct {
	Region Region
	Addr   netip.AddrPort
	Seed   uint64 // for its keys; at a Place nobody keeps secrets
}

// Node is what lives at a Place.
type Node interface {
	// Send sends a message to the node of that number. It does not wait for
	// its arrival; an error counts as a message lost.
	Send(to int, message []byte) error
	Close() error
}

const (
	defaultPause   = 10 * time.Second
	defaultMessage = 200
	minMessage     = 8
	startGap       = 500 * time.Millisecond
	// quiet is how long the network is left alone at the end.
	quiet = 5 * time.Second
)

// Run lives through a day. It belongs in a testing/synctest bubble.
func Run(c Config) (Result, error) {
	c.Pause, c.Message = cmp.Or(c.Pause, defaultPause), max(cmp.Or(c.Message, defaultMessage), minMessage)
	d := &day{config: c, start: time.Now(), network: wan.New(c.Seed), regions: Regions(), pending: map[letter]time.Time{}}
	defer d.network.Close()
	memory, err := d.build()
	if err != nil {
		return Result{}, fmt.Errorf("a day: %w", err)
	}
	if c.Each != nil {
		memory.Tap(c.Each)
	}
	defer d.close()
	if err := d.open(memory); err != nil {
		return Result{}, fmt.Errorf("a day: %w", err)
	}
	var senders sync.WaitGroup
	for i := range d.nodes {
		senders.Go(func() { d.talk(i) })
	}
	senders.Wait()
	time.Sleep(time.Until(d.start.Add(c.Length)))
	return d.result(memory), nil
}

// day is one that goes on.
type day struct {
	config  Config
	start   time.Time
	network *wan.Network
	regions []Region
	nodes   []Node

	mu      sync.Mutex
	sent    uint64
	refused uint64
	wrong   uint64
	pending map[letter]time.Time // when each message was sent that has not arrived
	took    []time.Duration      // of each message that has
}

// letter is a message as its sender knows it.
type letter struct {
	from, to int
	number   uint64
}

// build makes the links and what will happen to them.
func (d *day) build() (*wan.Memory, error) {
	r := random(d.config.Seed)
	for i, a := range d.regions {
		for _, b := range d.regions[:i] {
			if err := d.network.Connect(site(a), site(b), fibre(r, a, b)); err != nil {
				return nil, err
			}
		}
	}
	if err := d.network.Schedule(d.start, weather(r, d.regions, d.config.Length)...); err != nil {
		return nil, err
	}
	m, err := d.network.Memory()
	if err != nil {
		return nil, err
	}
	for i, region := range d.regions {
		if n, translated := nat(i); translated {
			if err := m.SetNAT(site(region), n); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// open starts the nodes.
func (d *day) open(m *wan.Memory) error {
	var peers []Peer
	for i, r := range d.regions {
		_, public := addresses(i)
		peers = append(peers, Peer{r, public, d.config.Seed<<8 + uint64(i)})
	}
	for i, r := range d.regions {
		inside, _ := addresses(i)
		conn, err := m.Listen(inside, site(r))
		if err != nil {
			return err
		}
		n, err := d.config.Start(Place{
			Number: i, Region: r, Conn: conn, Peers: slices.Clone(peers),
			Got: func(from int, message []byte) { d.got(from, i, message) },
		})
		if err != nil {
			return fmt.Errorf("start node %s: %w", r.Name, err)
		}
		d.nodes = append(d.nodes, n)
		time.Sleep(startGap)
	}
	return nil
}

func (d *day) close() {
	for _, n := range d.nodes {
		n.Close()
	}
}

// talk sends one node's messages, at times that are its own.
func (d *day) talk(from int) {
	r := rand.New(rand.NewPCG(d.config.Seed, uint64(from)))
	end := d.start.Add(d.config.Length - quiet)
	for {
		time.Sleep(d.config.Pause/2 + time.Duration(r.Int64N(int64(d.config.Pause))))
		if !time.Now().Before(end) {
			return
		}
		to := r.IntN(len(d.nodes) - 1)
		if to >= from {
			to++
		}
		d.send(from, to)
	}
}

// send sends a message that is unlike all others.
func (d *day) send(from, to int) {
	d.mu.Lock()
	l := letter{from, to, d.sent}
	d.sent++
	d.pending[l] = time.Now()
	d.mu.Unlock()
	b := make([]byte, d.config.Message)
	binary.BigEndian.PutUint64(b, l.number)
	if err := d.nodes[from].Send(to, b); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.refused++
	}
}

// got is told of a message that arrived.
func (d *day) got(from, to int, message []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(message) != d.config.Message {
		d.wrong++
		return
	}
	l := letter{from, to, binary.BigEndian.Uint64(message)}
	sent, ok := d.pending[l]
	if !ok {
		d.wrong++
		return
	}
	delete(d.pending, l)
	d.took = append(d.took, time.Since(sent))
}
