package challenge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"landfall"
)

// How long the parts of a question may take. One that is lost leaves time for
// another before Silence is over.
const (
	dialTime = 2 * time.Second
	slack    = 2 * time.Second // for the way there and back, on top of hold
)

// How questions that fail are spaced: from pauseFirst, doubling.
const (
	pauseFirst = 50 * time.Millisecond
	pauseMost  = time.Second
)

// ClientConfig is what a Client is made of.
type ClientConfig struct {
	// Dial reaches the challenges of a node with the origin role. Required.
	Dial func(ctx context.Context, node landfall.NodeID) (net.Conn, error)
	// Apply is given each new set; when it returns, the set is served. It is
	// called by one goroutine at a time, as is Unknown. Required.
	Apply func(txt map[string][]string)
	// Unknown is called when nobody can tell any more which challenges there
	// are, until the next Apply. It is so at the start, when it is not
	// called. Required.
	Unknown func()
	// Log hears of silence and its end; nil discards it.
	Log *slog.Logger
}

// Client keeps a name server's challenges those of the issuer.
type Client struct {
	cfg  ClientConfig
	http *http.Transport

	origins atomic.Pointer[[]landfall.NodeID]
	mapped  chan struct{} // has an element once SetMap was called since it was looked at

	// Of the goroutine of Run.
	have  mark      // of the set applied; zero: unknown
	fresh time.Time // until when have is good
	lost  bool      // have was good once

	known           atomic.Int64
	answered, wrong atomic.Uint64
	expired         atomic.Uint64
}

// NewClient checks the configuration.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Dial == nil || cfg.Apply == nil || cfg.Unknown == nil {
		return nil, errors.New("challenges: Dial, Apply and Unknown are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, mapped: make(chan struct{}, 1)}
	c.http = &http.Transport{
		DialContext:            c.dial,
		DisableCompression:     true,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
	}
	return c, nil
}

// SetMap makes the origins of m those that are asked, in their order.
func (c *Client) SetMap(m *landfall.Map) {
	var ids []landfall.NodeID
	for _, n := range m.Origins() {
		ids = append(ids, n.ID)
	}
	c.origins.Store(&ids)
	select {
	case c.mapped <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	defer c.http.CloseIdleConnections()
	pause := pauseFirst
	for ctx.Err() == nil {
		limited, cancel := c.limit(ctx)
		if err := c.ask(limited); err == nil {
			pause = pauseFirst
		} else {
			c.wrong.Add(1)
			c.cfg.Log.Debug("no challenges", "err", err)
			c.rest(limited, pause)
			pause = min(2*pause, pauseMost)
		}
		cancel()
		if ctx.Err() == nil {
			c.expire()
		}
	}
	return nil
}

// limit ends a context when what is known becomes too old.
func (c *Client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.have == (mark{}) {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, c.fresh)
}

func (c *Client) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.mapped:
	case <-ctx.Done():
	}
}

// expire forgets what has become too old.
func (c *Client) expire() {
	if c.have == (mark{}) || time.Now().Before(c.fresh) {
		return
	}
	c.cfg.Unknown()
	c.have, c.lost = mark{}, true
	c.known.Store(0)
	c.expired.Add(1)
	c.cfg.Log.Warn("the issuer is silent: questions for challenges get SERVFAIL until it is back")
}

// ask asks one origin after the other until one answers.
func (c *Client) ask(ctx context.Context) error {
	origins := c.origins.Load()
	if origins == nil || len(*origins) == 0 {
		return errors.New("no origin to ask")
	}
	var errs error
	for _, id := range *origins {
		err := c.askOne(ctx, id)
		if err == nil {
			return nil
		}
		errs = errors.Join(errs, fmt.Errorf("challenges from %s: %w", id, err))
	}
	return errs
}

// askOne asks a node and takes its answer. An answer without news that comes
// too early is an error: whoever gives those would be asked without end.
func (c *Client) askOne(ctx context.Context, id landfall.NodeID) error {
	asked := time.Now()
	a, err := c.fetch(ctx, id)
	if err != nil {
		return err
	}
	now := time.Now()
	fresh := a.freshUntil(asked, now)
	if !now.Before(fresh) {
		return fmt.Errorf("the answer was on its way for %v", now.Sub(asked))
	}
	c.answered.Add(1)
	c.fresh = fresh
	if a.mark() != c.have {
		c.take(a)
	} else if now.Sub(asked) < hold/2 {
		return errors.New("said too soon that there is no news")
	}
	return nil
}

func (c *Client) take(a answer) {
	c.cfg.Apply(a.TXT)
	c.have = a.mark()
	c.known.Store(1)
	c.cfg.Log.Debug("challenges", "names", len(a.TXT))
	if c.lost {
		c.lost = false
		c.cfg.Log.Info("the issuer is back")
	}
}

// fetch gets one answer.
func (c *Client) fetch(ctx context.Context, id landfall.NodeID) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, hold+slack)
	defer cancel()
	u := url.URL{Scheme: "http", Host: string(id), Path: path, RawQuery: c.have.query().Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("answered %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	return parseAnswer(b)
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

// ClientStats are the figures of a Client since its start.
type ClientStats struct {
	Known   int64             `metric:"known" help:"1 while the issuer is in touch; else questions for challenges get SERVFAIL."`
	Asked   map[string]uint64 `metric:"questions_total" label:"result" help:"Questions to the origin, answered or failed."`
	Expired uint64            `metric:"expired_total" help:"Times that the issuer was silent for too long."`
}

// Stats tells the figures.
func (c *Client) Stats() ClientStats {
	return ClientStats{
		Known:   c.known.Load(),
		Asked:   map[string]uint64{"answered": c.answered.Load(), "failed": c.wrong.Load()},
		Expired: c.expired.Load(),
	}
}
