package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"landfall"
	"landfall/cmd/internal/control"
	"landfall/cmd/internal/geography"
	"landfall/geodns/health"
)

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
		var got any
		err := errNoNameServer
		if n.dns != nil {
			got, err = answer(q)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		writeJSON(w, got)
	}
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
	table, err := d.learn.atlas.Try(next)
	if err != nil {
		return geography.Preview{}, fmt.Errorf("overrides: %w", err)
	}
	weighted := geography.ByAddresses
	if d.learn.counted() {
		weighted = geography.ByQueries
	}
	return geography.Compare(m.Serial, before, d.server.Try(next, table), kind, weighted, t.All), nil
}

// draw is what a picture of the world is made of.
func (d *DNS) draw(m *landfall.Map) (geography.View, error) {
	p := d.server.Plan()
	if p == nil {
		return geography.View{}, errors.New("this name server has no map yet")
	}
	return geography.Look(m, p, d.learn.atlas.Table(), d.edgeDown), nil
}
