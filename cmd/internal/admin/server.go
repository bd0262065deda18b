package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"landfall"
)

// Config is what a Server shows and may do.
type Config struct {
	Self landfall.NodeID
	// Status describes this node.
	Status func() Status
	// Overview asks all nodes; nil where that is not offered.
	Overview func(context.Context) Overview
	// Peers answers what peers on the mesh may ask beside metrics, status and
	// health; nil: nothing.
	Peers http.Handler
	// Control answers what only an operator on this machine may ask beside
	// that; nil: nothing.
	Control http.Handler
	Log     *slog.Logger // nil: no log
}

// Server answers for one node.
type Server struct {
	cfg Config

	mu    sync.Mutex
	parts []part
}

type part struct {
	name  string
	stats func() any
}

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg}
}

// Register adds a part's numbers to the metrics. stats returns a struct whose
// fields carry metric and help tags.
func (s *Server) Register(name string, stats func() any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, part{name, stats})
}

// Public is what peers on the mesh may ask: metrics, status and health.
func (s *Server) Public() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /health", s.health)
	if s.cfg.Peers != nil {
		mux.Handle("/", s.cfg.Peers)
	}
	return mux
}

// Local is Public and what only an operator on this machine may do.
func (s *Server) Local() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("GET /health", s.health)
	if s.cfg.Overview != nil {
		mux.HandleFunc("GET /overview", func(w http.ResponseWriter, r *http.Request) {
			s.answer(w, s.cfg.Overview(r.Context()))
		})
	}
	if s.cfg.Control != nil {
		mux.Handle("/", s.cfg.Control)
	}
	return mux
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	parts := s.parts
	s.mu.Unlock()
	var m metrics
	for _, p := range parts {
		m.add(p.name, []string{"node", string(s.cfg.Self)}, p.stats())
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if err := m.writeTo(w); err != nil {
		s.cfg.Log.Debug("metrics not delivered", "err", err)
	}
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.cfg.Status()) }

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	st := s.cfg.Status()
	if len(st.Waiting) > 0 {
		http.Error(w, fmt.Sprintf("waiting for %v", st.Waiting), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "ok %s %d\n", st.Node, st.Serial)
	if st.DNS != nil && st.DNS.Refused != "" {
		fmt.Fprintf(w, "network file refused: %s\n", st.DNS.Refused)
	}
}

func (s *Server) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.cfg.Log.Debug("answer not delivered", "err", err)
	}
}
