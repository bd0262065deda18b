package challenge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"landfall"
)

// ServeHTTP implements http.Handler.
func (b *Book) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// answer is the one thing that there is to ask.
func (b *Book) answer(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	id, ok := b.cfg.Caller(r)
	if !ok || !b.knows(id) {
		http.Error(w, errStranger.Error(), http.StatusForbidden)
		return
	}
	have, err := parseQuestion(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if have.epoch != b.epoch {
		have = mark{}
	}
	b.confirm(id, have.version)
	a, err := b.wait(r.Context(), id, have)
	switch {
	case errors.Is(err, errStranger):
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	case err != nil:
		http.Error(w, "this node is stopping", http.StatusServiceUnavailable)
		return
	}
	a.Held = time.Since(arrived).Microseconds()
	// Not every carrier has deadlines; those that have none are bounded by
	// the listener's owner.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(Silence))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(a); err != nil {
		b.cfg.Log.Debug("challenges not delivered", "peer", id, "err", err)
	}
}

// errStranger is for whoever is no name server of the map, or no longer.
var errStranger = errors.New("challenges are for the name servers of the map")

func (b *Book) knows(id landfall.NodeID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.servers, id)
}

func (b *Book) confirm(id landfall.NodeID, version uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.questions++
	h := b.heard[id]
	h.serves = version
	b.heard[id] = h
	b.stir()
}

// wait is the answer to who serves have: at once if there is news, or if who
// asks has left the map meanwhile.
func (b *Book) wait(ctx context.Context, id landfall.NodeID, have mark) (answer, error) {
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for due := false; ; {
		a, changed := b.tell(id, have, due)
		if changed == nil {
			return a, nil
		}
		select {
		case <-changed:
			if !b.knows(id) {
				return answer{}, errStranger
			}
		case <-timer.C:
			due = true
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
	}
}

// tell is the answer of now, if there is news or an answer is due; else what
// to wait for.
func (b *Book) tell(id landfall.NodeID, have mark, due bool) (answer, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := mark{b.epoch, b.version}
	if have == now && !due {
		return answer{}, b.changed
	}
	h := b.heard[id]
	if h.which < now.version {
		h.which, h.older = now.version, h.told
	}
	h.told = time.Now()
	b.heard[id] = h
	a := answer{Epoch: now.epoch, Version: now.version}
	if have != now {
		a.TXT = b.txt // replaced as a whole, never changed
	}
	return a, nil
}
