package mapsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"landfall"
)

// How long questions wait for their answer, and how long we wait for it.
const (
	homeWait = 20 * time.Second // at the home region
	nextWait = 20 * time.Second // at our neighbour on the ring
	peerWait = 4 * time.Second  // at any one peer, and then at another
	dialTime = 3 * time.Second
	slack    = 4 * time.Second // for dial and round trip, on top of the wait
	bodyTime = 30 * time.Second
)

// askHome keeps one question open at the home region.
func (c *Client) askHome(ctx context.Context) {
	var b backoff
	silent := false
	for ctx.Err() == nil {
		nodes := c.homes()
		if len(nodes) == 0 {
			c.newest.wait(ctx, c.serial()) // until a map names some
			continue
		}
		by, err := c.askFirst(ctx, nodes, homeWait)
		if err == nil {
			c.home.Store(&by)
			c.heard.Store(time.Now().UnixNano())
			b.reset()
		}
		if was := silent; ctx.Err() == nil && was != (err != nil) {
			silent = err != nil
			c.logHome(silent, err)
		}
		if err != nil {
			b.wait(ctx)
		}
	}
}

// logHome says once that home fell silent, and once that it is back.
func (c *Client) logHome(silent bool, err error) {
	if silent {
		c.cfg.Log.Warn("home region does not answer; asking peers", "node", c.cfg.Self, "err", err)
		return
	}
	c.cfg.Log.Info("home region answers again", "node", c.cfg.Self)
}

// homes are the control nodes, the one that answered last first.
func (c *Client) homes() (out []landfall.NodeID) {
	for _, n := range c.Map().Origins() {
		if n.ID != c.cfg.Self {
			out = append(out, n.ID)
		}
	}
	if last := c.home.Load(); last != nil {
		if i := slices.Index(out, *last); i > 0 {
			out = slices.Concat(out[i:i+1], out[:i], out[i+1:])
		}
	}
	return out
}

// askFirst asks one after the other until one answers, and says which did.
func (c *Client) askFirst(ctx context.Context, nodes []landfall.NodeID, wait time.Duration) (by landfall.NodeID, err error) {
	for _, n := range nodes {
		one := c.ask(ctx, n, wait)
		if one == nil {
			return n, nil
		}
		err = errors.Join(err, one)
	}
	return "", err
}

// askNeighbour keeps one question open at the next node on the ring of all
// names that answers. So there is always somebody who hears at once what we
// hear, and news goes round even where home reaches only one of us.
func (c *Client) askNeighbour(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		ring := ring(c.peers(), c.cfg.Self)
		if len(ring) < 2 { // askPeers has its question open there
			c.newest.wait(ctx, c.serial())
			continue
		}
		if _, err := c.askFirst(ctx, ring, nextWait); err != nil {
			b.wait(ctx)
			continue
		}
		b.reset()
	}
}

// ring are the peers in the order of their names, those after ours first.
func ring(peers []landfall.NodeID, self landfall.NodeID) []landfall.NodeID {
	slices.Sort(peers)
	i, _ := slices.BinarySearch(peers, self)
	return slices.Concat(peers[i:], peers[:i])
}

// askPeers keeps one question open at a peer, each time another: a single
// node in reach that knows more is enough, whatever home says.
func (c *Client) askPeers(ctx context.Context) {
	var b backoff
	for ctx.Err() == nil {
		peers := c.peers()
		if len(peers) == 0 {
			c.newest.wait(ctx, c.serial())
			continue
		}
		n := peers[rand.IntN(len(peers))]
		if err := c.ask(ctx, n, peerWait); err != nil {
			c.cfg.Log.Debug("peer does not tell its map", "node", c.cfg.Self, "peer", n, "err", err)
			b.wait(ctx)
			continue
		}
		b.reset()
	}
}

// peers are all nodes but ourselves and the one we ask as home.
func (c *Client) peers() (out []landfall.NodeID) {
	var home landfall.NodeID
	if c.cfg.Local == nil {
		if homes := c.homes(); len(homes) > 0 {
			home = homes[0]
		}
	}
	for _, n := range c.Map().Nodes {
		if n.Joined() && n.ID != c.cfg.Self && n.ID != home {
			out = append(out, n.ID)
		}
	}
	return out
}

// ask asks a node for a newer map than ours and takes it. An answer that is
// no news, and an early one that there is none, are errors: whoever gives
// them would be asked without end.
func (c *Client) ask(ctx context.Context, node landfall.NodeID, wait time.Duration) error {
	start, after := time.Now(), c.serial()
	b, err := c.fetch(ctx, node, after, wait)
	switch {
	case err != nil:
		c.counts.failed.Add(1)
	case b == nil && time.Since(start) < wait/2:
		c.counts.failed.Add(1)
		err = errors.New("said too soon that there is no newer map")
	case b == nil:
		c.counts.nothing.Add(1)
	default:
		c.counts.maps.Add(1)
		err = c.accept(b, after)
	}
	if err != nil {
		return fmt.Errorf("map from %s: %w", node, err)
	}
	return nil
}

// fetch returns the document that a node has to offer, nil if it has nothing
// newer after the wait.
func (c *Client) fetch(ctx context.Context, node landfall.NodeID, after landfall.Serial, wait time.Duration) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(wait+slack, func() { cancel(fmt.Errorf("no answer for %v", wait+slack)) })
	defer timer.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, question(node, after, wait), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer resp.Body.Close()
	timer.Reset(bodyTime)
	switch resp.StatusCode {
	case http.StatusOK:
		b, err := io.ReadAll(io.LimitReader(resp.Body, MaxSize+1))
		return b, because(ctx, err)
	case http.StatusNoContent:
		return nil, nil
	}
	return nil, fmt.Errorf("answered %s", resp.Status)
}

func question(node landfall.NodeID, after landfall.Serial, wait time.Duration) string {
	q := url.Values{
		"after": {strconv.FormatUint(uint64(after), 10)},
		"wait":  {strconv.FormatFloat(wait.Seconds(), 'f', -1, 64)},
	}
	u := url.URL{Scheme: "http", Host: string(node), Path: "/map", RawQuery: q.Encode()}
	return u.String()
}

// because prefers our own reason for giving up to the transport's words.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// backoff spaces attempts: from 50 ms, doubling, to 2 s at most, each
// shortened by up to a half at random so that nodes do not march in step.
type backoff struct{ tries int }

func (b *backoff) reset() { b.tries = 0 }

func (b *backoff) wait(ctx context.Context) {
	const first, most = 50 * time.Millisecond, 2 * time.Second
	d := min(most, first<<min(b.tries, 10))
	b.tries++
	timer := time.NewTimer(d - rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
