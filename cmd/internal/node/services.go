package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"landfall"
	"landfall/mesh/mapsync"
)

// service is what a node offers on the mesh.
type service struct {
	service landfall.MeshService
	run     func(context.Context) error
}

// listen opens what the node offers to its peers.
func (n *Node) listen() ([]service, error) {
	offers := map[landfall.MeshService]http.Handler{landfall.MeshAdmin: n.admin.Public()}
	if n.isDNS() {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /votes", n.serveVotes)
		offers[landfall.MeshProbes] = mux
	}
	if h := n.cfg.Home; h != nil {
		offers[landfall.MeshChat] = h.Chat.EdgeHandler()
		offers[landfall.MeshHTTP] = h.upstreams
		offers[landfall.MeshCerts] = h.bundles
		offers[landfall.MeshACME] = h.challenges
	}
	maps := mapsync.NewServer(n.maps)
	n.admin.Register("map_server", func() any { return maps.Stats() })
	offers[landfall.MeshMap] = maps
	var out []service
	for _, name := range landfall.MeshServices() {
		handler, ok := offers[name]
		if !ok {
			continue
		}
		l, err := n.mesh.Listen(name)
		if err != nil {
			return nil, err
		}
		l = n.guard(name, l)
		out = append(out, service{name, func(ctx context.Context) error {
			if slices.Contains([]landfall.MeshService{landfall.MeshMap, landfall.MeshCerts, landfall.MeshACME}, name) {
				handler = ending(ctx, handler) // those who wait for news
			}
			return ServeHTTP(ctx, l, handler, patience)
		}})
	}
	if h := n.cfg.Home; h != nil {
		l, err := n.mesh.Listen(landfall.MeshTCP)
		if err != nil {
			return nil, err
		}
		l = n.guard(landfall.MeshTCP, l)
		out = append(out, service{landfall.MeshTCP, func(ctx context.Context) error { return h.tunnel.Serve(ctx, l) }})
	}
	return out, nil
}

// ending ends the contexts of requests when ctx ends, for handlers that would
// wait longer than a stop can.
func ending(ctx context.Context, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		h.ServeHTTP(w, r.WithContext(own))
	})
}

// patience is how long a peer on the mesh may keep a connection open without
// asking anything: edges hold spare ones ready.
const patience = 15 * time.Minute

// ServeHTTP serves until ctx ends; requests then get a moment to finish.
// patience is how long a connection may be open without asking anything.
func ServeHTTP(ctx context.Context, l net.Listener, h http.Handler, patience time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: patience, // counts from the start of a connection
		IdleTimeout:       patience,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 300*time.Millisecond)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %v: %w", l.Addr(), err)
	}
	return nil
}

// caller is the node that a request on the mesh comes from.
func (n *Node) caller(r *http.Request) (landfall.NodeID, bool) { return n.mesh.PeerOf(r.RemoteAddr) }

// guests are the roles that a node must have one of to reach a service; every
// node may reach those that are not named.
func guests(name landfall.MeshService) []landfall.Role {
	switch name {
	case landfall.MeshHTTP, landfall.MeshChat, landfall.MeshCerts, landfall.MeshTCP:
		return []landfall.Role{landfall.RoleEdge}
	case landfall.MeshProbes, landfall.MeshACME:
		return []landfall.Role{landfall.RoleDNS}
	}
	return nil
}

// guard turns away nodes that have no business with a service: what edges say
// of their clients is believed, so nobody else may say it.
func (n *Node) guard(name landfall.MeshService, l net.Listener) net.Listener {
	roles := guests(name)
	if roles == nil {
		return l
	}
	return &guarded{Listener: l, admit: func(remote string) bool {
		id, ok := n.mesh.PeerOf(remote)
		peer, known := n.Map().Node(id)
		if ok && known && slices.ContainsFunc(roles, peer.Has) {
			return true
		}
		n.log.Warn("peer turned away", "peer", id, "remote", remote, "service", name)
		return false
	}}
}

// guarded is a listener that closes connections it does not admit.
type guarded struct {
	net.Listener
	admit func(remote string) bool
}

// Accept waits for a connection that is admitted.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil || g.admit(c.RemoteAddr().String()) {
			return c, err
		}
		c.Close()
	}
}
