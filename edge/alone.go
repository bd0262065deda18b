package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"landfall"
	"landfall/edge/forward"
)

// AloneConfig is what an Alone needs.
type AloneConfig struct {
	Self      landfall.NodeID // said in headers; empty means "edge"
	Cert, Key string          // PEM files; they are read again when they change
	Upstream  *url.URL        // http or https, a host and perhaps a port, no path
	Log       *slog.Logger    // nil discards
	Grace     time.Duration   // see Config.Grace
}

// Alone is an edge without a network: every host of one certificate goes to
// one upstream.
type Alone struct {
	server *Server
	files  *files
	cfg    AloneConfig
}

// NewAlone checks the configuration and reads the certificate.
func NewAlone(cfg AloneConfig) (*Alone, error) {
	if cfg.Self == "" {
		cfg.Self = "edge"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Cert == "" || cfg.Key == "" {
		return nil, errors.New("edge: a certificate and a key are needed (two PEM files)")
	}
	dialer, err := newUpstreamDialer(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	a := &Alone{cfg: cfg, files: &files{cert: cfg.Cert, key: cfg.Key, log: cfg.Log}}
	if err := a.files.load(); err != nil {
		return nil, err
	}
	a.server, err = New(Config{
		Self: cfg.Self, Certificates: a.files, Dialer: dialer, Between: forward.Origin, Log: cfg.Log, Grace: cfg.Grace,
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Run serves until ctx ends, as Server.Run does.
func (a *Alone) Run(ctx context.Context, listeners ...net.Listener) error {
	a.server.SetMap(a.network())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop() // also when a listener broke
	watching.Go(func() {
		a.files.watch(ctx, func() { a.server.SetMap(a.network()) })
	})
	return a.server.Run(ctx, listeners...)
}

// Stats returns the counts so far.
func (a *Alone) Stats() Stats { return a.server.Stats() }

// network is a map of this node alone.
func (a *Alone) network() *landfall.Map {
	m := &landfall.Map{
		Network: "alone",
		Serial:  1,
		Regions: []landfall.Region{{ID: "here", Home: true}},
		Nodes:   []landfall.Node{{ID: a.cfg.Self, Region: "here", Roles: []landfall.Role{landfall.RoleOrigin, landfall.RoleEdge}}},
	}
	for _, host := range a.files.hosts() {
		m.Services = append(m.Services, landfall.Service{Host: landfall.CanonicalHost(host), Upstream: a.cfg.Upstream.String()})
	}
	return m
}

// upstreamDialer reaches one upstream, whatever the target.
type upstreamDialer struct {
	address string
	tls     *tls.Config // nil: plain
}

func newUpstreamDialer(u *url.URL) (*upstreamDialer, error) {
	if u == nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("edge: upstream %v is no HTTP URL (want one such as http://127.0.0.1:3000)", u)
	}
	if u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("edge: upstream %s has more than a host and a port", u.Redacted())
	}
	d := &upstreamDialer{address: net.JoinHostPort(u.Hostname(), portOf(u))}
	if u.Scheme == "https" {
		d.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	return d, nil
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// Dial implements Dialer.
func (d *upstreamDialer) Dial(ctx context.Context, _ landfall.Target) (net.Conn, error) {
	if d.tls != nil {
		return new(tls.Dialer{Config: d.tls}).DialContext(ctx, "tcp", d.address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", d.address)
}
