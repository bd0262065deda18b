package forward

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"landfall"
)

// Answer is what an edge says by itself, where no origin is asked or none
// answers: a page to browsers, JSON to whoever accepts that, else plain text.
type Answer struct {
	Status int
	Say    string          // one sentence for people
	Fault  Fault           // who is to blame
	Node   landfall.NodeID // who says it
	ID     string          // the request's; may be empty
}

// WriteTo sends the answer to a client.
func (a Answer) WriteTo(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(headerEdge, string(a.Node))
	if a.ID != "" {
		h.Set(headerID, a.ID)
	}
	h.Add("Vary", "Accept")
	body, accept := a.text(), r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "text/html"):
		body = a.page()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	case strings.Contains(accept, "application/json"):
		body = a.json()
		h.Set("Content-Type", "application/json")
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(a.Status)
	w.Write(body)
}

func (a Answer) text() []byte {
	b := fmt.Appendf(nil, "%d %s\n%s\nnode %s, fault %s", a.Status, http.StatusText(a.Status), a.Say, a.Node, a.Fault)
	if a.ID != "" {
		b = fmt.Appendf(b, ", request %s", a.ID)
	}
	return append(b, '\n')
}

// page is the same for people, who may send what it says to an operator.
func (a Answer) page() []byte {
	const form = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%d %s</title>
<style>
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0; padding: 0 1.5rem; color: #222; background: #fff }
h1 { font-size: 1.6rem; font-weight: 600 }
small { color: #666 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1a1a1a } small { color: #999 } }
</style>
<h1>%s</h1>
<p>%s</p>
<p><small>%d &middot; node %s &middot; fault %s%s</small></p>
</html>
`
	title, id := http.StatusText(a.Status), ""
	if a.ID != "" {
		id = " &middot; request " + html.EscapeString(a.ID)
	}
	return fmt.Appendf(nil, form, a.Status, title, title, html.EscapeString(a.Say), a.Status, html.EscapeString(string(a.Node)), a.Fault, id)
}

func (a Answer) json() []byte {
	b, err := json.Marshal(struct {
		Status  int             `json:"status"`
		Error   string          `json:"error"`
		Fault   Fault           `json:"fault"`
		Node    landfall.NodeID `json:"node"`
		Request string          `json:"request,omitempty"`
	}{a.Status, a.Say, a.Fault, a.Node, a.ID})
	if err != nil {
		return a.text() // strings and a number always marshal
	}
	return append(b, '\n')
}
