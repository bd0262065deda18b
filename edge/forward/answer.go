package forward

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"landfall"
)

// Answer is what an edge says by itself, where no origin is asked or none
// answers: in JSON to whoever accepts that, else in plain text.
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
	body := a.text()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		body = a.json()
		h.Set("Content-Type", "application/json")
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
