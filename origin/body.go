package origin

import (
	"io"
	"net/http"
	"time"
)

// A body must be here in bodyTime, and a second more for each bodyRate bytes
// that it has or, when it does not tell, may have.
const (
	bodyTime = 5 * time.Second
	bodyRate = 64 << 10
	bodyMost = 1 << 20
)

// hurry gives the body of a request a deadline, whoever reads it: the handler
// or, when that answers without, net/http, which wants to reuse the
// connection.
func hurry(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	size := r.ContentLength
	if size < 0 || size > bodyMost {
		size = bodyMost
	}
	rc := http.NewResponseController(w)
	wait := bodyTime + time.Duration(size)*time.Second/bodyRate
	if rc.SetReadDeadline(time.Now().Add(wait)) != nil {
		return // a connection without deadlines, such as of a test
	}
	r.Body = &hurriedBody{ReadCloser: r.Body, done: func() { _ = rc.SetReadDeadline(time.Time{}) }}
}

// hurriedBody takes the deadline away at its end: after it, net/http waits for
// the client to leave, and takes a missed deadline for that.
type hurriedBody struct {
	io.ReadCloser
	done func()
}

// Read implements io.Reader.
func (b *hurriedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.done()
	}
	return n, err
}
