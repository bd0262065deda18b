package stream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"landfall/origin/auth"
	"landfall/origin/backend"
	"landfall/origin/chat"
	"landfall/origin/wire"
)

// KeepAlive is how long a stream is silent at most. Clients give up after 60
// to 90 seconds, some proxies after 30.
const KeepAlive = 20 * time.Second

// Bounds on writing to a client that does not read.
const (
	writeTimeout = 30 * time.Second       // of one write
	lastWords    = 200 * time.Millisecond // once the stream has to end
)

// Config is what a Handler needs.
type Config struct {
	Auth    *auth.Auth
	Backend *backend.Backend
	Logger  *slog.Logger // nil: silent
}

// Handler serves GET /flows and GET /flows/{org}/{flow}. A stream ends when
// the context of its request does.
type Handler struct {
	auth    *auth.Auth
	backend *backend.Backend
	logger  *slog.Logger
	mux     *http.ServeMux
	open    [2]atomic.Int64 // by encoding
}

// Stats are the numbers of a Handler.
type Stats struct {
	Open map[string]int64 `metric:"streams" label:"encoding" help:"Streams open now, by encoding."`
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Auth == nil || cfg.Backend == nil {
		return nil, errors.New("stream: needs auth and a message backend")
	}
	h := &Handler{auth: cfg.Auth, backend: cfg.Backend, logger: cfg.Logger, mux: http.NewServeMux()}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	h.mux.HandleFunc("GET /flows", h.serve)
	h.mux.HandleFunc("GET /flows/{org}/{flow}", h.serve)
	return h, nil
}

// Stats returns the numbers of now.
func (h *Handler) Stats() Stats {
	return Stats{Open: map[string]int64{
		"json": h.open[jsonLines].Load(),
		"sse":  h.open[serverSent].Load(),
	}}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wire.CORS(w, r) {
		return
	}
	if _, pattern := h.mux.Handler(r); pattern == "" {
		wire.ReplyProblem(w, r, wire.NewProblem(http.StatusNotFound, "Not found"))
		return
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	sub, err := h.subscribe(w, r)
	if err != nil {
		p, known := wire.ProblemOf(err)
		if !known {
			h.logger.Error("stream not opened", "path", r.URL.Path, "err", err)
		}
		wire.ReplyProblem(w, r, p)
		return
	}
	defer sub.Close()
	enc := encodingOf(r)
	h.open[enc].Add(1)
	defer h.open[enc].Add(-1)
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // what comes after a stream would inherit its deadlines
	}
	err = (&writer{w: w, rc: http.NewResponseController(w), sub: sub, enc: enc}).run()
	h.logger.Debug("stream ended", "remote", r.RemoteAddr, "encoding", enc.String(), "err", err)
}

// subscribe checks who asks for what, and subscribes to it.
func (h *Handler) subscribe(w http.ResponseWriter, r *http.Request) (*backend.Subscription, error) {
	grant, err := h.auth.Request(r)
	if err != nil {
		return nil, err
	}
	user := grant.User.ID
	w.Header().Set("Flowdock-User", strconv.FormatInt(int64(user), 10))
	cursor, err := cursorOf(r)
	if err != nil {
		return nil, wire.NewProblem(http.StatusBadRequest, err.Error())
	}
	flows, err := h.flows(r, user)
	if err != nil {
		return nil, err
	}
	return h.backend.Subscribe(r.Context(), backend.Reader{
		User: user, Flows: flows, From: cursor,
		Holds: func(ctx context.Context) error { return h.auth.Holds(ctx, grant) },
	})
}

// cursorOf is where the client was: in the header that server-sent events
// have for it, or in the query for clients that cannot set headers.
func cursorOf(r *http.Request) (chat.Cursor, error) {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.URL.Query().Get("last_event_id"), r.URL.Query().Get("cursor")} {
		if text != "" {
			return chat.ParseCursor(text)
		}
	}
	return chat.Cursor{}, nil
}

// flows are the flows that the request asks for; without a filter all that
// the user has joined.
func (h *Handler) flows(r *http.Request, user chat.UserID) ([]chat.FlowID, error) {
	if org := r.PathValue("org"); org != "" {
		f, err := h.backend.Enter(r.Context(), user, chat.FlowRef{Org: strings.ToLower(org), Slug: strings.ToLower(r.PathValue("flow"))})
		return []chat.FlowID{f.ID}, err
	}
	var items []string
	for item := range strings.SplitSeq(r.URL.Query().Get("filter"), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return h.backend.Choose(r.Context(), user, items)
}

// encoding is the form of a stream.
type encoding int

const (
	jsonLines encoding = iota
	serverSent
)

func (e encoding) String() string { return [...]string{"json", "sse"}[e] }

// encodingOf is what the client accepts: a header, or a parameter for clients
// that cannot set one. JSON is the default.
func encodingOf(r *http.Request) encoding {
	accept := append(r.Header.Values("Accept"), r.URL.Query().Get("accept"))
	if slices.ContainsFunc(accept, func(a string) bool { return strings.Contains(a, "text/event-stream") }) {
		return serverSent
	}
	return jsonLines
}

// writer writes one stream.
type writer struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	sub *backend.Subscription
	enc encoding
	buf []byte
}

// run writes events until the subscription ends or the client is gone.
func (w *writer) run() error {
	w.head()
	ctx := w.sub.Context()
	// Whoever ends the stream also frees it from a write that hangs.
	stop := context.AfterFunc(ctx, func() { _ = w.rc.SetWriteDeadline(time.Now().Add(lastWords)) })
	defer stop()
	cursor := w.sub.Cursor()
	if err := w.write(w.enc.opening(w.buf, cursor)); err != nil {
		return err
	}
	silence := time.NewTimer(KeepAlive)
	defer silence.Stop()
	for {
		w.buf = w.buf[:0]
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-silence.C:
			w.buf = w.enc.keepAlive(w.buf)
		case <-w.sub.Ready():
			batch, err := w.sub.Poll()
			if err != nil {
				return err
			}
			for _, d := range batch {
				d.Move(cursor)
				w.buf = w.enc.event(w.buf, d, cursor)
			}
		}
		if len(w.buf) == 0 {
			continue
		}
		if err := w.write(w.buf); err != nil {
			return err
		}
		silence.Reset(KeepAlive)
	}
}

func (w *writer) head() {
	h := w.w.Header()
	h.Set("Content-Type", w.enc.contentType())
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // for an nginx that somebody puts in front
	w.w.WriteHeader(http.StatusOK)
}

// write sends what ends with a whole event, at once.
func (w *writer) write(b []byte) error {
	if w.sub.Context().Err() == nil {
		_ = w.rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // some writers have none
		if w.sub.Context().Err() != nil {                       // it ended meanwhile; do not undo its deadline
			_ = w.rc.SetWriteDeadline(time.Now().Add(lastWords))
		}
	}
	if len(b) > 0 {
		if _, err := w.w.Write(b); err != nil {
			return err
		}
	}
	return w.rc.Flush()
}
