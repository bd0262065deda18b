package wire

import "net/http"

// Forged says whether a page elsewhere may have made a browser send a request
// that changes something, with Basic credentials that the browser remembers.
// Such a request is a form or a link (Fetch Metadata, 2); a script's is of
// mode cors, and the credentials are the script's own.
func Forged(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	_, _, basic := r.BasicAuth()
	site := r.Header.Get("Sec-Fetch-Site")
	return basic && (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "cors"
}

// CORS lets pages from anywhere use the API: they need a token of their own,
// because cookies do not count there. It answers a preflight request, and
// then returns true.
func CORS(w http.ResponseWriter, r *http.Request) (answered bool) {
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "POST, PUT, PATCH, DELETE, GET, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Origin, Accept, Content-type, Authorization, X-CSRF-Token, X-Requested-With, X-Prototype-Version, Last-Event-ID")
		h.Set("Access-Control-Expose-Headers", "Flowdock-User, Link")
		h.Set("Access-Control-Max-Age", "600")
	}
	if r.Method != http.MethodOptions {
		return false
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}
