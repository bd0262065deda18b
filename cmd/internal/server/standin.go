package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"landfall"
	"landfall/cmd/internal/node"
	"landfall/cmd/internal/systemd"
)

// standIn is a name server that answers while the process before ends and the
// node begins: two processes must never be one node of the mesh, and queries
// cannot wait. It answers by what is on disk, and by what the process before
// said of edges; it probes nothing and learns nothing.
type standIn struct {
	end   context.CancelFunc
	ended chan error
	keep  string // the directory with its copy of what was learnt
}

// standInDirs are the directories of stand-ins.
const standInDirs = "standin-*"

// sweep removes what stand-ins left that were killed. Nobody else is there.
func (s *server) sweep() error {
	dirs, err := filepath.Glob(filepath.Join(s.cfg.Dir, standInDirs))
	for _, d := range dirs {
		err = errors.Join(err, os.RemoveAll(d))
	}
	return err
}

// takeOver answers in the place of the process before, and returns when that
// has ended all else.
func (s *server) takeOver(ctx context.Context) error {
	var k known
	if err := s.legacy.Learn(&k); err != nil {
		return err
	}
	if len(s.held) > 0 {
		if err := s.standFor(ctx, k); err != nil {
			return fmt.Errorf("answer while the process before ends: %w", err)
		}
	}
	return s.legacy.Ready(ctx)
}

// standFor begins to answer on the sockets that were left.
func (s *server) standFor(ctx context.Context, k known) error {
	m, self, err := s.entry()
	if err != nil {
		return err
	}
	var cfg node.Config
	if err := s.geography(&cfg); err != nil {
		return err
	}
	atlas, err := node.OpenAtlas(node.AtlasConfig{Sources: cfg.Geo, Awaited: cfg.Awaited, Coarse: cfg.Coarse, Log: s.cfg.Log})
	if err != nil {
		return err
	}
	keep, err := s.copied()
	if err != nil {
		return err
	}
	l, err := open(s.held)
	if err == nil && s.certificate == nil {
		err = l.without(systemd.DNSTLS, systemd.DNSHTTPS)
	}
	if err != nil {
		return errors.Join(err, keep.Close())
	}
	down := map[landfall.NodeID]bool{}
	for _, id := range k.Down {
		down[id] = true
	}
	d, err := node.NewDNS(node.DNSConfig{
		Self: self.ID, UDP: l.udp, TCP: l.tcp[systemd.DNS], TLS: l.tcp[systemd.DNSTLS], HTTPS: l.tcp[systemd.DNSHTTPS], Version: "landfall " + s.cfg.Version, Atlas: atlas, Keep: keep, Down: down,
		Certificate: s.certificate, Secrets: s.secrets, Sealing: s.state.Secret, Cookies: cmp.Or(s.cookies, node.NodeCookies(s.state.Key)), Tap: s.tap(),
		Challenges: func(context.Context, landfall.NodeID) (net.Conn, error) { return nil, errNotYet }, Log: s.cfg.Log,
	})
	if err != nil {
		return errors.Join(err, l.close(), keep.Close())
	}
	d.SetMap(m)
	ctx, end := context.WithCancel(ctx)
	s.standIn = &standIn{end: end, ended: make(chan error, 1), keep: keep.Name()}
	go func() { s.standIn.ended <- errors.Join(d.RunAlone(ctx), keep.Close()) }() // whom dismiss waits for
	select {
	case <-d.Serving():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errNotYet is what a stand-in knows of challenges.
var errNotYet = errors.New("there is no mesh yet")

// dismiss ends the stand-in, if there is one.
func (s *server) dismiss() error {
	if s.standIn == nil {
		return nil
	}
	s.standIn.end()
	err := errors.Join(<-s.standIn.ended, os.RemoveAll(s.standIn.keep))
	s.standIn = nil
	return err
}

// copied opens a copy of what was learnt, which the node goes on with.
func (s *server) copied() (*os.Root, error) {
	to, err := os.MkdirTemp(s.cfg.Dir, standInDirs)
	if err != nil {
		return nil, err
	}
	from := filepath.Join(s.cfg.Dir, node.Learnt)
	if _, err := os.Stat(from); err == nil { // else nothing was
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(to))
		}
	}
	return os.OpenRoot(to)
}
