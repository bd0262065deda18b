package certs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

// MaxWait bounds how long a question for a newer bundle may wait for its
// answer.
const MaxWait = 30 * time.Second

// sendTime is how long an answer may take on its way.
const sendTime = time.Minute

// mediaType is that of a sealed bundle.
const mediaType = "application/vnd.landfall.certs"

// ServerConfig is what a Server needs.
type ServerConfig struct {
	Keeper *Keeper // whose certificates are sent
	// Caller says which node a request comes from, by its address on the mesh.
	Caller func(*http.Request) (landfall.NodeID, bool)
	Log    *slog.Logger // nil discards
}

// Server is the home region's end of landfall.MeshCerts:
//
//	GET /certs?after=VERSION
//
// At once with the bundle of all certificates, sealed to the edge that asks
// (200), if it is not the one whose version the edge has; else as soon as
// there is another, or with 204 after MaxWait. Only edges of the map that have
// joined are answered.
type Server struct {
	cfg ServerConfig
	mux *http.ServeMux
	now atomic.Pointer[landfall.Map]

	mapped chan struct{} // closed by the first SetMap
	first  sync.Once

	requests, sent, refused, failed atomic.Uint64
	waiting                         atomic.Int64
}

// NewServer checks the configuration. Until the first SetMap whoever asks
// waits.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Keeper == nil || cfg.Caller == nil {
		return nil, errors.New("certs: a server needs a Keeper and a Caller")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux(), mapped: make(chan struct{})}
	s.mux.HandleFunc("GET /certs", s.answer)
	return s, nil
}

// SetMap says which nodes may ask, and what to seal to.
func (s *Server) SetMap(m *landfall.Map) {
	s.now.Store(m)
	s.first.Do(func() { close(s.mapped) })
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	select {
	case <-s.mapped:
	case <-r.Context().Done():
		return
	}
	if _, err := s.admit(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	s.waiting.Add(1)
	ctx, cancel := context.WithTimeout(r.Context(), MaxWait)
	bundle, err := s.cfg.Keeper.shelf.wait(ctx, r.URL.Query().Get("after"))
	cancel()
	s.waiting.Add(-1)
	// Not every carrier has deadlines; those that have none are bounded by
	// the listener's owner.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTime))
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.Context().Err() != nil:
		http.Error(w, "this node is stopping", http.StatusServiceUnavailable)
	case err != nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		s.send(w, r, bundle)
	}
}

// send seals a bundle to the node that asks, by the map as it is now: the
// node may have been removed while it waited.
func (s *Server) send(w http.ResponseWriter, r *http.Request, bundle []byte) {
	n, err := s.admit(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	sealed, err := seal(bundle, s.now.Load().Network, n.ID, n.Sealing)
	if err != nil {
		s.failed.Add(1)
		s.cfg.Log.Error("certificates not sealed", "peer", n.ID, "err", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.sent.Add(1)
	s.cfg.Log.Info("certificates sent", "peer", n.ID, "version", versionOf(bundle))
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(sealed)))
	w.Write(sealed)
}

// admit finds out who asks, and whether he may.
func (s *Server) admit(r *http.Request) (landfall.Node, error) {
	m := s.now.Load()
	id, ok := s.cfg.Caller(r)
	if !ok {
		return landfall.Node{}, errors.New("the caller is no node of the mesh")
	}
	n, ok := m.Node(id)
	switch {
	case !ok:
		return n, fmt.Errorf("node %s is not in map %d", id, m.Serial)
	case !n.Joined():
		return n, fmt.Errorf("node %s is %s", id, n.EffectiveState())
	case !n.Has(landfall.RoleEdge):
		return n, fmt.Errorf("node %s is no edge", id)
	}
	return n, nil
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refused.Add(1)
	s.cfg.Log.Warn("certificates refused", "remote", r.RemoteAddr, "err", err)
	http.Error(w, err.Error(), http.StatusForbidden)
}

// ServerStats are the counts of a Server.
type ServerStats struct {
	Requests uint64 `metric:"requests_total" help:"Questions of edges for certificates."`
	Sent     uint64 `metric:"bundles_sent_total" help:"Questions answered with certificates."`
	Refused  uint64 `metric:"refused_total" help:"Questions of nodes that may not ask."`
	Failed   uint64 `metric:"failed_total" help:"Bundles that could not be sealed to a node."`
	Waiting  int64  `metric:"waiting" help:"Questions waiting for other certificates now."`
}

// Stats returns the counts so far.
func (s *Server) Stats() ServerStats {
	return ServerStats{s.requests.Load(), s.sent.Load(), s.refused.Load(), s.failed.Load(), s.waiting.Load()}
}
