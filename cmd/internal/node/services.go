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
	"landfall/edge/forward"
	"landfall/mesh/mapsync"
)

// service is what a node offers on the mesh.
type service struct {
	service landfall.MeshService
	run     func(context.Context) error
}

// listen opens what the node offers to its peers.
func (n *Node) listen() ([]service, error) {
	d := n.newDoorman()
	n.admin.Register("services", func() any { return d.Stats() })
	offers := n.offers()
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
		out = append(out, service{name, func(ctx context.Context) error {
			if slices.Contains([]landfall.MeshService{landfall.MeshMap, landfall.MeshCerts, landfall.MeshACME}, name) {
				handler = ending(ctx, handler) // those who wait for news
			}
			return d.keep(name, l, func(l net.Listener) error { return serveHTTP(ctx, l, handler, headPatience, patience) })
		}})
	}
	if h := n.cfg.Home; h != nil {
		l, err := n.mesh.Listen(landfall.MeshTCP)
		if err != nil {
			return nil, err
		}
		out = append(out, service{landfall.MeshTCP, func(ctx context.Context) error {
			return d.keep(landfall.MeshTCP, l, func(l net.Listener) error { return h.tunnel.Serve(ctx, l) })
		}})
	}
	return out, nil
}

// offers are what the node answers with HTTP.
func (n *Node) offers() map[landfall.MeshService]http.Handler {
	offers := map[landfall.MeshService]http.Handler{landfall.MeshAdmin: n.admin.Public()}
	if n.isDNS() {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /votes", n.serveVotes)
		offers[landfall.MeshProbes] = mux
		offers[landfall.MeshSamples] = n.dns.learn.handler()
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
	return offers
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

// How long a connection of the mesh may say nothing.
const (
	patience     = forward.KeepIdle + time.Minute // in reserve: edges hold some ready, and close them themselves
	headPatience = 10 * time.Second               // in the middle of a request's head
)

// ServeHTTP serves until ctx ends; requests then get a moment to finish.
// patience is how long a connection may be open without asking anything.
func ServeHTTP(ctx context.Context, l net.Listener, h http.Handler, patience time.Duration) error {
	return serveHTTP(ctx, l, h, patience, patience)
}

// serveHTTP is ServeHTTP with a limit of its own on the head of a request,
// which for the first counts from when the connection is accepted.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, head, patience time.Duration) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: head,
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
