package edge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/edge/room"
	"landfall/edge/route"
)

// What a client of plain HTTP may cost us.
const (
	redirectTimeout = 10 * time.Second // for a whole connection: one request, one answer
	redirectHeader  = 16 << 10
	redirectAge     = "max-age=3600" // 308 may be kept for ever, which nobody could take back
)

// RedirectConfig is what a Redirect needs.
type RedirectConfig struct {
	Self landfall.NodeID // said in logs
	Log  *slog.Logger    // nil discards
	// Health answers HealthPath, for probes in clear text; nil: who asks for it
	// is sent on like others.
	Health http.Handler
	// Connections is how many may be open; 0 means room.Plan.Redirects.
	Connections int
}

// Redirect answers plain HTTP. It sends whoever asks for a host of the map to
// the same address over HTTPS, with 308 Permanent Redirect (RFC 9110,
// 15.4.9), which keeps the method and the body; all others get 421. HealthPath
// it answers itself where the configuration says how.
type Redirect struct {
	cfg    RedirectConfig
	log    *slog.Logger
	guests guests
	count  struct{ sent, misdirected, refused, unaccepted atomic.Uint64 }
	sites  atomic.Pointer[sites]
}

// sites is what a Redirect knows of the map.
type sites struct {
	table *route.Table
	port  string // of HTTPS, with its colon; empty if it is the usual one
}

// NewRedirect checks the configuration. Until the first SetMap no host is
// known.
func NewRedirect(cfg RedirectConfig) (*Redirect, error) {
	if cfg.Connections < 0 {
		return nil, fmt.Errorf("edge: %d connections for plain HTTP (want a positive number, or 0 for the default)", cfg.Connections)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Connections == 0 {
		cfg.Connections = room.Here().Redirects
	}
	r := &Redirect{cfg: cfg, log: cfg.Log.With("node", cfg.Self)}
	r.guests.init(cfg.Connections)
	r.SetMap(&landfall.Map{})
	return r, nil
}

// SetMap replaces the network that is sent to.
func (r *Redirect) SetMap(m *landfall.Map) {
	next := &sites{table: route.New(m)}
	if p := m.Ports.EffectiveHTTPS(); p != 443 {
		next.port = ":" + strconv.Itoa(int(p))
	}
	r.sites.Store(next)
}

// Run serves the listeners until ctx ends. It closes them, and returns early
// only if one of them breaks.
func (r *Redirect) Run(ctx context.Context, listeners ...net.Listener) error {
	srv := &http.Server{
		Handler:                      r,
		ReadTimeout:                  redirectTimeout,
		WriteTimeout:                 redirectTimeout,
		MaxHeaderBytes:               redirectHeader,
		ConnState:                    r.track,
		ErrorLog:                     slog.NewLogLogger(r.cfg.Log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true,
	}
	srv.SetKeepAlivesEnabled(false) // the next request goes elsewhere
	var serving sync.WaitGroup
	broken := make(chan error, len(listeners))
	for _, l := range listeners {
		serving.Go(func() {
			in := &listener{Listener: l, guests: &r.guests, errors: &r.count.unaccepted, log: r.log}
			if err := srv.Serve(in); !errors.Is(err, http.ErrServerClosed) {
				broken <- fmt.Errorf("edge: accept on %s: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	grace, over := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer over()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	serving.Wait()
	r.guests.serve.Wait()
	return err
}

// track is the http.Server's ConnState.
func (r *Redirect) track(nc net.Conn, s http.ConnState) {
	if s == http.StateNew {
		r.guests.serve.Add(1)
	}
	r.guests.track(nc, s)
}

// ServeHTTP implements http.Handler. It sends to a host of the map, and to a
// path that begins with a slash, so that nobody gets to where the map does not
// say.
func (r *Redirect) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	to := r.sites.Load()
	host, ok := route.Host(q.Host)
	_, known := to.table.Find(host)
	path := cmp.Or(q.URL.EscapedPath(), "/")
	query := ""
	if q.URL.RawQuery != "" {
		query = "?" + q.URL.RawQuery
	}
	switch {
	case q.Method == http.MethodConnect, q.Method == http.MethodTrace:
		r.count.refused.Add(1)
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") // RFC 9110, 15.5.6
		http.Error(w, "This method is not for servers like this one.", http.StatusMethodNotAllowed)
	case !wellFormed(q, "http"), path[0] != '/':
		r.count.refused.Add(1)
		http.Error(w, "The method or the target of the request has an unusual form.", http.StatusBadRequest)
	case r.cfg.Health != nil && q.URL.Path == HealthPath:
		r.cfg.Health.ServeHTTP(w, q)
	case !ok || !known:
		r.count.misdirected.Add(1)
		http.Error(w, "This host is not served here.", http.StatusMisdirectedRequest)
	default:
		r.count.sent.Add(1)
		w.Header().Set("Cache-Control", redirectAge)
		w.Header().Set("Location", "https://"+host+to.port+path+query)
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}

// RedirectStats are the counts of a Redirect.
type RedirectStats struct {
	Connections int64  `metric:"connections_open" help:"Connections of clients."`
	Accepted    uint64 `metric:"connections_total" help:"Connections accepted."`
	Shed        uint64 `metric:"connections_shed_total" help:"Idle connections closed to make room."`
	Turned      uint64 `metric:"connections_refused_total" help:"Connections closed at once because their address had its share."`
	Unaccepted  uint64 `metric:"accept_errors_total" help:"Errors of listeners, such as too many open files."`
	Sent        uint64 `metric:"redirects_total" help:"Requests sent to HTTPS."`
	Misdirected uint64 `metric:"misdirected_total" help:"Requests answered 421."`
	Refused     uint64 `metric:"requests_refused_total" help:"Requests answered 400 or 405."`
}

// Stats returns the counts so far.
func (r *Redirect) Stats() RedirectStats {
	return RedirectStats{
		Connections: int64(r.guests.open()),
		Accepted:    r.guests.total.Load(),
		Shed:        r.guests.shed.Load(),
		Turned:      r.guests.turned.Load(),
		Unaccepted:  r.count.unaccepted.Load(),
		Sent:        r.count.sent.Load(),
		Misdirected: r.count.misdirected.Load(),
		Refused:     r.count.refused.Load(),
	}
}
