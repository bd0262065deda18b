package node

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/geodns"
)

// figuresEvery is how old the figures are, at least, that a rate begins at; at
// most twice as old.
const figuresEvery = 10 * time.Second

// figures tell how a name server fares of late.
type figures struct {
	stats func() geodns.Stats

	mu   sync.Mutex
	seen [2]reading // the one before, and the last
}

// reading is what the figures were at a moment.
type reading struct {
	at time.Time
	geodns.Stats
}

// run looks at the figures now and then until ctx ends.
func (f *figures) run(ctx context.Context) {
	tick := time.NewTicker(figuresEvery)
	defer tick.Stop()
	for {
		f.look()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *figures) look() {
	now := reading{time.Now(), f.stats()}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[0], f.seen[1] = f.seen[1], now
}

// status is how it fares, since the one but last look.
func (f *figures) status() *admin.NameServer {
	now := reading{time.Now(), f.stats()}
	f.mu.Lock()
	was := f.seen[0]
	if was.at.IsZero() {
		was = f.seen[1]
	}
	f.mu.Unlock()
	out := &admin.NameServer{Serial: landfall.Serial(now.Serial)}
	if now.Issued > 0 {
		out.Issued = now.at.Add(-time.Duration(now.Issued * float64(time.Second)))
	}
	asked := sum(now.Queries) - sum(was.Queries)
	if took := now.at.Sub(was.at).Seconds(); took > 0 && !was.at.IsZero() {
		out.Rate = float64(asked) / took
	}
	share := func(n uint64) float64 { return float64(n) / float64(max(1, asked)) }
	out.Cookies = share(sum(now.Stats.Cookies) - sum(was.Stats.Cookies))
	out.Truncated = share(now.Truncated - was.Truncated)
	out.Limited = share(now.Limited - was.Limited)
	named := sum(now.Named) - sum(was.Named)
	for edge, n := range now.Named {
		if more := n - was.Named[edge]; more > 0 {
			out.Edges = append(out.Edges, admin.EdgeShare{Edge: landfall.NodeID(edge), Share: float64(more) / float64(named)})
		}
	}
	slices.SortFunc(out.Edges, func(a, b admin.EdgeShare) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Edge, b.Edge))
	})
	return out
}

func sum(all map[string]uint64) (n uint64) {
	for _, v := range all {
		n += v
	}
	return n
}

// listens names what a name server answers on, as udp://192.0.2.1:53; several
// sockets at one address are one.
func (cfg DNSConfig) listens() (out []string) {
	for _, c := range cfg.UDP {
		out = append(out, "udp://"+c.LocalAddr().String())
	}
	for _, kind := range []struct {
		scheme string
		all    []net.Listener
	}{{"tcp", cfg.TCP}, {"tls", cfg.TLS}, {"https", cfg.HTTPS}} {
		for _, l := range kind.all {
			out = append(out, kind.scheme+"://"+l.Addr().String())
		}
	}
	return slices.Compact(out)
}
