package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"landfall"
)

// maxRequest bounds what an operator may send: a map of the largest network.
const maxRequest = 16 << 20

// Handler answers operators. current is the newest map; op is nil at nodes
// that do not control the map.
func Handler(current func() *landfall.Map, op Operator, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /map", func(w http.ResponseWriter, _ *http.Request) { answer(w, log, current()) })
	if op == nil {
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, elsewhere(current()), http.StatusMisdirectedRequest)
		})
		return mux
	}
	mux.HandleFunc("POST /state", post(log, func(ctx context.Context, r stateRequest) (Applied, error) {
		serial, err := op.SetState(ctx, r.Node, r.State)
		return Applied{Serial: serial}, err
	}))
	mux.HandleFunc("POST /set", post(log, func(ctx context.Context, s Setting) (Applied, error) {
		serial, err := op.Set(ctx, s)
		return Applied{Serial: serial}, err
	}))
	mux.HandleFunc("POST /cut", post(log, func(ctx context.Context, r stateRequest) (Applied, error) {
		serial, err := op.CutOff(ctx, r.Node)
		return Applied{Serial: serial}, err
	}))
	mux.HandleFunc("POST /invite", post(log, op.Invite))
	mux.HandleFunc("POST /map", post(log, op.Apply))
	mux.HandleFunc("POST /renew", post(log, op.Renew))
	mux.HandleFunc("GET /certificates", func(w http.ResponseWriter, r *http.Request) {
		list, err := op.Certificates(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		answer(w, log, list)
	})
	return mux
}

// stateRequest moves a node.
type stateRequest struct {
	Node  landfall.NodeID `json:"node"`
	State landfall.State  `json:"state"`
}

// elsewhere says where the map can be changed.
func elsewhere(m *landfall.Map) string {
	for _, n := range m.Origins() {
		return fmt.Sprintf("the network is not controlled from this node: ask on %s, in the home region", n.ID)
	}
	return "the network is not controlled from this node: ask a node of the home region"
}

// post answers requests of one kind.
func post[Request, Answer any](log *slog.Logger, do func(context.Context, Request) (Answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req Request
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		err := d.Decode(&req)
		if _, more := d.Token(); err == nil && !errors.Is(more, io.EOF) {
			err = errors.New("more than one request")
		}
		if err != nil {
			http.Error(w, "request: "+err.Error(), http.StatusBadRequest)
			return
		}
		got, err := do(r.Context(), req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		answer(w, log, got)
	}
}

func answer(w http.ResponseWriter, log *slog.Logger, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Debug("answer not delivered", "err", err)
	}
}
