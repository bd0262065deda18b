package forward

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// uploadIdle is how long a client may be silent in the middle of a body.
const uploadIdle = time.Minute

// upload is the body of a request. It notes how reading it ends, and gives
// the client's silences a limit.
type upload struct {
	io.ReadCloser
	limit *http.ResponseController

	reading sync.Mutex // held while a read waits for the client; taken before mu

	mu    sync.Mutex // guards what follows
	armed time.Time  // when the limit was last pushed on; zero: there is none
	ended bool       // the limit stays as it is
	err   error      // why the body is not whole
}

func newUpload(w http.ResponseWriter, r *http.Request) *upload {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	return &upload{ReadCloser: r.Body, limit: http.NewResponseController(w)}
}

// Read implements io.Reader.
func (u *upload) Read(b []byte) (int, error) {
	u.reading.Lock()
	defer u.reading.Unlock()
	u.arm(time.Now())
	n, err := u.ReadCloser.Read(b)
	if err != nil {
		u.note(err)
	}
	return n, err
}

// arm pushes the limit on, if that is worth the while.
func (u *upload) arm(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended && now.Sub(u.armed) > uploadIdle/10 {
		u.armed = now
		u.limit.SetReadDeadline(now.Add(uploadIdle))
	}
}

func (u *upload) note(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.ended:
	case err != io.EOF:
		u.err = err
	default: // the answer may take longer than the limit
		u.limit.SetReadDeadline(time.Time{})
	}
	u.ended = true
}

// end leaves a last limit to a body that nobody wants: net/http reads some of
// it, to keep the connection.
func (u *upload) end() {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.ended = true
		u.limit.SetReadDeadline(time.Now().Add(uploadIdle))
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
