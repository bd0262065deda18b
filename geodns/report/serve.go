package report

import (
	"errors"
	"io"
	"net/http"
	"time"

	"landfall"
)

// Why a report is refused.
const (
	stranger = "stranger" // not an edge of the map
	hasty    = "hasty"    // right after the one before
	large    = "large"
	broken   = "broken"
)

// Handler takes reports: POST /report.
//
//	204  taken in
//	400  the document is no report; the body says why
//	403  who asks is no edge of the map
//	413  it is too large
//	429  the edge has reported less than a second ago
func (b *Book) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, b.serve)
	return mux
}

func (b *Book) serve(w http.ResponseWriter, r *http.Request) {
	from, ok := b.cfg.Peer(r)
	why := stranger
	if ok {
		why = b.admit(from, time.Now())
	}
	switch why {
	case stranger:
		b.refuse(w, r, from, why, http.StatusForbidden, "only edges of the map report")
		return
	case hasty:
		b.refuse(w, r, from, why, http.StatusTooManyRequests, "a report came less than a second ago")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReport))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		b.refuse(w, r, from, large, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	now := time.Now()
	var report Report
	var dropped Dropped
	if err == nil {
		report, dropped, err = Decode(body, now)
	}
	if err != nil {
		b.refuse(w, r, from, broken, http.StatusBadRequest, err.Error())
		return
	}
	b.hear(from, report, dropped, now)
	w.WriteHeader(http.StatusNoContent)
}

func (b *Book) refuse(w http.ResponseWriter, r *http.Request, from landfall.NodeID, why string, status int, reason string) {
	b.mu.Lock()
	b.refused[why]++
	b.mu.Unlock()
	b.cfg.Log.Debug("report refused", "peer", from, "remote", r.RemoteAddr, "why", why, "err", reason)
	http.Error(w, reason, status)
}
