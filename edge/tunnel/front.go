package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/edge/room"
)

// What a Front has patience for.
const (
	dialTimeout   = 5 * time.Second  // for an upstream
	headerTimeout = 10 * time.Second // for a header
	headless      = 256              // streams of one peer without a whole header: honest edges send it in one piece
)

// Config is what a Front needs.
type Config struct {
	Self landfall.NodeID // said in logs; may be empty
	Log  *slog.Logger    // nil discards
	// Dial reaches the hosts of the upstreams; nil means net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Streams is how many connections to upstreams may be open; 0 means
	// room.Plan's. Services and clients share them; quiet ones give way.
	Streams int
}

// Front is the home region's end of landfall.MeshTCP: it connects the streams
// that edges open to the upstreams of their services. It believes what edges
// say of clients: only the mesh may reach it.
type Front struct {
	cfg       Config
	upstreams atomic.Pointer[map[string]upstream]
	greeting  room.Shares[netip.Addr] // streams without a header, by peer
	places    hall                    // connections to upstreams
	crowded   room.Seldom
	full      room.Seldom
	traffic   Traffic
	tally     tally
}

// Why a stream is not carried, or no longer.
var (
	errStopping = errors.New("this node is stopping") // cuts what outlasts Serve's context
	errCrowded  = errors.New("too many streams of this peer have not said what they are for")
	errFull     = errors.New("the service or the client has its share of the connections to upstreams that this server may open")
)

// upstream is where the streams of one service go.
type upstream struct {
	url     string
	address string
	proxy   landfall.Proxy
}

// New checks the configuration. Until the first SetMap no service is known.
func New(cfg Config) (*Front, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Streams < 0 {
		return nil, fmt.Errorf("tunnel: %d connections to upstreams (want a positive number, or 0 for the default)", cfg.Streams)
	}
	f := &Front{cfg: cfg}
	f.greeting.All, f.greeting.Each = math.MaxInt32, headless
	f.places.all = cmp.Or(cfg.Streams, room.Here().Streams)
	f.upstreams.Store(&map[string]upstream{})
	return f, nil
}

// SetMap takes the upstreams from a map. Those that are no tcp://HOST:PORT
// are left out; landfall.Map.Check says which. Open streams stay as they are.
func (f *Front) SetMap(m *landfall.Map) {
	next := make(map[string]upstream)
	for _, s := range m.Services {
		u, err := url.Parse(s.Upstream)
		if s.Kind == landfall.TCP && err == nil && u.Scheme == "tcp" && u.Hostname() != "" && u.Port() != "" {
			next[s.Host] = upstream{s.Upstream, u.Host, s.EffectiveProxy()}
		}
	}
	f.upstreams.Store(&next)
}

// Serve accepts streams until ctx ends, then cuts those that are open and
// returns when nothing of them is left. It closes l, and returns early only
// if l breaks. Streams that edges hold ready, and that say nothing yet, are
// the listener's to keep: they are cut after ten seconds.
func (f *Front) Serve(ctx context.Context, l net.Listener) error {
	carry, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	var streams sync.WaitGroup
	defer streams.Wait()
	defer cut(errStopping)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			l.Close()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("tunnel: accept on %s: %w", l.Addr(), err)
		}
		streams.Go(func() { f.serve(carry, c) })
	}
}

// serve carries one stream from its header to its end.
func (f *Front) serve(ctx context.Context, c net.Conn) {
	h, err := f.greet(ctx, c)
	if err != nil {
		Abort(c)
		f.rejected(c, err)
		return
	}
	f.tally.streams.Add(1)
	f.tally.open.Add(1)
	defer f.tally.open.Add(-1)
	log := f.cfg.Log.With("node", f.cfg.Self, "service", h.Host, "request", h.ID)
	up, ok := (*f.upstreams.Load())[h.Host]
	if !ok {
		f.tally.unknown.Add(1)
		log.Warn("stream for a service that is not in the map", "remote", h.Client)
		f.refuse(ctx, c, unknown)
		return
	}
	place := f.places.take(h.Host, h.Client.Addr())
	if place == nil {
		f.unconnected(log.With("upstream", up.url, "client", h.Client.Addr()), errFull)
		f.refuse(ctx, c, unreachable)
		return
	}
	defer place.leave()
	to, err := f.dial(ctx, up, h)
	if err != nil {
		f.unconnected(log.With("upstream", up.url), err)
		f.refuse(ctx, c, unreachable)
		return
	}
	if _, err := c.Write([]byte{byte(accepted)}); err != nil {
		Abort(c)
		Abort(to)
		return
	}
	lull := place.follow(c, to)
	defer lull.End()
	if err := Splice(ctx, c, to, &f.traffic, lull.Stir); err != nil {
		f.ended(log.With("upstream", up.url), err)
	}
}

// greet reads the header.
func (f *Front) greet(ctx context.Context, c net.Conn) (Header, error) {
	at, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // those of no address are of one peer
	if !f.greeting.Take(at.Addr()) {
		return Header{}, errCrowded
	}
	defer f.greeting.Give(at.Addr())
	stop := context.AfterFunc(ctx, func() { Abort(c) })
	defer stop()
	if err := c.SetReadDeadline(time.Now().Add(headerTimeout)); err != nil {
		return Header{}, err
	}
	h, err := ReadHeader(c)
	if err != nil {
		return Header{}, err
	}
	return h, c.SetReadDeadline(time.Time{})
}

// dial connects to an upstream and tells it who the client is.
func (f *Front) dial(ctx context.Context, up upstream, h Header) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	to, err := f.cfg.Dial(ctx, "tcp", up.address)
	if err != nil || up.proxy == landfall.ProxyOff {
		return to, err
	}
	until, _ := ctx.Deadline()
	_ = to.SetWriteDeadline(until)
	if _, err := to.Write(h.Append(nil)); err != nil {
		to.Close()
		return nil, fmt.Errorf("send the PROXY header: %w", err)
	}
	return to, to.SetWriteDeadline(time.Time{})
}

// refuse says why there will be no stream. It waits for the edge to close it:
// a reset, which closing over unread octets would be, might overtake the
// verdict.
func (f *Front) refuse(ctx context.Context, c net.Conn, v verdict) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return
	}
	if _, err := c.Write([]byte{byte(v)}); err == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}
