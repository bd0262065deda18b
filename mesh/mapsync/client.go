package mapsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

// Config is what a Client is made of.
type Config struct {
	Self landfall.NodeID
	Key  landfall.MapKey // whose maps are taken

	// Bootstrap is the unsigned map that a node begins with: the network's
	// name, and the nodes to ask first. It is never served.
	Bootstrap *landfall.Map

	// Dial reaches the map service of another node.
	Dial func(ctx context.Context, node landfall.NodeID) (net.Conn, error)

	// Local is asked in place of the home region: the Store, at a control
	// node. nil elsewhere.
	Local Source

	// Cache is where the last good maps are kept; it stays the caller's to
	// close. nil keeps nothing: the node then cannot start alone.
	Cache *os.Root

	// Apply is given the map that the client starts from, the newest on
	// disk or else Bootstrap, and then each newer one, one call at a time.
	// Maps that were overtaken while Apply was busy are left out. nil is
	// allowed: see Watch.
	Apply func(*landfall.Map)

	Log *slog.Logger // nil is silent
}

// cached is how many maps are kept on disk.
const cached = 3

// Client keeps a node's map the newest there is. It is a Source: a Server
// over it lets peers learn from this node.
type Client struct {
	cfg    Config
	newest *newest
	http   *http.Transport

	home   atomic.Pointer[landfall.NodeID] // who answered last for the home region
	heard  atomic.Int64                    // when the home region answered last, UnixNano; 0 never
	counts counts
}

// New checks the configuration. It opens and asks nothing.
func New(cfg Config) (*Client, error) {
	switch {
	case cfg.Self == "":
		return nil, errors.New("map client: no node of its own")
	case cfg.Key == landfall.MapKey{}:
		return nil, errors.New("map client: no map key")
	case cfg.Bootstrap == nil || cfg.Bootstrap.Network == "":
		return nil, errors.New("map client: no bootstrap map with the network's name")
	case cfg.Dial == nil:
		return nil, errors.New("map client: no way to dial")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, newest: newNewest()}
	c.http = &http.Transport{
		DialContext:            c.dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        MaxWait,
		MaxResponseHeaderBytes: 16 << 10,
	}
	return c, nil
}

// Map is the newest map, or Bootstrap before there is one.
func (c *Client) Map() *landfall.Map {
	_, m := c.newest.get()
	return cmp.Or(m, c.cfg.Bootstrap)
}

// Newest is the newest map as it travels; the zero Signed before there is one.
func (c *Client) Newest() Signed {
	doc, _ := c.newest.get()
	return doc
}

// Watch implements Source.
func (c *Client) Watch(ctx context.Context, after landfall.Serial) (Signed, error) {
	doc, _, err := c.newest.wait(ctx, after)
	return doc, err
}

// Run starts from the disk and then follows the network until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	var work sync.WaitGroup
	if s, ok := c.shelf(); ok {
		c.start(s)
		onDisk := c.serial()
		work.Go(func() { c.keep(ctx, s, onDisk) })
	}
	work.Go(func() { c.apply(ctx) })
	work.Go(func() { c.askPeers(ctx) })
	work.Go(func() { c.askNeighbour(ctx) })
	if c.cfg.Local != nil {
		work.Go(func() { c.followLocal(ctx) })
	} else {
		work.Go(func() { c.askHome(ctx) })
	}
	work.Wait()
	c.http.CloseIdleConnections()
	return nil
}

// apply tells the owner of each map, and whom he starts with.
func (c *Client) apply(ctx context.Context) {
	if c.cfg.Apply == nil {
		return
	}
	doc, m := c.newest.get()
	c.cfg.Apply(cmp.Or(m, c.cfg.Bootstrap))
	for {
		var err error
		if doc, m, err = c.newest.wait(ctx, doc.Serial); err != nil {
			return
		}
		c.cfg.Apply(m)
	}
}

// followLocal takes the maps of this control node's own store.
func (c *Client) followLocal(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		after := c.serial()
		doc, err := c.cfg.Local.Watch(ctx, after)
		if err == nil {
			err = c.accept(doc.Bytes, after)
		}
		if err == nil {
			b.reset()
			c.heard.Store(time.Now().UnixNano())
			continue
		}
		if ctx.Err() == nil {
			c.cfg.Log.Error("map store", "node", c.cfg.Self, "err", err)
		}
		b.wait(ctx)
	}
}

func (c *Client) serial() landfall.Serial {
	doc, _ := c.newest.get()
	return doc.Serial
}

// accept takes a document if it is a newer map of this network; after is what
// was asked for. A map that we have got from elsewhere since is no fault.
func (c *Client) accept(b []byte, after landfall.Serial) error {
	m, err := Verify(b, c.cfg.Key)
	if err == nil {
		err = c.ours(m)
	}
	if err == nil && m.Serial <= after {
		err = refuse("older", "map serial %d is not newer than %d", m.Serial, after)
	}
	if err != nil {
		c.counts.refused(err)
		return err
	}
	if c.newest.set(Signed{m.Serial, b}, m) {
		c.counts.accepted.Add(1)
		c.cfg.Log.Info("new map", "node", c.cfg.Self, "serial", m.Serial)
	}
	return nil
}

// ours refuses the map of another network, whoever signed it.
func (c *Client) ours(m *landfall.Map) error {
	if m.Network != c.cfg.Bootstrap.Network {
		return refuse("network", "map serial %d is of the network %q, not %q", m.Serial, m.Network, c.cfg.Bootstrap.Network)
	}
	return nil
}

// Stats are a Client's counters.
type Stats struct {
	Serial   uint64            `metric:"serial" help:"Serial of the map in use; 0 before the first."`
	Age      float64           `metric:"age_seconds" help:"Time since the map in use was signed."`
	Heard    float64           `metric:"home_silent_seconds" help:"Time since the home region answered; -1 if it never did."`
	Accepted uint64            `metric:"accepted_total" help:"Newer maps taken."`
	Refused  map[string]uint64 `metric:"refused_total" label:"reason" help:"Maps refused."`
	Asked    map[string]uint64 `metric:"questions_total" label:"answer" help:"Questions to other nodes, by their answer."`
	Saved    map[string]uint64 `metric:"saved_total" label:"result" help:"Maps written to disk."`
}

// Stats returns the counters.
func (c *Client) Stats() Stats {
	s := c.counts.stats()
	now := time.Now()
	if doc, m := c.newest.get(); m != nil {
		s.Serial = uint64(doc.Serial)
		s.Age = now.Sub(m.Issued).Seconds()
	}
	s.Heard = -1
	if at := c.heard.Load(); at != 0 {
		s.Heard = now.Sub(time.Unix(0, at)).Seconds()
	}
	return s
}

// dial is the transport's: the host of the URL is the node.
func (c *Client) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	return c.cfg.Dial(ctx, landfall.NodeID(host))
}
