package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"landfall"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/geography"
	"landfall/geodns/health"
)

// A node that is no name server asks one over the mesh, such as the home for
// `map apply --max-move`; only the home may, for a plan costs much to make.

// maxDeclared bounds a map that is to be previewed.
const maxDeclared = 16 << 20

// errNoNameServer is for nodes that are asked what only name servers know.
var errNoNameServer = errors.New("this node is no name server: ask on one that is")

// serveGeography answers operators' questions about steering.
func (n *Node) serveGeography(mux *http.ServeMux) {
	mux.HandleFunc("POST /dns/explain", geographic(n, func(q geography.Question) (any, error) { return n.dns.explain(n.Map(), q) }))
	mux.HandleFunc("POST /dns/preview", geographic(n, func(q geography.Trial) (any, error) { return n.dns.preview(n.Map(), q) }))
	mux.HandleFunc("POST /dns/map", geographic(n, func(geography.View) (any, error) { return n.dns.draw(n.Map()) }))
}

// geographic answers one kind of question.
func geographic[Q any](n *Node, answer func(Q) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q Q
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDeclared))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil && !errors.Is(err, io.EOF) {
			http.Error(w, "question: "+err.Error(), http.StatusBadRequest)
			return
		}
		if n.dns == nil {
			n.passOn(w, r, q)
			return
		}
		got, err := answer(q)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		writeJSON(w, got)
	}
}

// passOn has a name server answer what only name servers know.
func (n *Node) passOn(w http.ResponseWriter, r *http.Request, q any) {
	err := errNoNameServer
	body, merr := json.Marshal(q)
	if n.cfg.Home == nil || merr != nil {
		http.Error(w, errors.Join(err, merr).Error(), http.StatusConflict)
		return
	}
	client := n.client(landfall.MeshAdmin, 0)
	for peer := range n.Map().Having(landfall.RoleDNS) {
		got, perr := post(r.Context(), client, peer.ID, r.URL.Path, body)
		if perr == nil {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(got) // who asks has gone
			return
		}
		err = fmt.Errorf("name server %s: %w", peer.ID, perr)
	}
	http.Error(w, err.Error(), http.StatusConflict)
}

// maxAnswered bounds what a name server may answer: every prefix that moves.
const maxAnswered = 256 << 20

func post(ctx context.Context, client *http.Client, peer landfall.NodeID, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+string(peer)+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswered))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(got)))
	}
	return got, err
}

// fromHome lets only the home region's nodes ask.
func (n *Node) fromHome(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := n.caller(r)
		if peer, known := n.Map().Node(who); !ok || !known || !peer.Has(landfall.RoleOrigin) || n.dns == nil {
			http.Error(w, "only the home region asks name servers how they choose", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// explain tells how a choice comes about.
func (d *DNS) explain(m *landfall.Map, q geography.Question) (geography.Explanation, error) {
	p := d.server.Plan()
	if p == nil {
		return geography.Explanation{}, errors.New("this name server has no map yet")
	}
	var reason func(landfall.NodeID) health.Reason
	if d.prober != nil {
		reason = d.prober.Why
	}
	return geography.Explain(m, p, q, reason)
}

// preview tells who would move if an operator's file were in force, all else
// as it is.
func (d *DNS) preview(m *landfall.Map, t geography.Trial) (geography.Preview, error) {
	before := d.server.Plan()
	if before == nil || t.Declared == nil {
		return geography.Preview{}, errors.New("this name server has no map yet, or is asked about none")
	}
	kind, err := geography.ParseKind(t.Type)
	if err != nil {
		return geography.Preview{}, err
	}
	next := m.Clone()
	if _, err := control.Declare(next, t.Declared); err != nil {
		return geography.Preview{}, err
	}
	if faults := next.Check(); len(faults) > 0 {
		return geography.Preview{}, faults[0]
	}
	table, err := d.learn.atlas.Try(next)
	if err != nil {
		return geography.Preview{}, fmt.Errorf("overrides: %w", err)
	}
	weighted := geography.ByAddresses
	if d.learn.counted() {
		weighted = geography.ByQueries
	}
	return geography.Compare(m, next, before, d.server.Try(next, table), kind, weighted, t.All), nil
}

// draw is what a picture of the world is made of.
func (d *DNS) draw(m *landfall.Map) (geography.View, error) {
	p := d.server.Plan()
	if p == nil {
		return geography.View{}, errors.New("this name server has no map yet")
	}
	return geography.Look(m, p, d.learn.atlas.Table(), d.edgeDown), nil
}
