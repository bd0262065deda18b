package node

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/cmd/internal/admin"
	"landfall/cmd/internal/doctor"
)

// maxReport bounds what a peer may report.
const maxReport = 1 << 20

// reachTimeout is how long a peer may take to try everything.
const reachTimeout = 12 * time.Second

// peers answers what other nodes may ask of this one beside its status:
//
//	GET /reach      what it can reach of the node that asks
//	POST /dns/...   how it chooses edges, if the home asks
func (n *Node) peers() http.Handler {
	mux := http.NewServeMux()
	var t turns
	mux.HandleFunc("GET /reach", func(w http.ResponseWriter, r *http.Request) {
		who, ok := n.caller(r)
		if !ok {
			http.Error(w, "only a node of the mesh may ask what can be reached of it", http.StatusForbidden)
			return
		}
		if !t.take(who) {
			http.Error(w, "this node is being examined already: ask again later", http.StatusTooManyRequests)
			return
		}
		defer t.give(who)
		report := doctor.Reach(r.Context(), doctor.ReachConfig{Map: n.Map(), From: n.cfg.Self, To: who, Roots: n.trust.Load(), Log: n.log})
		writeJSON(w, report)
	})
	geography := http.NewServeMux()
	n.serveGeography(geography)
	mux.Handle("POST /dns/", n.fromHome(geography))
	return mux
}

// maxExaminations bounds how many nodes are examined at once: each is a burst
// of connections.
const maxExaminations = 8

// turns are the nodes that are being examined: each once at a time.
type turns struct {
	mu   sync.Mutex
	busy []landfall.NodeID
}

func (t *turns) take(id landfall.NodeID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.busy) >= maxExaminations || slices.Contains(t.busy, id) {
		return false
	}
	t.busy = append(t.busy, id)
	return true
}

func (t *turns) give(id landfall.NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = slices.DeleteFunc(t.busy, func(b landfall.NodeID) bool { return b == id })
}

// local answers what an operator on this machine may ask beside the control:
//
//	GET /doctor?resolver=ADDR:PORT&...    findings
func (n *Node) local(control http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", control)
	n.serveGeography(mux)
	mux.HandleFunc("GET /doctor", func(w http.ResponseWriter, r *http.Request) {
		var resolvers []netip.AddrPort
		for _, s := range r.URL.Query()["resolver"] {
			a, err := netip.ParseAddrPort(s)
			if err != nil {
				http.Error(w, "resolver: "+err.Error(), http.StatusBadRequest)
				return
			}
			resolvers = append(resolvers, a)
		}
		writeJSON(w, doctor.Examine(r.Context(), n.patient(r.Context(), resolvers)))
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked may be gone: that is his affair
}

// patient is what the doctor is told of this node.
func (n *Node) patient(ctx context.Context, resolvers []netip.AddrPort) doctor.Config {
	c := doctor.Config{
		Map: n.Map(), Self: n.cfg.Self, Dir: n.cfg.State.Dir, Resolvers: resolvers,
		Overview: n.Overview, Reports: n.reports, Front: n.front,
	}
	if n.atlas != nil {
		places := n.atlas.Table().About().Places
		c.Geography = &doctor.Geography{Type: places.Type, Coarse: places.Coarse(), Missing: n.atlas.Missing()}
	}
	if n.cfg.Home != nil {
		c.Certificates, _ = operator{n}.Certificates(ctx)
		c.Complete = true
	} else if n.isEdge() {
		c.Certificates, c.Complete = n.certificates(c.Map), true
	}
	return c
}

// reports asks every other node what it can reach of this one, all at once.
func (n *Node) reports(ctx context.Context) (out []doctor.Report) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	client := n.client(landfall.MeshAdmin, 0)
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, peer := range n.Map().Nodes {
		if peer.ID == n.cfg.Self || !peer.Joined() {
			continue
		}
		asking.Go(func() {
			var r doctor.Report
			if err := ask(ctx, client, peer.ID, "/reach", maxReport, &r); err != nil {
				r = doctor.Report{Error: err.Error()}
			}
			admin.Clean(&r)
			r.From, r.To = peer.ID, n.cfg.Self // whom we asked, whoever he says he is
			mu.Lock()
			defer mu.Unlock()
			out = append(out, r)
		})
	}
	asking.Wait()
	return out
}
