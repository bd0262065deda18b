package join

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

// Config is what a server that wants to join knows of itself.
type Config struct {
	Token Token

	// Key and Sealing are the public halves of keys that are on this server's
	// disk already: a join that breaks off is repeated with the same ones.
	Key     landfall.PublicKey
	Sealing landfall.SealingKey

	// Local are the addresses of this server's interfaces.
	Local []netip.Addr
	// Advertise are the addresses that users are told, exactly these; none
	// means those of the token, or else those that the control sees.
	Advertise []netip.Addr
	// WireGuardPort is where other nodes send datagrams, at each address.
	WireGuardPort uint16

	// Dial reaches the control; network is tcp4 or tcp6.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Narrow does so with smaller packets, and is tried where a connection
	// stands but nothing comes back over it; nil is no second try.
	Narrow func(ctx context.Context, network, address string) (net.Conn, error)

	Version  string           // of the program, for home's log
	Now      func() time.Time // nil is time.Now
	Progress func(string)     // hears what is going on, one sentence at a time; nil is nobody
}

// Result is what a server has once it is a node.
type Result struct {
	Doc   []byte // the signed map, for mapsync.Keep
	Map   *landfall.Map
	Self  landfall.Node
	Notes []string // what the operator should know of the addresses
}

// Join makes this server the node that its token names. It writes nothing to
// disk. Joining again with the same token and keys gives the same result
// again. Errors are a *Failure, other than those of a Config that lacks parts.
func Join(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	now := cfg.Now()
	if last := cfg.Token.Expires.Add(again + maxSkew); now.After(last) {
		return nil, fail(Refused, CodeExpired, "join %s: %s; if that is not the time now, set the clock right first; nothing was changed", cfg.Token.Node, expired(cfg.Token.Expires, now))
	}
	var why string
	if cfg.Advertise, why = cfg.told(); why != "" {
		return nil, fail(Refused, CodeAddress, "join %s: %s; nothing was changed", cfg.Token.Node, why)
	}
	cfg.Progress("calling the control at " + strings.Join(cfg.Token.Endpoints, ", "))
	calls, err := greet(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer hangUp(calls)
	if skew := calls[0].heard.Sub(calls[0].hello.Time); skew.Abs() > maxSkew {
		return nil, fail(Refused, CodeClock, "join %s: %s; nothing was changed", cfg.Token.Node, skewed(skew))
	}
	stand, err := settle(cfg, calls)
	if err != nil {
		return nil, err
	}
	for _, n := range stand.notes {
		cfg.Progress(n)
	}
	body, err := json.Marshal(cfg.request(stand))
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	cfg.Progress(fmt.Sprintf("proving the token to the control at %s", calls[0].endpoint))
	doc, err := calls[0].join(ctx, cfg.Token, body)
	if err != nil {
		return nil, err
	}
	return cfg.result(doc, stand)
}

// complete judges the configuration and fills in its defaults.
func (c *Config) complete() error {
	switch {
	case c.Token.secret == secret{}:
		return errors.New("no token")
	case c.Key.IsZero():
		return errors.New("no WireGuard key")
	case c.Sealing.IsZero():
		return errors.New("no sealing key")
	case c.Dial == nil:
		return errors.New("no way to dial")
	case len(c.Advertise) > maxAddresses:
		return fmt.Errorf("%d addresses are more than %d", len(c.Advertise), maxAddresses)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	var mu sync.Mutex
	tell := c.Progress
	c.Progress = func(s string) { // two families have news at the same time
		mu.Lock()
		defer mu.Unlock()
		tell(s)
	}
	return nil
}

// told are the addresses that users are to be told, none where they are to be
// found out; or why that cannot be.
func (c *Config) told() (all []netip.Addr, why string) {
	all, pinned := plain(c.Advertise), c.Token.Addresses
	switch {
	case len(pinned) == 0:
		return all, ""
	case len(all) > 0 && !sameAddresses(all, pinned):
		return nil, astray(pinned, all)
	}
	return pinned, ""
}

func (c *Config) request(s standing) request {
	return request{
		Network:    c.Token.Network,
		Node:       c.Token.Node,
		Time:       c.Now().UTC(),
		Version:    c.Version,
		Key:        c.Key,
		Sealing:    c.Sealing,
		Advertised: s.advertised,
		Bound:      s.bound,
		Endpoints:  s.endpoints(c.WireGuardPort),
	}
}

// result makes sure that the map says what it should.
func (c *Config) result(doc []byte, s standing) (*Result, error) {
	m, err := mapsync.Verify(doc, c.Token.Key)
	if err != nil {
		return nil, fail(Unreachable, "", "join %s: the map that the control answers with: %w: join again with the same token", c.Token.Node, err)
	}
	self, ok := m.Node(c.Token.Node)
	if m.Network != c.Token.Network || !ok || !self.Joined() || self.Key != c.Key {
		return nil, fail(Refused, CodeGone, "join %s: map serial %d of the network %q does not have this server as that node: make a new token with `landfall invite`", c.Token.Node, m.Serial, m.Network)
	}
	return &Result{doc, m, self, s.notes}, nil
}
