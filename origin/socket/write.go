package socket

import (
	"bufio"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/chat"
)

// batchEvery is how long events wait for others to share a write with. After
// a silence the first one does not wait.
const batchEvery = 16 * time.Millisecond

// movedWithin spreads clients that are sent away, so that they do not all
// come back at once.
const movedWithin = 2 * time.Second

// write sends ready, then events and answers, until ctx or the subscription
// ends. It is the only writer of frames, but for pongs.
func (c *conn) write(ctx context.Context) error {
	// Whoever ends the connection also frees it from a write that hangs.
	stop := context.AfterFunc(c.sub.Context(), func() { time.AfterFunc(2*lastWords, func() { c.ws.Close() }) })
	defer stop()
	cursor := c.sub.Cursor()
	ready := readyFrame{T: "ready", Cursor: cursor.String(), Gap: c.sub.Gap(), User: c.grant.User.ID}
	if err := c.frames(encode(ready)); err != nil {
		return err
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	rest := time.NewTimer(0) // since the last batch of events
	defer rest.Stop()
	var events <-chan struct{}
	for {
		var err error
		select {
		case <-c.sub.Context().Done():
			c.farewell(ctx)
			return context.Cause(c.sub.Context())
		case b := <-c.out:
			err = c.frames(b)
		case <-ping.C:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
		case <-rest.C:
			events = c.sub.Ready()
		case <-events:
			var batch []backend.Delivery
			if batch, err = c.sub.Poll(); err == nil && len(batch) > 0 {
				events = nil
				rest.Reset(batchEvery)
				err = c.frames(eventFrames(batch, cursor)...)
			}
		}
		if err != nil && c.sub.Context().Err() == nil {
			return err
		}
	}
}

// eventFrames are the frames of a batch; they move the cursor.
func eventFrames(batch []backend.Delivery, cursor chat.Cursor) [][]byte {
	frames := make([][]byte, len(batch))
	for i, d := range batch {
		d.Move(cursor)
		frames[i] = encode(eventFrame{T: "ev", Cursor: cursor.String(), Event: d.JSON})
	}
	return frames
}

// frames sends frames in one write to the network.
func (c *conn) frames(frames ...[]byte) error {
	if len(frames) == 0 {
		return nil
	}
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	c.batch.hold()
	for _, b := range frames {
		if err := c.ws.WriteMessage(websocket.TextMessage, b); err != nil {
			return err
		}
	}
	return c.batch.release()
}

// farewell tells the client to come back later: to another server if this
// one stops, with its cursor if it was too slow; and never if it is not let in
// any more.
func (c *conn) farewell(ctx context.Context) {
	code, why := websocket.CloseGoingAway, "server is stopping"
	switch cause := context.Cause(c.sub.Context()); {
	case errors.Is(context.Cause(ctx), errLeft):
		return
	case errors.Is(cause, backend.ErrSlow):
		code, why = websocket.CloseTryAgainLater, "too slow: resume from the cursor"
	case errors.Is(cause, auth.ErrDenied), errors.Is(cause, chat.ErrForbidden):
		c.refuse(cause)
		return
	}
	deadline := time.Now().Add(lastWords)
	_ = c.ws.SetWriteDeadline(deadline)
	_ = c.ws.WriteMessage(websocket.TextMessage, encode(movedFrame{T: "moved", After: rand.Int64N(movedWithin.Milliseconds())}))
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), deadline)
}

// batcher gives the WebSocket a connection that can hold frames back.
type batcher struct {
	http.ResponseWriter
	conn *batchConn
}

// Hijack implements http.Hijacker.
func (b *batcher) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(b.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	b.conn = &batchConn{Conn: c}
	return b.conn, rw, nil
}

// batchConn holds writes back between hold and release.
type batchConn struct {
	net.Conn

	mu      sync.Mutex
	holding bool
	held    []byte
}

// maxHeld is how much is held back at most, and kept between batches.
const maxHeld = 64 << 10

func (b *batchConn) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

// Write implements net.Conn. An error of bytes that were held back comes from
// the call that sends them.
func (b *batchConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.holding && len(b.held) == 0 {
		return b.Conn.Write(p)
	}
	b.held = append(b.held, p...)
	if b.holding && len(b.held) < maxHeld {
		return len(p), nil
	}
	return len(p), b.flush()
}

func (b *batchConn) release() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = false
	return b.flush()
}

func (b *batchConn) flush() error {
	if len(b.held) == 0 {
		return nil
	}
	_, err := b.Conn.Write(b.held)
	if b.held = b.held[:0]; cap(b.held) > 2*maxHeld {
		b.held = nil
	}
	return err
}
