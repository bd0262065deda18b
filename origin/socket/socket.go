package socket

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/chat"
	"landfall/origin/wire"
)

// Times of a connection.
const (
	helloTimeout = 10 * time.Second // until the client has said hello
	pingEvery    = 25 * time.Second
	pongTimeout  = 60 * time.Second // without any frame from the client
	writeTimeout = 30 * time.Second
	lastWords    = 200 * time.Millisecond // once the connection has to end
)

// Config is what a Handler needs.
type Config struct {
	Auth    *auth.Auth
	Backend *backend.Backend
	Logger  *slog.Logger // nil: silent
}

// Handler serves the WebSocket endpoint. A connection ends when the context
// of its request does, which the server must see to: the connection has left
// net/http's care.
type Handler struct {
	auth     *auth.Auth
	backend  *backend.Backend
	logger   *slog.Logger
	upgrader websocket.Upgrader
	open     atomic.Int64
}

// Stats are the numbers of a Handler.
type Stats struct {
	Open int64 `metric:"sockets" help:"WebSocket connections open now."`
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Auth == nil || cfg.Backend == nil {
		return nil, errors.New("socket: needs auth and a message backend")
	}
	h := &Handler{auth: cfg.Auth, backend: cfg.Backend, logger: cfg.Logger}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	h.upgrader = websocket.Upgrader{CheckOrigin: sameOrigin, WriteBufferPool: &sync.Pool{}, HandshakeTimeout: helloTimeout}
	return h, nil
}

// Stats returns the numbers of now.
func (h *Handler) Stats() Stats { return Stats{Open: h.open.Load()} }

// sameOrigin lets only our own pages connect: a browser sends the session
// cookie whatever page opens the WebSocket (RFC 6455, 10.2). Programs that
// are no browsers send no Origin.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, wire.BaseOf(r).Host)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	grant, err := h.identify(r)
	if err != nil && !errors.Is(err, auth.ErrDenied) {
		p, _ := wire.ProblemOf(err)
		wire.ReplyProblem(w, r, p)
		return
	}
	batch := &batcher{ResponseWriter: w}
	ws, err := h.upgrader.Upgrade(batch, r, nil)
	if err != nil {
		h.logger.Debug("socket not opened", "remote", r.RemoteAddr, "err", err)
		return // Upgrade has answered
	}
	h.open.Add(1)
	defer h.open.Add(-1)
	c := &conn{
		ws: ws, batch: batch.conn, auth: h.auth, backend: h.backend, logger: h.logger,
		grant: grant, out: make(chan []byte, 64),
	}
	err = c.run(r.Context())
	h.logger.Debug("socket ended", "remote", r.RemoteAddr, "err", err)
}

// identify finds the user by what the request itself carries. ErrDenied means
// that hello has to bring a token.
func (h *Handler) identify(r *http.Request) (auth.Grant, error) {
	grant, err := h.auth.Request(r)
	if errors.Is(err, auth.ErrDenied) && r.Header.Get("Authorization") == "" {
		return h.auth.Session(r)
	}
	return grant, err
}

// conn is one client. The goroutine that serves the request reads; another
// one writes.
type conn struct {
	ws      *websocket.Conn
	batch   *batchConn
	auth    *auth.Auth
	backend *backend.Backend
	logger  *slog.Logger
	grant   auth.Grant
	out     chan []byte // frames to write beside events
	sub     *backend.Subscription
	typed   time.Time // when the client's typing was last passed on
}

// run serves the connection until the client leaves, misbehaves or ctx ends.
func (c *conn) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.ws.Close()
	c.ws.SetReadLimit(maxFrame)
	// Before hello there is no writer, so the end of ctx closes right here.
	stop := context.AfterFunc(ctx, func() { c.ws.Close() })
	if err := c.hello(ctx); err != nil {
		stop()
		c.refuse(err)
		return err
	}
	defer c.sub.Close()
	if !stop() {
		return context.Cause(ctx)
	}
	var writing sync.WaitGroup
	writing.Go(func() {
		cancel(c.write(ctx))
		c.ws.Close() // wakes the reader
	})
	err := c.read(ctx)
	cancel(err)
	writing.Wait()
	return context.Cause(ctx)
}

// errLeft says that the client closed the connection.
var errLeft = errors.New("client left")

// read takes frames until the connection ends.
func (c *conn) read(ctx context.Context) error {
	c.ws.SetPongHandler(func(string) error { return c.ws.SetReadDeadline(time.Now().Add(pongTimeout)) })
	for {
		if err := c.ws.SetReadDeadline(time.Now().Add(pongTimeout)); err != nil {
			return err
		}
		f, err := c.next()
		if fault, ok := errors.AsType[*faulty](err); ok {
			c.reply(ctx, errorFrame{T: "error", Message: fault.why})
			continue
		}
		if err != nil {
			return errors.Join(errLeft, err)
		}
		c.handle(ctx, f)
	}
}

// next reads one frame.
func (c *conn) next() (frame, error) {
	kind, b, err := c.ws.ReadMessage()
	if err != nil {
		return frame{}, err
	}
	if kind != websocket.TextMessage {
		return frame{}, &faulty{"frames are text"}
	}
	return parseFrame(b)
}

// hello waits for the first frame and subscribes to what it asks for.
func (c *conn) hello(ctx context.Context) error {
	if err := c.ws.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	f, err := c.next()
	if err != nil {
		return err
	}
	if f.T != "hello" {
		return &faulty{`the first frame must be {"t":"hello",…}`}
	}
	if f.Token != "" {
		if c.grant, err = c.auth.Token(ctx, f.Token); err != nil {
			return err
		}
	}
	if c.grant.User.ID == 0 {
		return auth.ErrDenied
	}
	cursor, err := chat.ParseCursor(f.Cursor)
	if err != nil {
		return &faulty{err.Error()}
	}
	flows, err := c.backend.Choose(ctx, c.grant.User.ID, f.Filter)
	if err != nil {
		return err
	}
	c.sub, err = c.backend.Subscribe(ctx, backend.Reader{
		User: c.grant.User.ID, Flows: flows, From: cursor,
		Holds: func(ctx context.Context) error { return c.auth.Holds(ctx, c.grant) },
	})
	return err
}

// refuse tells a client why its hello was not taken.
func (c *conn) refuse(err error) {
	code := websocket.ClosePolicyViolation
	if _, ok := errors.AsType[*faulty](err); ok {
		code = websocket.CloseInvalidFramePayloadData
	} else if _, known := wire.ProblemOf(err); !known {
		c.logger.Debug("socket refused", "err", err)
		return
	}
	p := c.problem(err)
	_ = c.ws.SetWriteDeadline(time.Now().Add(lastWords))
	_ = c.ws.WriteMessage(websocket.TextMessage, encode(errorFrame{T: "error", Message: p.Message, Errors: p.Errors}))
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(lastWords))
}
