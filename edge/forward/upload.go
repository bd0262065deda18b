package forward

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// How slow a client may be in sending a body: it may keep us waiting for a
// minute, and what it sends earns new patience at the least rate, up to that
// minute. The slowest of mobile networks are ten times as fast; a body that
// is a slow conversation belongs into a WebSocket. Only waiting for the
// client counts, not what the origin takes to receive it.
const (
	uploadPatience = time.Minute
	uploadLeast    = 256 // bytes a second
)

// upload is the body of a request. It notes how reading it ends, and ends it
// when the client's time is over.
type upload struct {
	io.ReadCloser
	limit *http.ResponseController
	fuse  *fuse

	reading sync.Mutex    // held while a read waits for the client, and guards left; taken before mu
	left    time.Duration // how long the client may still keep us waiting

	mu    sync.Mutex // guards what follows
	ended bool
	err   error // why the body is not whole
}

// newUpload is nil for a request without a body.
func newUpload(w http.ResponseWriter, r *http.Request, slow func()) *upload {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	u := &upload{ReadCloser: r.Body, limit: http.NewResponseController(w), left: uploadPatience}
	u.fuse = newFuse(func() {
		slow()
		u.limit.SetReadDeadline(longAgo)
	})
	return u
}

// Read implements io.Reader.
func (u *upload) Read(b []byte) (int, error) {
	u.reading.Lock()
	defer u.reading.Unlock()
	began := time.Now()
	u.fuse.light(u.left)
	n, err := u.ReadCloser.Read(b)
	u.fuse.snuff()
	u.left = patience(u.left, time.Since(began), n)
	if err != nil {
		u.note(err)
	}
	return n, err
}

// patience is what is left of it after a client has kept us waiting and then
// sent n bytes.
func patience(left, waited time.Duration, n int) time.Duration {
	earned := time.Duration(n) * time.Second / uploadLeast
	return max(0, min(left-waited+earned, uploadPatience))
}

func (u *upload) note(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended && err != io.EOF {
		u.err = err
	}
	u.ended = true
}

// end leaves a last limit to a body that nobody wants: net/http reads some of
// it, to keep the connection.
func (u *upload) end() {
	if u == nil {
		return
	}
	u.fuse.end()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.ended = true
		u.limit.SetReadDeadline(time.Now().Add(uploadPatience))
	}
}

// failure says why the body is not whole, nil if that is not known. It waits
// for a read under way if asked to, which is wise only once the request's
// context has ended: then every read does.
func (u *upload) failure(wait bool) error {
	if u == nil {
		return nil
	}
	if wait {
		u.reading.Lock()
		defer u.reading.Unlock()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
