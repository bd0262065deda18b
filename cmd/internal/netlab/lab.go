package netlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"landfall/mesh/wan"
)

// Lab is a set of hosts with an internet between them. Its methods and those
// of its hosts are for several goroutines, until Close.
type Lab struct {
	config  Config
	log     *slog.Logger
	carrier Carrier
	router  *room
	ports   int // of the router
	boxes   []*room
	hosts   map[string]*Host
}

// Open builds what the config says, or nothing at all. The context bounds the
// building only.
func Open(ctx context.Context, c Config) (*Lab, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	c.Dir = dir
	l := &Lab{config: c, log: c.Log, hosts: map[string]*Host{}}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open lab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(l.config.Dir, "log"), 0o755); err != nil {
		return err
	}
	if err := l.makeRouter(ctx); err != nil {
		return err
	}
	for _, link := range l.config.Links {
		if err := l.Connect(link.A, link.B, link.Link); err != nil {
			return err
		}
	}
	for _, s := range l.config.Hosts {
		if err := l.addHost(ctx, s); err != nil {
			return err
		}
	}
	return l.setNATs()
}

// setNATs tells the router which hosts share a NAT.
func (l *Lab) setNATs() error {
	inside := map[netip.Addr][]netip.Addr{}
	for _, s := range l.config.Hosts {
		if s.NAT != nil {
			inside[s.Addresses[0]] = append(inside[s.Addresses[0]], s.Inside)
		}
	}
	for _, s := range l.config.Hosts {
		if s.NAT == nil || inside[s.Addresses[0]] == nil {
			continue
		}
		n := *s.NAT
		n.Public = s.Addresses[0]
		if err := l.carrier.SetNAT(n, inside[n.Public]...); err != nil {
			return fmt.Errorf("host %s: %w", s.Name, err)
		}
		delete(inside, n.Public)
	}
	return nil
}

func (l *Lab) addHost(ctx context.Context, s Server) error {
	r, err := newRoom(s.Name)
	if err != nil {
		return err
	}
	h := &Host{Server: s, room: r, lab: l, dir: filepath.Join(l.config.Dir, s.Name)}
	l.hosts[s.Name] = h
	if err := h.furnish(); err != nil {
		return fmt.Errorf("host %s: %w", s.Name, err)
	}
	for _, a := range s.Addresses {
		if err := l.carrier.SetSite(a, s.Place); err != nil {
			return err
		}
	}
	if err := l.wire(ctx, h); err != nil {
		return err
	}
	if s.Firewall == nil {
		return nil
	}
	return r.nft(ctx, s.Firewall.rules())
}

// Host is the host of a name that the config has; of another it is nil.
func (l *Lab) Host(name string) *Host { return l.hosts[name] }

// WAN is the internet between the hosts, if this process carries it, to change
// links and to cut them; else it is nil.
func (l *Lab) WAN() *wan.Network {
	if c, ok := l.carrier.(*inProcess); ok {
		return c.Network
	}
	return nil
}

// Carrier is what carries packets, to change links and to measure phases.
func (l *Lab) Carrier() Carrier { return l.carrier }

// Connect makes the link between two places the same in both directions.
func (l *Lab) Connect(a, b wan.Site, link wan.Link) error {
	return errors.Join(l.carrier.SetLink(a, b, link), l.carrier.SetLink(b, a, link))
}

// Dir is where hosts' files are, by the hosts' names, and in log what their
// programs print.
func (l *Lab) Dir() string { return l.config.Dir }

// Close kills what runs on the hosts and removes them; files stay. It returns
// when all of it is gone.
func (l *Lab) Close() error {
	var faults []error
	for _, h := range l.hosts {
		faults = append(faults, h.empty())
	}
	if l.carrier != nil {
		faults = append(faults, l.carrier.Close())
	}
	for _, h := range l.hosts {
		h.room.close()
	}
	for _, r := range l.boxes {
		r.close()
	}
	if l.router != nil {
		l.router.close()
	}
	l.hosts, l.boxes, l.router, l.carrier = nil, nil, nil, nil
	return errors.Join(faults...)
}

// Trust makes programs on all hosts that start from now on trust a
// certificate authority, given in PEM, as if it came with the system.
func (l *Lab) Trust(pem []byte) error {
	for _, h := range l.hosts {
		if err := h.trust(pem); err != nil {
			return fmt.Errorf("host %s: trust: %w", h.Name, err)
		}
	}
	return nil
}

// appendTo adds to a file that is there.
func appendTo(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// tail is the end of a file, for people.
func tail(path string, size int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, err = f.Seek(max(0, end-size), io.SeekStart)
		if err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
